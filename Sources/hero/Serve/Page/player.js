// The player: a moment of a video, its timeline, its subtitles, and the answers of models about it.
import { $, ask, clock, element, failed, kept, picture, span } from "/common.js";
import { Timeline } from "/timeline.js";

const video = $("video");
const timeline = new Timeline($("timeline"), seek);
let current = null; // what is shown
let interval = 1.5;
let offset = 0; // the player's time at the video's first picture
let moment = [0, 0];
let isInMoment = false; // whether the player has not left the moment since it was sent there
let closed = () => {};

export function start(index, whenClosed) {
  interval = index.frame_interval;
  closed = whenClosed;
  $("describing").hidden = !index.describe;
  $("asking").hidden = !index.ask;
  $("question").maxLength = index.longest_query;
  $("answers").replaceChildren(...Array.from({ length: index.most_answers }, (_, number) =>
    answerField(number, index.longest_query)));
}

export const isOpen = () => !$("player").hidden;

// Returns the playing position in seconds of the video.
export const played = () => Math.max(0, video.currentTime - offset);

export function seek(seconds) {
  const place = Math.max(0, seconds);
  isInMoment = moment[0] <= place && place < moment[1];
  video.currentTime = offset + place;
  timeline.show(place);
}

export function toggle() {
  if (video.hidden) return;
  if (video.paused) video.play().catch(() => {});
  else video.pause();
}

// wanted: { number, video, start, end, query, predicted, truth }
export async function play(wanted) {
  current = wanted;
  // The previous video stops, so that it does not play on behind this one.
  video.pause();
  $("player").hidden = false;
  document.body.classList.add("plays");
  if (matchMedia("(max-width: 999px)").matches) $("player").scrollIntoView({ block: "start" });
  $("lines").replaceChildren();
  $("stills").replaceChildren();
  $("title").textContent = wanted.video;
  tell(wanted);
  try {
    const [about, fit] = await Promise.all([
      ask(`/api/video/${wanted.number}`),
      wanted.query === "" ? { cosines: [] } : ask(`/api/align/${wanted.number}?q=${encodeURIComponent(wanted.query)}`)]);
    if (current !== wanted) return;
    $("title").textContent = about.video;
    offset = about.start;
    const duration = Math.max(about.duration, about.frames * interval);
    timeline.draw({
      duration, interval, values: fit.cosines, predicted: wanted.predicted, truth: wanted.truth,
      speech: about.subtitles.map((line) => [line.start, line.end]),
    });
    timeline.show(wanted.start);
    legend(wanted, fit.cosines.length > 0, about.subtitles.length > 0);
    $("lines").replaceChildren(...about.subtitles.map(subtitle));
    files(wanted, about);
    if (about.playable && about.present) {
      open(wanted, about);
    } else {
      close(about.playable ? "The file is missing, or it has changed since it was indexed."
        : "The index names no file for this video.", wanted, about);
    }
    follow(wanted.start);
  } catch (error) {
    if (current === wanted) $("title").textContent = failed(error);
  }
}

// Returns whether the player holds the file of `wanted`. While another video's details load, the
// player still holds the previous file.
function holds(wanted) {
  return video.getAttribute("src") === `/media/${wanted.number}`;
}

function open(wanted, about) {
  const isThere = holds(wanted) && !video.error;
  video.hidden = false;
  $("unplayable").hidden = true;
  if (isThere) {
    if (video.readyState > 0) begin(wanted);
    return;
  }
  video.replaceChildren();
  if (about.subtitles.length > 0) {
    video.append(element("track", { kind: "captions", label: "Subtitles", src: `/subtitles/${wanted.number}` }));
  }
  video.poster = picture(about, wanted.number, wanted.start);
  video.src = `/media/${wanted.number}`;
}

// Shows why nothing can be played, and pictures of the moment instead.
function close(reason, wanted, about) {
  video.pause();
  video.removeAttribute("src");
  video.load();
  video.hidden = true;
  $("unplayable").textContent = reason;
  $("unplayable").hidden = false;
  if (!about?.present) return;
  const times = [0, 1, 2, 3].map((part) => wanted.start + (part + 0.5) * Math.max(0, wanted.end - wanted.start) / 4);
  $("stills").replaceChildren(...times.map((time) =>
    element("img", { src: picture(about, wanted.number, time), alt: `The picture at ${clock(time)}` })));
}

function begin(wanted) {
  seek(wanted.start);
  // A browser may require a click on the player first.
  video.play().catch(() => {});
}

video.addEventListener("loadedmetadata", () => {
  if (!current || !holds(current)) return;
  if (video.videoWidth === 0) {
    const note = "The browser plays the sound only: it cannot read the pictures of this file.";
    $("unplayable").textContent = note;
    $("unplayable").hidden = false;
  }
  begin(current);
});
video.addEventListener("error", async () => {
  const wanted = current;
  if (!wanted || !holds(wanted)) return;
  const about = await ask(`/api/video/${wanted.number}`).catch(() => null);
  if (current === wanted) close("This browser cannot play the file. Another player may.", wanted, about);
});

