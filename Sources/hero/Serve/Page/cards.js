// The moments found, as cards: one for each video, its best moment first.
import { $, announce, count, clock, element, picture, span } from "/common.js";

const shownAtFirst = 24;
let groups = []; // of { video, moments }
let shown = shownAtFirst;
let moments = 0;
let seconds = 0;
let open = () => {};

// Returns a function from a score to the length of a bar, from 0 to 1. Scores may span many orders
// of magnitude.
function scale(all) {
  const scores = all.map((moment) => moment.score).filter((score) => score !== null);
  const isWide = scores.length > 1 && Math.min(...scores) > 0 && Math.max(...scores) > 20 * Math.min(...scores);
  const value = (score) => (isWide ? Math.log(score) : score);
  const [low, high] = [Math.min(...scores.map(value)), Math.max(...scores.map(value))];
  return (score) => (score === null || !(high > low) ? 1 : (value(score) - low) / (high - low));
}

export function show(answer, whatOpens) {
  open = whatOpens;
  shown = shownAtFirst;
  seconds = answer.seconds;
  moments = answer.moments.length;
  const fit = scale(answer.moments);
  const byVideo = new Map();
  for (const moment of answer.moments) {
    moment.fit = fit(moment.score);
    const group = byVideo.get(moment.number);
    if (group) group.push(moment);
    else byVideo.set(moment.number, [moment]);
  }
  groups = [...byVideo.values()];
  const folders = [...new Set(answer.moments.map((moment) => moment.folder).filter((folder) => folder !== ""))].sort();
  const folder = $("folder");
  const before = folder.value;
  folder.replaceChildren(element("option", { value: "", textContent: "All folders" }),
    ...folders.map((name) => element("option", { value: name, textContent: name })));
  folder.value = folders.includes(before) ? before : "";
  $("filters").hidden = moments === 0;
  draw();
}

export function clear() {
  groups = [];
  moments = 0;
  $("cards").replaceChildren();
  $("more-cards").hidden = true;
  $("filters").hidden = true;
}

function matches(moment) {
  const [shortest, longest] = ($("length").value || "0-").split("-").map((part) => (part === "" ? Infinity : Number(part)));
  return ($("folder").value === "" || moment.folder === $("folder").value)
    && moment.duration >= shortest && moment.duration < longest
    && (!$("spoken").checked || moment.subtitle !== "");
}

function draw() {
  const chosen = groups.map((group) => group.filter(matches)).filter((group) => group.length > 0);
  const kept = chosen.reduce((sum, group) => sum + group.length, 0);
  const took = `${Math.round(seconds * 1000)} ms`;
  if (moments === 0) announce("Nothing was found.");
  else if (kept < moments) announce(`${count(kept, "moment")} of the best ${moments} fit the filters`);
  else announce(`${count(moments, "moment")} in ${count(groups.length, "video")} (${took})`);
  $("cards").replaceChildren(...chosen.slice(0, shown).map(item));
  $("more-cards").hidden = chosen.length <= shown;
}

function item(group) {
  const [best, ...others] = group;
  const made = element("li", {}, card(best));
  if (others.length > 0) {
    made.append(element("p", { className: "others" }, "Also ", ...others.slice(0, 4).map((moment) => {
      const button = element("button", { type: "button", textContent: span(moment.start, moment.end) });
      button.addEventListener("click", () => open(moment));
      return button;
    })));
  }
  return made;
}

function card(moment) {
  const where = element("i");
  where.style.left = `${(100 * moment.start) / moment.duration}%`;
  where.style.width = `${(100 * (moment.end - moment.start)) / moment.duration}%`;
  const image = element("img", {
    src: picture(moment, moment.number, (moment.start + moment.end) / 2), alt: "", loading: "lazy",
  });
  const fit = element("span", { className: "fit", title: "How well it fits, beside the other moments found" },
    element("i"));
  fit.firstChild.style.width = `${Math.round(6 + 94 * moment.fit)}%`;
  const button = element("button", { type: "button", className: "card" },
    element("span", { className: "picture" }, image, element("span", { className: "where" }, where),
      element("span", { className: "time", textContent: span(moment.start, moment.end) })),
    element("span", { className: "text" },
      element("strong", { textContent: moment.video }), fit,
      element("span", { className: "said", textContent: moment.subtitle })));
  if (moment.playable && !moment.present) {
    button.lastChild.append(element("span", { className: "gone", textContent: "The file is missing or has changed." }));
  }
  button.dataset.number = moment.number;
  button.addEventListener("click", () => open(moment));
  return button;
}

// Marks the card of the video in the player.
export function mark(number) {
  for (const button of document.querySelectorAll(".card, .tile")) {
    if (Number(button.dataset.number) === number) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

for (const id of ["folder", "length", "spoken"]) {
  $(id).addEventListener("change", () => {
    shown = shownAtFirst;
    draw();
  });
}
$("more-cards").addEventListener("click", () => {
  const from = $("cards").children.length;
  shown += shownAtFirst;
  draw();
  $("cards").children[from]?.querySelector(".card")?.focus();
});

// Creates the card of a video on the start page.
export function videoCard(video, whatOpens) {
  const button = element("button", { type: "button", className: "tile" },
    element("span", { className: "picture" },
      element("img", { src: picture(video, video.number, video.duration / 2), alt: "", loading: "lazy" }),
      element("span", { className: "time", textContent: clock(video.duration) })),
    element("span", { className: "text" }, element("strong", { textContent: video.video }),
      element("span", { className: "said", textContent: [video.folder, video.has_subtitles ? "with subtitles" : ""].filter((text) => text !== "").join(", ") })));
  if (video.playable && !video.present) {
    button.lastChild.append(element("span", { className: "gone", textContent: "The file is missing or has changed." }));
  }
  button.dataset.number = video.number;
  button.addEventListener("click", () => whatOpens(video));
  return element("li", {}, button);
}
