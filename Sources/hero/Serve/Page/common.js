// Helpers for every part of the page. Text from files and users enters the page as text, never as
// markup.

export const $ = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const key in properties) {
    if (key.startsWith("aria-") || key === "role") made.setAttribute(key, properties[key]);
    else made[key] = properties[key];
  }
  made.append(...children);
  return made;
}

// 75.4 → "1:15", 3675 → "1:01:15".
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export const span = (start, end) => `${clock(start)} – ${clock(end)}`;

// 1 → "1 video", 1200 → "1,200 videos".
export const count = (number, name) => `${number.toLocaleString("en")} ${name}${number === 1 ? "" : "s"}`;

// 90000 → "25 hours".
export function length(seconds) {
  if (seconds < 90) return count(Math.round(seconds), "second");
  if (seconds < 5400) return count(Math.round(seconds / 60), "minute");
  return count(Math.round(seconds / 3600), "hour");
}

export async function ask(path) {
  const response = await fetch(path);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer;
}

export const failed = (error) => `That did not work: ${error.message}.`;

export const picture = (shown, number, time) =>
  `/thumbnail/${number}?t=${Math.max(0, time).toFixed(1)}&of=${shown.mark}`;

// Values that this browser stores: the last searches, and how the player continues.
export const kept = {
  get(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(`hero.${key}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`hero.${key}`, JSON.stringify(value));
    } catch { /* A browser that keeps nothing. */ }
  },
};

// Announces a text to screen readers and shows it.
export function announce(text) {
  $("status").textContent = text;
}
