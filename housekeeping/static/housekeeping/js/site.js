// What pages need beyond htmx. Each of them works without this file, only less well.
"use strict";

// --- Times, in the zone of the page and the language of who looks ----------------------------

const root = document.documentElement, language = root.lang;

// The server writes all times in the reader's zone once it knows that: it is told by a cookie.
const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (mine !== root.dataset.zone && !("zoneIsFixed" in root.dataset)) {
  const isSafe = location.protocol === "https:", name = `${isSafe ? "__Host-" : ""}housekeeping_time_zone`;
  const cookie = `${name}=${mine}`, has = () => document.cookie.split("; ").includes(cookie);
  const isNew = !has();
  document.cookie = `${cookie}; path=/; max-age=31536000; samesite=lax${isSafe ? "; secure" : ""}`;
  if (isNew && has()) location.reload();
}

function format(options) {
  try {
    return new Intl.DateTimeFormat(language, { ...options, timeZone: root.dataset.zone });
  } catch { // a zone that this browser does not know
    return new Intl.DateTimeFormat(language, { ...options, timeZone: "UTC", timeZoneName: "short" });
  }
}

const clock = format({ hour: "2-digit", minute: "2-digit" });
const day = format({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const year = format({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const date = format({ year: "numeric", month: "numeric", day: "numeric" });
const toTheSecond = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const exact = format({ weekday: "long", year: "numeric", month: "long", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "always", style: "short" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function near(moment) {
  const now = new Date();
  if (date.format(moment) === date.format(now)) return clock.format(moment);
  return (Math.abs(moment - now) < 300 * 86400e3 ? day : year).format(moment);
}

function fromNow(moment) {
  const seconds = Math.round((moment - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

function showTimes() {
  for (const element of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    // Times to the second, and fire times in the zone of schedules, stay as they are (data-as-is).
    const text = "relative" in element.dataset ? fromNow(moment) : near(moment);
    if (!("asIs" in element.dataset) && element.textContent !== text) element.textContent = text;
    const title = exact.format(moment);
    if (element.title !== title) element.title = title;
  }
  for (const bar of document.querySelectorAll("a[data-at]")) bar.setAttribute("aria-label", labelOf(bar));
}

for (const name of ["DOMContentLoaded", "htmx:after:swap"]) document.addEventListener(name, showTimes);
setInterval(() => { if (!document.hidden) showTimes(); }, 10_000);

// --- The list of tasks: bars that tell what they are, and a filter ---------------------------

const tip = document.getElementById("tip");

function labelOf(bar) {
  return `${near(new Date(bar.dataset.at))}: ${bar.dataset.tip}`;
}

function showTip(event) {
  const bar = event.target.closest?.("a[data-tip]");
  tip.hidden = !bar;
  if (!bar) return;
  tip.textContent = labelOf(bar);
  const place = bar.getBoundingClientRect(), size = tip.getBoundingClientRect();
  const left = Math.min(Math.max(place.left + place.width / 2 - size.width / 2, 8), innerWidth - size.width - 8);
  tip.style.setProperty("left", `${left}px`);
  tip.style.setProperty("top", `${place.top - size.height - 6}px`);
}

for (const name of ["pointerover", "focusin"]) document.addEventListener(name, showTip);
for (const name of ["focusout", "scroll"]) document.addEventListener(name, () => { tip.hidden = true; }, true);

// One stop of the Tab key for each strip; arrows, Home and End lead from bar to bar.
document.addEventListener("keydown", (event) => {
  const bar = event.target.closest?.(".strip a");
  if (!bar) return;
  const bars = [...bar.parentElement.querySelectorAll("a")], place = bars.indexOf(bar);
  const next = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  bars[next]?.focus();
});

function filterTasks() {
  const field = document.getElementById("task-filter");
  if (!field) return;
  const words = field.value.toLowerCase().split(/\s+/);
  for (const row of document.querySelectorAll("tr.task")) {
    const hit = words.every((word) => row.dataset.filter.includes(word));
    row.toggleAttribute("data-filtered", !hit);
  }
  for (const group of document.querySelectorAll("tr.group")) {
    const rows = [...group.parentElement.querySelectorAll("tr.task")];
    group.toggleAttribute("data-filtered", rows.every((row) => row.hasAttribute("data-filtered")));
  }
}

for (const name of ["DOMContentLoaded", "htmx:after:swap", "input"]) document.addEventListener(name, filterTasks);

// --- Buttons: pressed once, and asked back where it matters ----------------------------------

const question = document.getElementById("question");

document.addEventListener("submit", (event) => {
  const form = event.target, submitter = event.submitter;
  const text = submitter?.dataset.confirm ?? form.dataset.confirm;
  if (!text || form.dataset.confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  question.querySelector("p").textContent = text;
  const answer = question.querySelector("[value=yes]");
  answer.textContent = submitter?.dataset.confirmButton ?? form.dataset.confirmButton ?? submitter?.textContent ?? "OK";
  question.returnValue = "";
  question.addEventListener("close", () => {
    if (question.returnValue !== "yes") return;
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter);
    delete form.dataset.confirmed;
  }, { once: true });
  question.showModal();
}, true);

// Before rows are deleted, the site asks on a page of its own (HX-Retarget: #asked): here, a dialog.
const asked = document.getElementById("asked");

document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail.ctx.hx?.retarget !== "#asked") return;
  if (!asked.open) asked.showModal();
  asked.querySelector("[autofocus]").focus();
});
document.addEventListener("htmx:finally:request", (event) => {
  const { sourceElement, hx, status } = event.detail.ctx;
  if (asked.contains(sourceElement) && status === "swapped" && hx?.retarget !== "#asked") asked.close();
});
asked.addEventListener("click", (event) => {
  if (!event.target.closest("[data-leave]")) return;
  event.preventDefault();
  asked.close();
});

// htmx disables the buttons of its own forms (hx-disable); these lead to another page.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "post" && !form.hasAttribute("hx-post")) {
    setTimeout(() => { for (const button of form.querySelectorAll("button")) button.disabled = true; });
  }
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // back: the page as it is now, with its buttons
});

// A link that is a button here, as its page comes in a dialog: the space bar presses it, too.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches?.("a[role=button]")) return;
  event.preventDefault();
  event.target.click();
});

// --- Keys ------------------------------------------------------------------------------------

const sheet = document.getElementById("keys");
const wanted = sheet?.querySelector("input");
let before = "";

function isTyping(target) {
  return target.closest?.("input, select, textarea, [contenteditable]") || document.querySelector("dialog[open]");
}

// A page that asks anew by itself is asked to do so now; any other is loaded anew.
function refresh() {
  if (document.querySelector("[hx-trigger*='look-again']")) document.dispatchEvent(new Event("look-again"));
  else location.reload();
}

if (sheet) {
  wanted.checked = localStorage.getItem("keys") !== "off";
  wanted.addEventListener("change", () => localStorage.setItem("keys", wanted.checked ? "on" : "off"));
  document.getElementById("keys-button").addEventListener("click", () => sheet.showModal());
  document.addEventListener("keydown", (event) => {
    if (!wanted.checked || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const keys = before + event.key;
    before = event.key === "g" ? "g" : "";
    const link = document.querySelector(`a[data-key="${CSS.escape(keys)}"]`);
    if (link) link.click();
    else if (event.key === "?") sheet.showModal();
    else if (event.key === "r") refresh();
    else if (event.key === "/") document.querySelector("[data-key='/']")?.focus();
    if (["/", "?"].includes(event.key)) event.preventDefault();
  });
}
