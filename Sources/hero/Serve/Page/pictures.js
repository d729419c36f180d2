// Pictures of moments: the browser decodes them from the videos' files, one after another, so that a page of cards asks for no
// more than one file at a time. Where it cannot, the drawn picture stays.

const patience = 6000; // milliseconds for one picture
const waiting = [];
let isBusy = false;

function happened(player, name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("too slow")), patience);
    const end = (finish) => () => { clearTimeout(timer); finish(); };
    player.addEventListener(name, end(resolve), { once: true });
    player.addEventListener("error", end(() => reject(new Error("unreadable"))), { once: true });
  });
}

async function draw({ image, source, seconds }) {
  const player = document.createElement("video");
  player.muted = true;
  player.preload = "auto";
  try {
    player.src = source;
    await happened(player, "loadeddata");
    const sought = happened(player, "seeked");
    player.currentTime = Math.min(seconds, Math.max(0, player.duration - 0.1));
    await sought;
    const canvas = document.createElement("canvas");
    canvas.width = 320;
    canvas.height = Math.round((320 * player.videoHeight) / player.videoWidth) || 180;
    canvas.getContext("2d").drawImage(player, 0, 0, canvas.width, canvas.height);
    image.src = canvas.toDataURL("image/jpeg", 0.8);
  } catch {
    // The drawn picture stays.
  } finally {
    // Lets go of the file.
    player.removeAttribute("src");
    player.load();
  }
}

async function work() {
  if (isBusy) return;
  isBusy = true;
  while (waiting.length > 0) {
    const next = waiting.shift();
    if (next.image.isConnected) await draw(next);
  }
  isBusy = false;
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    waiting.push(entry.target.wanted);
  }
  work();
}, { rootMargin: "200px" });

// Shows what a video's file has at a time, once the image comes into view.
export function showMoment(image, source, seconds) {
  image.wanted = { image, source, seconds };
  seen.observe(image);
}
