// The list of runs: select all of a page, and state in the question how many runs an act affects.
// Without this file rows are selected one by one, and the questions show no number.
"use strict";

const list = () => document.getElementById("runs");
const boxes = () => [...list().querySelectorAll("input[name=run]")];

function count() {
  const all = document.getElementById("pick-all");
  if (!all) return;
  const picked = boxes().filter((box) => box.checked);
  const box = all.querySelector("input");
  all.hidden = boxes().length === 0;
  box.checked = picked.length > 0 && picked.length === boxes().length;
  box.indeterminate = picked.length > 0 && !box.checked;
  for (const button of list().querySelectorAll("button[name=act]")) {
    const can = picked.filter((one) => one.dataset.can === button.value).length;
    button.dataset.label ??= button.textContent;
    button.textContent = picked.length ? `${button.dataset.label} (${can})` : button.dataset.label;
    button.ariaDisabled = can === 0 ? "true" : null; // and keeps the focus
    if (button.dataset.confirmMany) button.dataset.confirm = button.dataset.confirmMany.replace("%n", `${can}`);
  }
}

document.addEventListener("change", (event) => {
  if (!list().contains(event.target)) return;
  if (event.target.closest("#pick-all")) for (const box of boxes()) box.checked = event.target.checked;
  count();
});
document.addEventListener("htmx:after:swap", count);
document.addEventListener("htmx:finally:request", (event) => {
  // The act is done, so clear the selection.
  const { sourceElement, status, hx } = event.detail.ctx;
  const isAct = sourceElement.id === "bulk" || sourceElement.closest("#asked");
  if (!isAct || status !== "swapped" || hx?.retarget) return;
  for (const box of boxes()) box.checked = false;
  count();
});
window.addEventListener("pageshow", count); // back: the browser has kept what was checked
