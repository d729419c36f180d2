// The page: the start page, the search and its results, the evaluation of a split, and an address
// for each of them.
import { $, announce, ask, count, element, failed, kept, length } from "/common.js";
import * as cards from "/cards.js";
import * as evaluation from "/evaluation.js";
import * as player from "/player.js";

const [form, input] = [$("search"), $("query")];
const longestList = 200; // moments of an answer, videos of a page
let turn = 0; // answers to older questions are not shown
let browsed = 0; // videos of the start page

// The address: ?q= the query, v= the video played, t= its moment, view=evaluation.

function address({ query, video, start, end, view }) {
  const parts = new URLSearchParams();
  if (view === "evaluation") parts.set("view", view);
  if (query) parts.set("q", query);
  if (video !== undefined) {
    parts.set("v", video);
    parts.set("t", `${start.toFixed(1)}-${end.toFixed(1)}`);
  }
  const text = parts.toString();
  return text === "" ? "/" : `/?${text}`;
}

function goTo(place) {
  const wanted = address(place);
  if (wanted !== location.pathname + location.search) history.pushState(null, "", wanted);
}

const currentQuery = () => new URLSearchParams(location.search).get("q") ?? "";
const currentView = () => ($("evaluation").hidden ? "results" : "evaluation");

// Shows the state that the address describes.
async function fromAddress() {
  const parts = new URLSearchParams(location.search);
  const [query, video] = [parts.get("q") ?? "", parts.get("v")];
  view(parts.get("view") === "evaluation" ? "evaluation" : "results");
  const isNew = input.value.trim() !== query || $("cards").children.length === 0;
  input.value = query;
  if (video === null) player.hide();
  if (query === "") {
    ++turn;
    cards.clear();
    document.title = "hero";
    home();
  } else if (isNew) await search(query);
  if (video !== null) await openNamed(video, parts.get("t") ?? "", query);
}
window.addEventListener("popstate", fromAddress);

// Opens a video by its name, which stays valid longer than its number.
async function openNamed(name, times, query) {
  const [start, end] = times.split("-").map(Number);
  try {
    const answer = await ask(`/api/videos?limit=1&name=${encodeURIComponent(name)}`);
    const video = answer.videos[0];
    if (!video) throw new Error(`the index has no video named ${name}`);
    const from = Number.isFinite(start) ? start : 0;
    show({ number: video.number, video: name, start: from, end: end > from ? end : video.duration, query, truth: [] });
  } catch (error) {
    announce(failed(error));
  }
}

// Plays a moment without changing the address.
function show(moment) {
  cards.mark(moment.number);
  player.play({ predicted: [[moment.start, moment.end]], truth: [], ...moment });
}

function open(moment) {
  const query = moment.query ?? currentQuery();
  goTo({
    query: currentView() === "evaluation" ? "" : query, video: moment.video, start: moment.start, end: moment.end,
    view: currentView(),
  });
  show({ ...moment, query });
}

function closePlayer() {
  player.hide();
  cards.mark(-1);
  goTo({ query: currentQuery(), view: currentView() });
}

// Search

async function search(query) {
  const mine = ++turn;
  $("home").hidden = true;
  document.title = `${query} – hero`;
  announce("Searching …");
  try {
    const answer = await ask(`/api/search?limit=${longestList}&q=${encodeURIComponent(query)}`);
    if (mine !== turn) return;
    cards.show(answer, open);
    kept.set("recent", [query, ...kept.get("recent", []).filter((other) => other !== query)].slice(0, 8));
  } catch (error) {
    if (mine === turn) announce(failed(error));
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const query = input.value.trim();
  if (query === "") return;
  player.hide();
  view("results");
  goTo({ query });
  search(query);
});

// The start page

let index = null;

async function home() {
  $("home").hidden = false;
  const recent = kept.get("recent", []);
  $("recent").hidden = recent.length === 0;
  $("recent-list").replaceChildren(...recent.map((query) => {
    const link = element("a", { href: address({ query }), textContent: query });
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      input.value = query;
      form.requestSubmit();
    });
    return element("li", {}, link);
  }));
  about();
  if (browsed === 0) browse();
}

