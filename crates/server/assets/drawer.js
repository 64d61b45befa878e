// Opens a step beside the page instead of on a new one. Without it the same links do.
"use strict";

(() => {
  const place = document.getElementById("drawer-place");
  if (!place) return;
  // The link that the reader came from gets the focus back. Live parts replace elements, so its id.
  let from = null;
  let asked = 0;

  const mark = () => {
    const step = new URLSearchParams(location.search).get("step");
    for (const link of document.querySelectorAll("[data-step]")) {
      if (link.dataset.step === step) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    // On the way to other events, the step goes along.
    for (const link of document.querySelectorAll("[data-keys] a[href*='at=']")) {
      const address = new URL(link.getAttribute("href"), location);
      if (step === null) address.searchParams.delete("step");
      else address.searchParams.set("step", step);
      link.setAttribute("href", address.pathname + address.search);
    }
  };

  // What the address says is what is shown.
  const show = async (takesFocus) => {
    const turn = ++asked;
    const isOpen = new URLSearchParams(location.search).has("step");
    if (isOpen) {
      const answer = await fetch(`${location.pathname}/drawer${location.search}`).catch(() => null);
      // Somebody has gone on to another step meanwhile.
      if (turn !== asked) return;
      if (!answer?.ok) { location.reload(); return; }
      place.innerHTML = await answer.text();
    } else {
      place.replaceChildren();
    }
    if (turn !== asked) return;
    mark();
    dispatchEvent(new Event("step-chosen"));
    const lines = document.getElementById("drawer-lines");
    if (lines) lines.scrollTop = lines.scrollHeight;
    if (!takesFocus) return;
    const target = isOpen ? document.getElementById("drawer-title") : from && document.getElementById(from);
    target?.focus({ preventScroll: isOpen });
  };

  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-step], #drawer-close");
    const isOther = event.button || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
    if (!link || isOther) return;
    event.preventDefault();
    if (link.id && link.id !== "drawer-close") from = link.id;
    const address = new URL(link.getAttribute("href"), location);
    if (address.href !== location.href) history.pushState(null, "", address);
    show(true);
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) document.getElementById("drawer-close")?.click();
  });
  addEventListener("popstate", () => show(true));

  mark();
  // Live parts come without the mark.
  addEventListener("part-changed", mark);
  if (document.getElementById("drawer")) document.getElementById("drawer-title").focus({ preventScroll: true });
})();
