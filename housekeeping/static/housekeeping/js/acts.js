// After an act: its answer stays beside the button, and the focus stays where it was.
// Without this file each act leads to a page that has its answer in the same place, with the focus on it.
"use strict";

// --- Answers stay until the next act: a poll brings none, and takes none away -----------------

let told = [];

document.addEventListener("htmx:before:swap", (event) => {
  const { request, target } = event.detail.ctx, isAct = request.method === "POST";
  for (const answer of document.querySelectorAll(".answer")) {
    answer.toggleAttribute("hx-morph-skip", !isAct);
    if (isAct && !target.contains?.(answer)) answer.replaceChildren(); // to an act before this one
  }
  told = isAct ? [] : [...document.querySelectorAll(".answer:not(:empty)")];
});

// Of what is gone with a poll, such as a run that has ended, the answer moves to the place of its group.
document.addEventListener("htmx:after:swap", () => {
  for (const answer of told.filter((answer) => !answer.isConnected)) {
    const places = [...document.querySelectorAll(".answer[id]:empty")];
    const place = places.find((one) => answer.id.startsWith(`${one.id}-`));
    if (!place) continue;
    place.textContent = answer.textContent;
    place.dataset.level = answer.dataset.level;
    place.tabIndex = -1;
  }
});

// --- Pressed once: a button that is disabled would lose the focus, so it only refuses ---------

document.addEventListener("submit", (event) => {
  const isRefused = "busy" in event.target.dataset || event.submitter?.ariaDisabled === "true";
  if (!isRefused) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

document.addEventListener("htmx:before:request", (event) => {
  const { sourceElement, request } = event.detail.ctx;
  if (request.method === "POST") sourceElement.dataset.busy = "";
});
document.addEventListener("htmx:finally:request", (event) => { delete event.detail.ctx.sourceElement.dataset.busy; });

// --- The focus --------------------------------------------------------------------------------

const isSeen = (element) => element.checkVisibility({ visibilityProperty: true });

// Where an element is, in words that lead to the same place in a new page.
function placeOf(element) {
  const form = element?.closest?.("form");
  if (!form || form.closest("dialog")) return null;
  const to = form.id ? `#${CSS.escape(form.id)}` : `form[action="${CSS.escape(form.getAttribute("action"))}"]`;
  const nth = [...document.querySelectorAll(to)].indexOf(form);
  const buttons = [...form.querySelectorAll("button")];
  return { to, nth, name: buttons.includes(element) ? "" : element.name, button: buttons.indexOf(element) };
}

function find({ to, nth, name, button }) {
  const forms = [...document.querySelectorAll(to)].filter((form) => !form.closest("dialog"));
  const form = forms[nth] ?? forms[0];
  const element = name ? form?.elements[name] : form?.querySelectorAll("button")[Math.max(button, 0)];
  if (!(element instanceof Element) || element.disabled) return null;
  return isSeen(element) ? element : form.closest("details")?.querySelector("summary");
}

const answered = () => [...document.querySelectorAll(".answer:not(:empty)")].find(isSeen);

// Does an element have the focus, and not the page as a whole?
function isAnywhere() {
  const element = document.activeElement;
  return element && element !== document.body && isSeen(element);
}

// The button that was pressed; if it is gone, the answer beside its place.
let pressed = null;

function giveBack(answer) {
  const element = (pressed && find(pressed)) ?? answer;
  element?.focus();
  return element;
}

document.addEventListener("submit", (event) => {
  const form = event.target, element = document.activeElement;
  if (form.closest("dialog")) return; // opened by what was pressed before
  pressed = placeOf(form.contains(element) ? element : event.submitter);
}, true);

// A poll gives it back only where it takes it: nobody who reads elsewhere is led away.
let wasAnywhere = false;
document.addEventListener("htmx:before:swap", () => { wasAnywhere = isAnywhere(); });

// Later, as a dialog that closes gives the focus back by itself where it can.
document.addEventListener("htmx:finally:request", (event) => {
  const isAct = event.detail.ctx.request.method === "POST";
  setTimeout(() => { if (!isAnywhere() && (isAct || wasAnywhere)) giveBack(answered()); });
});

// What is pressed on this page is looked for on the page that comes.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post") || event.defaultPrevented) return;
  sessionStorage.setItem("pressed", JSON.stringify(pressed));
});
document.addEventListener("DOMContentLoaded", () => {
  pressed = JSON.parse(sessionStorage.getItem("pressed"));
  sessionStorage.removeItem("pressed");
  const answer = answered();
  if (!pressed || !answer) return;
  const element = giveBack(answer);
  const described = element.getAttribute("aria-describedby")?.split(" ") ?? [];
  if (element !== answer && !described.includes(answer.id)) element.setAttribute("aria-describedby", [...described, answer.id].join(" "));
});

// What the page fetches after that (a policy's preview) must not push it out of sight.
let isUntouched = true;
for (const name of ["keydown", "pointerdown", "wheel"]) document.addEventListener(name, () => { isUntouched = false; }, { passive: true });
document.addEventListener("htmx:after:swap", (event) => {
  const isOfLoad = event.detail.ctx.sourceElement.getAttribute("hx-trigger") === "load";
  if (isOfLoad && isUntouched && answered()) document.activeElement.scrollIntoView({ block: "nearest" });
});

// --- Fields: what is typed is tried by the server, which says what is wrong with it ------------

document.addEventListener("htmx:after:swap", (event) => {
  const { sourceElement, target } = event.detail.ctx;
  if (!sourceElement.matches?.("input[aria-describedby]") || typeof target === "string") return;
  const at = document.getElementById(target.id);
  if (at?.querySelector(".error")) sourceElement.setAttribute("aria-invalid", "true");
  else sourceElement.removeAttribute("aria-invalid");
});
