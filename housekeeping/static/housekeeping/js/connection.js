// Polls and a lost connection. After site.js, whose times it shows.
"use strict";

(() => {
  // --- Polls: none while nobody looks ----------------------------------------------------------

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

  // --- A lost connection: said in words, and tried again until it is back -----------------------

  const lost = document.getElementById("connection");
  const since = document.getElementById("connection-since");
  let answeredAt = new Date();

  // What somebody pressed, rather than what a timer asks for or what is typed.
  function isPressed(event) {
    return !event.detail.ctx.sourceElement.hasAttribute("hx-trigger");
  }

  // What is said of an act without an answer stays until another one has an answer.
  function sayOfAct(what) {
    for (const text of document.querySelectorAll("#connection-act [data-act]")) text.hidden = text.dataset.act !== what;
  }

  function isBack() {
    answeredAt = new Date();
    lost.hidden = true;
  }

  function isLost() {
    since.textContent = toTheSecond.format(answeredAt);
    lost.hidden = false;
  }

  // A whole page in answer to a fragment's request (a proxy's error, an outage) is not for its place.
  document.addEventListener("htmx:after:request", (event) => {
    const { text, response } = event.detail.ctx;
    const isPage = /^\s*<!doctype/i.test(text ?? "");
    if (isPage && response.status < 500) location.reload();
    if (isPage) {
      event.preventDefault();
      isLost();
    } else isBack();
    if (isPressed(event)) sayOfAct(isPage ? "unanswered" : "");
    // Nothing new: what is heard of and measured again and again has been so just now, too.
    if (response?.status === 304) {
      const fresh = event.detail.ctx.sourceElement.querySelectorAll("time[data-fresh]");
      for (const time of fresh) time.dateTime = new Date().toISOString();
      showTimes();
    }
  });
  document.addEventListener("htmx:error", (event) => {
    if (!event.detail.ctx) return; // a fault of the page itself
    isLost();
    const isUnknown = navigator.onLine && event.detail.ctx.request?.method === "POST";
    if (isPressed(event)) sayOfAct(isUnknown ? "unanswered" : "unsent");
  });

  // A page that asks anew by itself does so; any other only asks whether somebody answers.
  function ask() {
    if (document.querySelector("[hx-trigger*='look-again']")) document.dispatchEvent(new Event("look-again"));
    else fetch(location.href, { method: "HEAD" }).then(isBack, isLost);
  }

  for (const name of ["online", "offline"]) window.addEventListener(name, ask);
  lost.querySelector("button").addEventListener("click", ask);
  setInterval(() => { if (!lost.hidden && !document.hidden) ask(); }, 5_000);

  // --- What was pressed is busy -----------------------------------------------------------------

  let pressed = null;

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog") return;
    if (form.method !== "post" || form.hasAttribute("hx-post") || navigator.onLine || "reached" in form.dataset) {
      pressed = event.submitter;
      pressed?.setAttribute("aria-busy", "true");
      return;
    }
    // A form that leads to another page would leave nothing but the browser's own error behind.
    event.preventDefault();
    event.stopImmediatePropagation();
    fetch(location.href, { method: "HEAD" }).then(() => {
      form.dataset.reached = "";
      form.requestSubmit(event.submitter);
      delete form.dataset.reached;
    }, () => {
      isLost();
      sayOfAct("unsent");
    });
  }, true);
  document.addEventListener("htmx:finally:request", (event) => {
    if (event.detail.ctx.sourceElement.contains(pressed)) pressed.removeAttribute("aria-busy");
  });
})();
