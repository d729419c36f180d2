// The queries of an annotated split beside the moments found for them.
import { $, ask, clock, element, failed, span } from "/common.js";

let limit = 50;
let open = () => {};

export function start(whatOpens) {
  open = whatOpens;
}

function recall(answer) {
  const blocks = (answer.recall ?? []).filter((group) => group.values.length > 0).map((group) => {
    const table = element("table");
    const depths = [...new Set(group.values.map((value) => value.depth))];
    table.append(element("tr", {}, element("td"),
      ...depths.map((depth) => element("th", { scope: "col", textContent: `R@${depth}` }))));
    for (const overlap of new Set(group.values.map((value) => value.overlap))) {
      const cells = group.values.filter((value) => value.overlap === overlap);
      table.append(element("tr", {}, element("th", { scope: "row", textContent: overlap === null ? "all" : `IoU ${overlap}` }),
        ...cells.map((cell) => element("td", { textContent: cell.value.toFixed(1) }))));
    }
    return element("div", {}, element("h2", { textContent: group.task }), table);
  });
  const progress = element("div", {}, element("h2", { textContent: "queries" }), `${answer.answered} of ${answer.total}`);
  $("recall").replaceChildren(progress, ...blocks);
}

function row(answer) {
  const rank = answer.rank === null ? "—" : `#${answer.rank}`;
  const truth = answer.truth.map(([from, to]) => span(from, to)).join(", ");
  const found = answer.prediction ? `found ${clock(answer.prediction.start)} – ${clock(answer.prediction.end)}`
    + (answer.prediction.number === answer.number ? "" : " in another video") : "nothing found";
  const kind = answer.rank === null ? "none" : answer.rank === 1 ? "first" : "";
  const button = element("button", { type: "button", className: "row" },
    element("span", { className: `rank ${kind}`, textContent: rank }),
    element("span", { textContent: answer.query }),
    element("span", { className: "detail", textContent: `${answer.video}: true ${truth}; ${found}` }));
  button.addEventListener("click", () => {
    for (const other of document.querySelectorAll(".row")) other.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    const own = answer.own;
    const [start, end] = answer.truth[0] ?? [own?.start ?? 0, own?.end ?? 0];
    open({
      number: answer.number, video: answer.video, start, end, query: answer.query, truth: answer.truth,
      predicted: own ? [[own.start, own.end]] : [],
    });
  });
  return element("li", {}, button);
}

export async function show() {
  if ($("evaluation").hidden) return;
  try {
    const answer = await ask(`/api/split?limit=${limit}`);
    const isRead = document.activeElement?.closest?.("#rows");
    recall(answer);
    if (!isRead) $("rows").replaceChildren(...answer.rows.map(row));
    $("more-rows").hidden = answer.answered <= limit || limit >= 200;
    if (answer.answered < answer.total) setTimeout(show, 1500);
  } catch (error) {
    $("recall").textContent = failed(error);
  }
}

$("more-rows").addEventListener("click", () => {
  limit = 200;
  show();
});