// Describes the index: its size, its age and the files missing from disk.
function about() {
  if (!index) return;
  const parts = [`${count(index.videos, "video")}, ${length(index.frames * index.frame_interval)} together`];
  if (index.updated !== null) {
    const age = Date.now() / 1000 - index.updated;
    parts.push(age < 90 ? "indexed just now" : `indexed ${age < 172800 ? length(age) : count(Math.round(age / 86400), "day")} ago`);
  }
  announce(`${parts.join(", ")}.`);
  $("missing").hidden = !(index.missing > 0);
  $("missing").textContent = index.missing > 0
    ? `${count(index.missing, "file")} ${index.missing === 1 ? "is" : "are"} missing from disk or changed since. `
      + "Running the same hero index command again brings the index up to date." : "";
}

async function browse() {
  const text = $("browse-text").value.trim();
  try {
    const answer = await ask(`/api/videos?limit=24&first=${browsed}&text=${encodeURIComponent(text)}`);
    if (text !== $("browse-text").value.trim()) return;
    browsed += answer.videos.length;
    $("videos").append(...answer.videos.map((video) => cards.videoCard(video, () => open({
      number: video.number, video: video.video, start: 0, end: video.duration, query: "", predicted: [],
    }))));
    $("more-videos").hidden = browsed >= answer.total;
    $("browse-count").textContent = text === "" ? "" : count(answer.total, "video");
  } catch (error) {
    announce(failed(error));
  }
}
$("more-videos").addEventListener("click", browse);
$("browse-text").addEventListener("input", () => {
  browsed = 0;
  $("videos").replaceChildren();
  browse();
});

// Views

function view(name) {
  $("results").hidden = name !== "results";
  $("evaluation").hidden = name !== "evaluation";
  for (const button of $("views").children) {
    button.setAttribute("aria-pressed", String(button.dataset.view === name));
  }
  evaluation.show();
}
for (const button of $("views").children) {
  button.addEventListener("click", () => {
    view(button.dataset.view);
    player.hide();
    goTo({ query: button.dataset.view === "results" ? input.value.trim() : "", view: button.dataset.view });
  });
}

// Keys

function move(step) {
  const all = [...document.querySelectorAll("#results:not([hidden]) .card, #home:not([hidden]) .tile, #evaluation:not([hidden]) .row")]
    .filter((button) => button.offsetParent !== null);
  if (all.length === 0) return;
  const at = all.indexOf(document.activeElement);
  all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  const writes = ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName);
  if (event.key === "/" && !writes) input.focus(), input.select();
  else if (event.key === "Escape") writes ? target.blur() : player.isOpen() && closePlayer();
  else if (writes && target !== input) return;
  else if (event.key === "ArrowDown") move(1);
  else if (event.key === "ArrowUp") move(-1);
  else if (writes) return;
  else if (!player.isOpen()) return;
  else if (event.key === "d" && !$("describing").hidden) player.describe();
  else if (event.key === "a" && !$("asking").hidden) $("question").focus();
  else if (event.key === "ArrowRight") player.seek(player.played() + 5);
  else if (event.key === "ArrowLeft") player.seek(player.played() - 5);
  // On the current card, Space pauses its video. On any other button, Space presses the button.
  else if (event.key === " " && target.id !== "video" && (target.tagName !== "BUTTON" || target.getAttribute("aria-current"))) player.toggle();
  else return;
  event.preventDefault();
});
// Browsers press a button when Space is released.
document.addEventListener("keyup", (event) => {
  if (event.key === " " && event.target.tagName === "BUTTON" && event.target.getAttribute("aria-current") && player.isOpen()) {
    event.preventDefault();
  }
});

evaluation.start(open);
ask("/api/index").then((answer) => {
  index = answer;
  input.maxLength = index.longest_query;
  $("views").hidden = !index.has_split;
  player.start(index, closePlayer);
  if (!$("home").hidden) about();
  if (index.missing === null) setTimeout(async () => {
    index = await ask("/api/index").catch(() => index);
    if (!$("home").hidden) about();
  }, 3000);
}).catch((error) => announce(failed(error))).finally(fromAddress);
