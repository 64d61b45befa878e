// Keyboard shortcuts. `?` shows them; the list is in templates/parts/keys.html.
"use strict";

(() => {
  const help = document.getElementById("keys");
  if (!help) return;
  // How long `g` waits for what follows it.
  const PAUSE_MS = 1500;
  let pressedAt = -PAUSE_MS;

  const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]");
  const shown = (one) => one.offsetParent !== null;

  // Lists mark the link that stands for a row. The drawer's links are in none.
  const move = (by) => {
    const rows = [...document.querySelectorAll("[data-row]")].filter(shown);
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement);
    // Coming back from a drawer, the row of its step is where one was.
    const from = at >= 0 ? at : rows.findIndex((row) => row.getAttribute("aria-current") === "true");
    const next = from < 0 ? (by > 0 ? 0 : rows.length - 1) : from + by;
    rows[Math.min(Math.max(next, 0), rows.length - 1)].focus();
  };

  const open = (key) => {
    const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
    if (link) { link.click(); return true; }
    const part = document.querySelector(`[data-part="${CSS.escape(key)}"]`);
    if (!part) return false;
    part.scrollIntoView();
    part.focus({ preventScroll: true });
    return true;
  };

  const search = () => {
    // A list has a search of its own.
    const field = document.querySelector("main input[type=search]") ?? document.getElementById("find");
    if (field) { field.focus(); field.select(); } else location.href = "/search";
  };

  const SINGLE = {
    "?": () => help.showModal(),
    "/": search,
    j: () => move(1),
    k: () => move(-1),
  };

  addEventListener("keydown", (event) => {
    // `?` and `/` may need the shift key, so that one is left to the letter it makes.
    const isOther = event.altKey || event.ctrlKey || event.metaKey || event.isComposing;
    if (isOther || event.defaultPrevented || isTyping(event.target) || help.open) return;
    const isSecond = event.timeStamp - pressedAt < PAUSE_MS;
    pressedAt = -PAUSE_MS;
    if (isSecond && open(event.key)) { event.preventDefault(); return; }
    if (event.key === "g" && !isSecond) { pressedAt = event.timeStamp; return; }
    const act = SINGLE[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  // The arrow keys lead where the links to the event before and after lead.
  addEventListener("keydown", (event) => {
    const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const isOther = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || help.open;
    if (!rel || isOther || isTyping(event.target) || event.target.closest?.("pre, .graph-frame")) return;
    document.querySelector(`[data-keys] a[rel="${rel}"]`)?.click();
  });

  const button = document.getElementById("keys-button");
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());
  document.getElementById("keys-close").addEventListener("click", () => help.close());
  // A click beside the dialog is one on its backdrop, which is the dialog itself.
  help.addEventListener("click", (event) => { if (event.target === help) help.close(); });
})();
