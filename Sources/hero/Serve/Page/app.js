// Everything that came from a file or a person goes into the page as text, never as markup.
import { Timeline } from "/timeline.js";

const $ = (id) => document.getElementById(id);
const [video, form, input] = [$("video"), $("search"), $("query")];
let interval = 1.5;
let current = null; // what the player shows
let turn = 0; // answers to older questions are not shown
let splitLimit = 50;

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const key in properties) {
    if (key.startsWith("aria-")) made.setAttribute(key, properties[key]);
    else made[key] = properties[key];
  }
  made.append(...children);
  return made;
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

async function ask(path) {
  const response = await fetch(path);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer;
}

// Search

async function search(query) {
  const mine = ++turn;
  $("status").textContent = "Searching …";
  try {
    const answer = await ask(`/api/search?limit=24&q=${encodeURIComponent(query)}`);
    if (mine !== turn) return;
    const count = answer.moments.length;
    $("status").textContent = count === 0 ? "Nothing was found."
      : `${count} moments in ${Math.round(answer.seconds * 1000)} ms`;
    $("cards").replaceChildren(...answer.moments.map((moment) => element("li", {}, card(moment, query))));
  } catch (error) {
    if (mine === turn) $("status").textContent = `That did not work: ${error.message}.`;
  }
}

function card(moment, query) {
  const where = element("i");
  where.style.left = `${(100 * moment.start) / moment.duration}%`;
  where.style.width = `${(100 * (moment.end - moment.start)) / moment.duration}%`;
  const middle = ((moment.start + moment.end) / 2).toFixed(1);
  const picture = element("img", { src: `/thumbnail/${moment.number}?t=${middle}`, alt: "", loading: "lazy" });
  const button = element("button", { type: "button", className: "card" },
    element("span", { className: "picture" }, picture, element("span", { className: "where" }, where),
      element("span", { className: "time", textContent: `${clock(moment.start)} – ${clock(moment.end)}` })),
    element("span", { className: "text" },
      element("strong", { textContent: moment.video }),
      element("span", { className: "said", textContent: moment.subtitle }),
      element("span", { className: "score", textContent: `score ${Number(moment.score).toPrecision(3)}` })));
  button.addEventListener("click", () => {
    choose(button);
    play({ number: moment.number, start: moment.start, query, predicted: [[moment.start, moment.end]], truth: [] });
  });
  return button;
}

function choose(button) {
  for (const other of document.querySelectorAll(".card, .row")) other.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
}

// Player

const timeline = new Timeline($("timeline"), seek);
let offset = 0; // the player's time at the video's first picture

// Seconds of the video that are played.
function played() {
  return Math.max(0, video.currentTime - offset);
}

function seek(seconds) {
  video.currentTime = offset + seconds;
  timeline.show(seconds);
}

async function play(wanted) {
  current = wanted;
  $("player").hidden = false;
  $("lines").replaceChildren();
  tell(wanted);
  const encoded = encodeURIComponent(wanted.query);
  try {
    const [about, fit] = await Promise.all([
      ask(`/api/video/${wanted.number}`), ask(`/api/align/${wanted.number}?q=${encoded}`)]);
    if (current !== wanted) return;
    $("title").textContent = about.video;
    offset = about.start;
    const duration = Math.max(about.duration, about.frames * interval);
    timeline.draw({
      duration, interval, values: fit.cosines, predicted: wanted.predicted, truth: wanted.truth,
      speech: about.subtitles.map((line) => [line.start, line.end]),
    });
    timeline.show(wanted.start);
    legend(wanted);
    $("lines").replaceChildren(...about.subtitles.map(subtitle));
    video.hidden = !about.playable;
    $("unplayable").hidden = about.playable;
    if (about.playable) {
      const source = `/media/${wanted.number}`;
      if (video.getAttribute("src") !== source) {
        video.src = source;
        video.addEventListener("loadedmetadata", () => { if (current === wanted) start(wanted); }, { once: true });
      } else {
        start(wanted);
      }
    }
    follow(wanted.start);
    $("player").scrollIntoView({ block: "nearest" });
  } catch (error) {
    $("title").textContent = `That did not work: ${error.message}.`;
  }
}

function start(wanted) {
  video.currentTime = offset + wanted.start;
  // A browser may want a click on the player itself first.
  video.play().catch(() => {});
}

function legend(wanted) {
  const parts = [["curve", "fits the query"], ["predicted", "found"]];
  if (wanted.truth.length > 0) parts.push(["truth", "true"]);
  parts.push(["speech", "speech"]);
  $("legend").replaceChildren(...parts.map(([kind, text]) =>
    element("span", {}, element("b", { className: kind }), text)));
}

function subtitle(line) {
  const button = element("button", { type: "button" },
    element("span", { className: "time", textContent: clock(line.start) }),
    element("span", { textContent: line.text }));
  button.addEventListener("click", () => seek(line.start));
  const item = element("li", {}, button);
  [item.start, item.end] = [line.start, line.end];
  return item;
}

