// What only makes sense where scripts run: times as they are said, with the exact one on hover, and
// buttons that copy an id. Who looks at a step closely sees its times as they are.
"use strict";

(() => {
  document.documentElement.classList.add("js");
  const AGAIN_MS = 20000;
  const UNITS = [[60, "s"], [60, "min"], [24, "h"], [30, "d"]];

  // `3 min ago`; what lies a month back or ahead is said exactly.
  const said = (millis) => {
    const isAhead = millis < 0;
    let amount = Math.abs(millis) / 1000;
    if (amount < 5) return "now";
    for (const [size, unit] of UNITS) {
      if (amount < size) {
        const text = `${Math.floor(amount)} ${unit}`;
        return isAhead ? `in ${text}` : `${text} ago`;
      }
      amount /= size;
    }
    return null;
  };

  const tell = () => {
    for (const time of document.querySelectorAll("main time[datetime]")) {
      // A line of a log stands beside others of the same second.
      if (time.closest(".line")) continue;
      const at = Date.parse(time.dateTime);
      if (Number.isNaN(at)) continue;
      const exact = `${time.dateTime.slice(0, 19).replace("T", " ")} UTC`;
      const text = said(Date.now() - at) ?? exact;
      if (time.title !== exact) time.title = exact;
      if (time.textContent !== text) time.textContent = text;
    }
  };
  tell();
  setInterval(tell, AGAIN_MS);
  addEventListener("part-changed", tell);

  addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const text = button.dataset.copy;
    // Pages that did not come over TLS have no clipboard, and a browser may refuse it.
    const isCopied = await Promise.resolve(navigator.clipboard?.writeText(text).then(() => true)).catch(() => false);
    if (!isCopied) {
      // The reader copies it then: it takes the place of the button, all of it chosen.
      const shown = document.createElement("code");
      shown.textContent = text;
      button.replaceWith(shown);
      getSelection().selectAllChildren(shown);
      return;
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
})();
