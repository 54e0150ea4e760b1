// Arrow keys walk through the tasks; the bar of the row that has the focus is marked. Everything else needs no script.
"use strict";
const rows = Array.from(document.querySelectorAll("#tasks tbody tr"));
const bars = new Map(Array.from(document.querySelectorAll("svg .row"), (bar) => [bar.getAttribute("href").slice(1), bar]));
function mark(id, on) {
  const bar = bars.get(id);
  if (bar) bar.classList.toggle("on", on);
}
for (const row of rows) {
  row.addEventListener("focus", () => mark(row.id, true));
  row.addEventListener("blur", () => mark(row.id, false));
}
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const place = rows.indexOf(document.activeElement);
  if (!step || place < 0) return;
  const next = rows[place + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
});
for (const [id, bar] of bars) {
  bar.addEventListener("click", (event) => {
    const row = document.getElementById(id);
    event.preventDefault();
    row.scrollIntoView({ block: "center" });
    row.focus();
  });
}