function follow(seconds) {
  timeline.show(seconds);
  let spoken = null;
  for (const item of $("lines").children) {
    const isSpoken = item.start <= seconds && seconds < item.end;
    if (isSpoken) {
      item.firstChild.setAttribute("aria-current", "true");
      spoken ??= item;
    } else item.firstChild.removeAttribute("aria-current");
  }
  if (spoken) {
    const list = $("lines");
    const top = spoken.offsetTop - list.clientHeight / 2;
    if (Math.abs(list.scrollTop - top) > list.clientHeight / 2) list.scrollTop = top;
  }
}

video.addEventListener("timeupdate", () => follow(played()));
video.addEventListener("error", () => {
  if (!video.hidden && video.getAttribute("src")) {
    $("unplayable").textContent = "This browser cannot play the file, or it has changed since it was indexed.";
    $("unplayable").hidden = false;
    video.hidden = true;
  }
});

function close() {
  current = null;
  video.pause();
  $("player").hidden = true;
}
$("close").addEventListener("click", close);

// Models that tell of the video: what happens in the moment, which answer to a question is right.

let moment = [0, 0];

function setMoment(start, end) {
  moment = [Math.max(0, start), Math.max(start, end)];
  $("moment").textContent = `${clock(moment[0])} – ${clock(moment[1])}`;
  $("describe").disabled = !(moment[0] < moment[1]);
}

function tell(wanted) {
  const [start, end] = wanted.predicted[0] ?? wanted.truth[0] ?? [wanted.start, wanted.start + 4 * interval];
  setMoment(start, end);
  for (const id of ["caption", "reply"]) $(id).textContent = "";
  for (const row of $("answers").children) showShare(row, null, false);
}
$("from").addEventListener("click", () => setMoment(played(), Math.max(moment[1], played() + interval)));
$("to").addEventListener("click", () => setMoment(Math.min(moment[0], Math.max(0, played() - interval)), played()));

async function describe() {
  const wanted = current;
  if (!wanted) return;
  $("caption").textContent = "…";
  let text;
  try {
    text = (await ask(`/api/describe/${wanted.number}?start=${moment[0]}&end=${moment[1]}`)).caption || "The model has no words for it.";
  } catch (error) {
    text = `That did not work: ${error.message}.`;
  }
  if (current === wanted) $("caption").textContent = text;
}
$("describe").addEventListener("click", describe);

function answerField(number, longest) {
  const field = element("input", { placeholder: `Answer ${number + 1}`, maxLength: longest, autocomplete: "off", "aria-label": `Answer ${number + 1}` });
  return element("div", {}, field, element("meter", { min: 0, max: 1, value: 0, hidden: true }), element("span"));
}

function showShare(row, probability, best) {
  const [, meter, text] = row.children;
  meter.hidden = probability === null;
  meter.value = probability ?? 0;
  text.textContent = probability === null ? "" : `${Math.round(100 * probability)} %`;
  text.className = best ? "best" : "";
}

$("asking").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wanted = current;
  const rows = [...$("answers").children].filter((row) => row.firstChild.value.trim() !== "");
  for (const row of $("answers").children) showShare(row, null, false);
  if (!wanted || $("question").value.trim() === "" || rows.length < 2) {
    $("reply").textContent = "Give a question and at least two answers to choose from.";
    return;
  }
  $("reply").textContent = "…";
  try {
    const texts = rows.map((row) => `&a=${encodeURIComponent(row.firstChild.value)}`).join("");
    // Of a long video the model reads what is around the moment.
    const part = moment[0] < moment[1] ? `&start=${moment[0]}&end=${moment[1]}` : "";
    const answer = await ask(`/api/ask/${wanted.number}?q=${encodeURIComponent($("question").value)}${texts}${part}`);
    if (current !== wanted) return;
    rows.forEach((row, place) => showShare(row, answer.answers[place].probability, place === answer.chosen));
    $("reply").replaceChildren(`Most probable: ${answer.answers[answer.chosen].text} `);
    if (answer.moment) {
      const button = element("button", { type: "button", textContent: `${clock(answer.moment.start)} – ${clock(answer.moment.end)}` });
      button.addEventListener("click", () => {
        setMoment(answer.moment.start, answer.moment.end);
        seek(answer.moment.start);
      });
      $("reply").append(button);
    }
  } catch (error) {
    if (current === wanted) $("reply").textContent = `That did not work: ${error.message}.`;
  }
});

// Split

