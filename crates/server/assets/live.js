// Swaps parts of a page for what the server renders anew. Pages work without it.
"use strict";

(() => {
  const mark = document.querySelector("[data-live]");
  if (!mark || !window.EventSource) return;
  const LINES_MAX = 1000;

  const element = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html.trim();
    return template.content.firstElementChild;
  };

  // What a reader has opened stays open.
  const isKept = (element, name) => name === "open" && (element.tagName === "DETAILS" || element.tagName === "DIALOG");

  // Makes `old` what `fresh` is without replacing what stays. So the reader's focus and place, typed
  // words, opened parts, and a click that is under way outlive a change.
  const morph = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.isEqualNode(fresh)) return;
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !isKept(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !isKept(old, name)) old.setAttribute(name, value);
    }
    const wanted = new Set([...fresh.children].map((one) => one.id).filter(Boolean));
    const twins = new Map();
    for (const one of [...old.children]) {
      if (wanted.has(one.id)) twins.set(one.id, one);
      else if (one.id) one.remove();
    }
    let node = old.firstChild;
    for (const one of [...fresh.childNodes]) {
      // Of the same id, else the next of the same kind without one.
      const next = node && !node.id && node.nodeName === one.nodeName ? node : undefined;
      const twin = one.id ? twins.get(one.id) : next;
      if (twin && twin === node) node = node.nextSibling;
      else old.insertBefore(twin ?? one, node);
      if (twin) morph(twin, one);
    }
    while (node) {
      const next = node.nextSibling;
      node.remove();
      node = next;
    }
  };

  const swap = ({ id, into, html }) => {
    const fresh = element(html);
    const old = document.getElementById(id);
    if (!fresh) return;
    if (old) {
      if (old.nodeName === fresh.nodeName) morph(old, fresh);
      else old.replaceWith(fresh);
    } else if (into) {
      const place = document.getElementById(into);
      if (!place) return;
      // A connection that is made anew says again what came since the page was made. Lines that have
      // left the page for newer ones stay away.
      const number = (line) => Number(line.id.slice("line-".length));
      const first = into === "lines" && place.firstElementChild;
      if (first && number(fresh) < number(first)) return;
      const isAtEnd = place.scrollTop + place.clientHeight >= place.scrollHeight - 8;
      place.append(fresh);
      if (into === "lines") {
        while (place.children.length > LINES_MAX) place.firstElementChild.remove();
        if (isAtEnd) place.scrollTop = place.scrollHeight;
        return;
      }
    }
    dispatchEvent(new Event("part-changed"));
  };

  let source = null;
  const follow = () => {
    source?.close();
    const step = new URLSearchParams(location.search).get("step");
    source = new EventSource(mark.dataset.live + (step ? `&step=${encodeURIComponent(step)}` : ""));
    source.onopen = () => { mark.hidden = false; mark.classList.remove("is-lost"); };
    source.onerror = () => { mark.classList.add("is-lost"); };
    source.addEventListener("part", (event) => swap(JSON.parse(event.data)));
    source.addEventListener("end", () => { source.close(); source = null; mark.hidden = true; });
  };
  follow();
  // Another step is open, so other parts are wanted. A run that is over sends none.
  addEventListener("step-chosen", () => { if (source) follow(); });
  // A page that is kept for the back button would keep its connection too, and a browser has six.
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  const lines = document.getElementById("lines");
  if (lines) lines.scrollTop = lines.scrollHeight;
})();
