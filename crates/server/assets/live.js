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

  // What the reader has opened stays open, and what has the focus keeps it.
  const keep = (from, to) => {
    const opened = [from, ...from.querySelectorAll("details")].filter((one) => one.tagName === "DETAILS");
    for (const one of opened) {
      const twin = one.id && (to.id === one.id ? to : to.querySelector(`#${CSS.escape(one.id)}`));
      if (twin) twin.open = one.open;
    }
    // So does what was typed.
    for (const one of from.querySelectorAll("input[id]:not([type=hidden]), textarea[id]")) {
      const twin = to.querySelector(`#${CSS.escape(one.id)}`);
      if (twin) twin.value = one.value;
    }
    const focused = document.activeElement;
    return focused && focused.id && from.contains(focused) ? focused.id : null;
  };

  const swap = ({ id, into, html }) => {
    const fresh = element(html);
    const old = document.getElementById(id);
    if (!fresh) return;
    if (old) {
      const focused = keep(old, fresh);
      // What has not changed is left alone, with the reader's place in it.
      if (fresh.isEqualNode(old)) return;
      const [x, y] = [old.scrollLeft, old.scrollTop];
      old.replaceWith(fresh);
      [fresh.scrollLeft, fresh.scrollTop] = [x, y];
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    } else if (into) {
      const place = document.getElementById(into);
      if (!place) return;
      const isAtEnd = place.scrollTop + place.clientHeight >= place.scrollHeight - 8;
      place.append(fresh);
      if (into === "lines") {
        while (place.children.length > LINES_MAX) place.firstElementChild.remove();
        if (isAtEnd) place.scrollTop = place.scrollHeight;
      }
    }
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
