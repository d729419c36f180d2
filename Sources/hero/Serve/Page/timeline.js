// The timeline of a video: the fit of the query, the moments found, the true moments, and the
// speech.

import { clock } from "/common.js";

const space = "http://www.w3.org/2000/svg";
const [width, height] = [1000, 96];

function shape(parent, name, attributes) {
  const element = document.createElementNS(space, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  parent.append(element);
  return element;
}

export class Timeline {
  constructor(box, seek) {
    this.box = box;
    this.duration = 0;
    this.seconds = 0;
    this.interval = 1;
    const place = (event) => {
      const edge = box.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - edge.left) / edge.width));
      if (this.duration > 0) seek(share * this.duration);
    };
    box.addEventListener("pointerdown", (event) => {
      box.setPointerCapture(event.pointerId);
      place(event);
    });
    box.addEventListener("pointermove", (event) => {
      if (box.hasPointerCapture(event.pointerId)) place(event);
    });
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
      const step = steps[event.key];
      const wanted = event.key === "Home" ? 0 : event.key === "End" ? this.duration : this.seconds + step * this.interval;
      if (!Number.isFinite(wanted) || !(this.duration > 0)) return;
      // The page's own shortcuts use some of these keys differently.
      event.preventDefault();
      event.stopPropagation();
      seek(Math.min(this.duration, Math.max(0, wanted)));
    });
  }

  // values: one for each frame; spans: [start, end] in seconds.
  draw({ duration, interval, values, predicted, truth, speech }) {
    this.duration = duration;
    this.interval = interval;
    this.box.setAttribute("aria-valuemax", duration.toFixed(1));
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("preserveAspectRatio", "none");
    const x = (seconds) => (width * Math.min(duration, Math.max(0, seconds))) / duration;
    const span = (kind, [start, end], top, tall) =>
      shape(svg, "rect", { class: kind, x: x(start), width: Math.max(2, x(end) - x(start)), y: top, height: tall });
    const known = values.filter((value) => value !== null);
    if (known.length > 0) {
      const [low, high] = [Math.min(...known), Math.max(...known)];
      const y = (value) => 62 - 56 * (high > low ? ((value ?? low) - low) / (high - low) : 0.5);
      let path = `M0 66`;
      values.forEach((value, frame) => {
        path += `L${x(frame * interval)} ${y(value)}L${x((frame + 1) * interval)} ${y(value)}`;
      });
      shape(svg, "path", { class: "curve", d: `${path}L${x(values.length * interval)} 66Z` });
    }
    for (const moment of predicted) span("predicted", moment, 68, 8);
    for (const moment of truth) span("truth", moment, 77, 8);
    for (const moment of speech) span("speech", moment, 87, 6);
    this.now = shape(svg, "line", { class: "now", x1: 0, x2: 0, y1: 0, y2: height });
    this.box.replaceChildren(svg);
  }

  show(seconds) {
    if (!this.now || !(this.duration > 0)) return;
    this.seconds = Math.min(this.duration, seconds);
    const x = (width * this.seconds) / this.duration;
    this.now.setAttribute("x1", x);
    this.now.setAttribute("x2", x);
    this.box.setAttribute("aria-valuenow", this.seconds.toFixed(1));
    this.box.setAttribute("aria-valuetext", `${clock(this.seconds)} of ${clock(this.duration)}`);
  }
}