function recall(answer) {
  const blocks = (answer.recall ?? []).filter((group) => group.values.length > 0).map((group) => {
    const table = element("table");
    const depths = [...new Set(group.values.map((value) => value.depth))];
    table.append(element("tr", {}, element("th"), ...depths.map((depth) => element("th", { textContent: `R@${depth}` }))));
    for (const overlap of new Set(group.values.map((value) => value.overlap))) {
      const cells = group.values.filter((value) => value.overlap === overlap);
      table.append(element("tr", {}, element("th", { textContent: overlap === null ? "" : `IoU ${overlap}` }),
        ...cells.map((cell) => element("td", { textContent: cell.value.toFixed(1) }))));
    }
    return element("div", {}, element("h3", { textContent: group.task }), table);
  });
  const progress = element("div", {}, element("h3", { textContent: "queries" }), `${answer.answered} of ${answer.total}`);
  $("recall").replaceChildren(progress, ...blocks);
}

function row(answer) {
  const rank = answer.rank === null ? "—" : `#${answer.rank}`;
  const truth = answer.truth.map(([from, to]) => `${clock(from)} – ${clock(to)}`).join(", ");
  const found = answer.prediction ? `found ${clock(answer.prediction.start)} – ${clock(answer.prediction.end)}`
    + (answer.prediction.number === answer.number ? "" : " in another video") : "nothing found";
  const button = element("button", { type: "button", className: "row" },
    element("span", { className: `rank ${answer.rank === null ? "none" : answer.rank === 1 ? "first" : ""}`, textContent: rank }),
    element("span", { textContent: answer.query }),
    element("span", { className: "detail", textContent: `${answer.video}: true ${truth}; ${found}` }));
  button.addEventListener("click", () => {
    choose(button);
    const own = answer.own;
    play({
      number: answer.number, start: answer.truth[0]?.[0] ?? own?.start ?? 0, query: answer.query, truth: answer.truth,
      predicted: own ? [[own.start, own.end]] : [],
    });
  });
  return element("li", {}, button);
}

async function showSplit() {
  if ($("split").hidden) return;
  try {
    const answer = await ask(`/api/split?limit=${splitLimit}`);
    const chosen = document.activeElement?.closest?.("#rows") ? null : true;
    recall(answer);
    if (chosen) $("rows").replaceChildren(...answer.rows.map(row));
    $("more").hidden = answer.answered <= splitLimit || splitLimit >= 200;
    if (answer.answered < answer.total) setTimeout(showSplit, 1500);
  } catch (error) {
    $("recall").textContent = `That did not work: ${error.message}.`;
  }
}
$("more").addEventListener("click", () => {
  splitLimit = 200;
  showSplit();
});

function view(name) {
  $("results").hidden = name !== "results";
  $("split").hidden = name !== "split";
  for (const button of $("views").children) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  showSplit();
}
for (const button of $("views").children) button.addEventListener("click", () => view(button.dataset.view));

// Keys

function move(step) {
  const all = [...document.querySelectorAll("#results:not([hidden]) .card, #split:not([hidden]) .row")];
  if (all.length === 0) return;
  const at = all.indexOf(document.activeElement);
  all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const writes = event.target.tagName === "INPUT";
  const plays = !$("player").hidden;
  if (event.key === "/" && !writes) input.focus(), input.select();
  else if (event.key === "ArrowDown") move(1);
  else if (event.key === "ArrowUp") move(-1);
  else if (event.key === "Escape") writes ? event.target.blur() : close();
  else if (writes || !plays) return;
  else if (event.key === "d" && !$("describing").hidden) describe();
  else if (event.key === "a" && !$("asking").hidden) $("question").focus();
  else if (event.key === "ArrowRight") seek(played() + 5);
  else if (event.key === "ArrowLeft") seek(Math.max(0, played() - 5));
  else if (event.key === " " && event.target.tagName !== "BUTTON" && event.target !== video) video.paused ? video.play().catch(() => {}) : video.pause();
  else return;
  event.preventDefault();
});

// The address keeps the query, so that it can be gone back to and sent to others.

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const query = input.value.trim();
  if (query === "") return;
  history.pushState(null, "", `/?q=${encodeURIComponent(query)}`);
  view("results");
  search(query);
});

function fromAddress() {
  const query = new URLSearchParams(location.search).get("q") ?? "";
  input.value = query;
  if (query !== "") search(query);
}
window.addEventListener("popstate", fromAddress);

ask("/api/index").then((index) => {
  interval = index.frame_interval;
  input.maxLength = index.longest_query;
  $("views").hidden = !index.has_split;
  $("describing").hidden = !index.describe;
  $("asking").hidden = !index.ask;
  $("question").maxLength = index.longest_query;
  $("answers").replaceChildren(...Array.from({ length: index.most_answers }, (_, number) => answerField(number, index.longest_query)));
  if ($("status").textContent === "") $("status").textContent = `${index.videos.toLocaleString("en")} videos can be searched, ${clock(index.frames * interval)} together.`;
}).catch((error) => { $("status").textContent = `That did not work: ${error.message}.`; });
fromAddress();
