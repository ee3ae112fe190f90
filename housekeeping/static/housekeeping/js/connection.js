// Polls and a lost connection. After site.js, whose times it shows.
"use strict";

// --- Polls: none while nobody looks; a lost connection is shown ------------------------------

const lost = document.getElementById("connection");

// Only what a timer asks for: what a person asks for is never held back.
function isPoll(event) {
  return event.detail.ctx.sourceElement.getAttribute("hx-trigger")?.startsWith("every");
}

document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden && isPoll(event)) event.preventDefault();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  showTimes();
  document.dispatchEvent(new Event("look-again"));
});

// A whole page in answer to a fragment's request (a proxy's error, an outage) is not for its place.
document.addEventListener("htmx:after:request", (event) => {
  const { text, response } = event.detail.ctx;
  const isPage = /^\s*<!doctype/i.test(text ?? "");
  lost.hidden = !isPage;
  if (isPage && response.status < 500) location.reload();
  if (isPage) event.preventDefault();
  // Nothing new: what is heard of and measured again and again has been so just now, too.
  if (response?.status === 304) {
    const fresh = event.detail.ctx.sourceElement.querySelectorAll("time[data-fresh]");
    for (const time of fresh) time.dateTime = new Date().toISOString();
    showTimes();
  }
});
document.addEventListener("htmx:error", () => { lost.hidden = false; });
lost.querySelector("button").addEventListener("click", () => document.dispatchEvent(new Event("look-again")));