// The link that downloads the moment as a separate file.
const cut = element("a", { textContent: "Cut the moment out" });

function showCut(wanted) {
  cut.href = `/cut/${wanted.number}?start=${moment[0].toFixed(2)}&end=${moment[1].toFixed(2)}`;
  cut.hidden = !(moment[0] < moment[1]);
  cut.title = `Download ${span(moment[0], moment[1])}`;
}

// Shows the path of the file, and commands that open the moment in other players.
function files(wanted, about) {
  const parts = [];
  if (about.present) {
    parts.push(element("a", { href: `/media/${wanted.number}?download=1`, textContent: "Download" }), cut);
    showCut(wanted);
  }
  if (about.path) {
    const quoted = `'${about.path.replaceAll("'", "'\\''")}'`;
    // Both players count from the file's beginning, whatever its timestamps are.
    const at = wanted.start.toFixed(1);
    parts.push(copy("Copy the path", about.path), copy("Copy a command for mpv", `mpv --start=${at} -- ${quoted}`),
      copy("for VLC", `vlc --start-time=${at} ${quoted}`), element("code", { textContent: about.path }));
  }
  $("files").replaceChildren(...parts);
}

function copy(label, text) {
  const button = element("button", { type: "button", textContent: label, title: text });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = text;
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
  return button;
}

function legend(wanted, hasFit, hasSpeech) {
  const parts = [];
  if (hasFit) parts.push(["curve", "fits the query"]);
  if (wanted.predicted.length > 0) parts.push(["predicted", "found"]);
  if (wanted.truth.length > 0) parts.push(["truth", "true"]);
  if (hasSpeech) parts.push(["speech", "speech"]);
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

video.addEventListener("timeupdate", () => {
  const seconds = played();
  follow(seconds);
  if (!isInMoment || video.paused || seconds < moment[1]) return;
  if ($("ending").value === "stop") {
    isInMoment = false;
    video.pause();
  } else if ($("ending").value === "repeat") {
    seek(moment[0]);
  } else isInMoment = false;
});
$("ending").value = kept.get("ending", "repeat");
$("ending").addEventListener("change", () => kept.set("ending", $("ending").value));

export function hide() {
  current = null;
  video.pause();
  $("player").hidden = true;
  document.body.classList.remove("plays");
}
$("close").addEventListener("click", () => closed());

// Models that answer about the video: a caption of the moment, or the right answer to a question.

function setMoment(start, end) {
  moment = [Math.max(0, start), Math.max(start, end)];
  $("moment").textContent = span(moment[0], moment[1]);
  $("describe").disabled = !(moment[0] < moment[1]);
  if (current) showCut(current);
}

function tell(wanted) {
  setMoment(wanted.start, wanted.end);
  for (const id of ["caption", "reply"]) $(id).textContent = "";
  for (const row of $("answers").children) showShare(row, null, false);
}
$("from").addEventListener("click", () => setMoment(played(), Math.max(moment[1], played() + interval)));
$("to").addEventListener("click", () =>
  setMoment(Math.min(moment[0], Math.max(0, played() - interval)), played()));

export async function describe() {
  const wanted = current;
  if (!wanted) return;
  $("caption").textContent = "…";
  let text;
  try {
    const answer = await ask(`/api/describe/${wanted.number}?start=${moment[0]}&end=${moment[1]}`);
    text = answer.caption || "The model has no words for it.";
  } catch (error) {
    text = failed(error);
  }
  if (current === wanted) $("caption").textContent = text;
}
$("describe").addEventListener("click", describe);

function answerField(number, longest) {
  const label = `Answer ${number + 1}`;
  const field = element("input", { placeholder: label, maxLength: longest, autocomplete: "off", "aria-label": label });
  const share = element("meter", { min: 0, max: 1, value: 0, hidden: true, "aria-label": `Probability of answer ${number + 1}` });
  return element("div", {}, field, share, element("span"));
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
    // In a long video, the model reads the part around the moment.
    const part = moment[0] < moment[1] ? `&start=${moment[0]}&end=${moment[1]}` : "";
    const answer = await ask(`/api/ask/${wanted.number}?q=${encodeURIComponent($("question").value)}${texts}${part}`);
    if (current !== wanted) return;
    rows.forEach((row, place) => showShare(row, answer.answers[place].probability, place === answer.chosen));
    $("reply").replaceChildren(`Most probable: ${answer.answers[answer.chosen].text} `);
    if (answer.moment) {
      const [first, last] = [answer.moment.start, answer.moment.end];
      const button = element("button", { type: "button", textContent: span(first, last) });
      button.addEventListener("click", () => {
        setMoment(first, last);
        seek(first);
      });
      $("reply").append(button);
    }
  } catch (error) {
    if (current === wanted) $("reply").textContent = failed(error);
  }
});
