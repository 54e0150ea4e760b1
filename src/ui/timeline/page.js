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
// A page in a window without the focus gets no focus events; the mark moves all the same.
function go(row) {
  if (document.activeElement) mark(document.activeElement.id, false);
  row.focus();
  mark(row.id, true);
}
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const place = rows.indexOf(document.activeElement);
  if (!step || place < 0) return;
  const next = rows[place + step];
  if (next) {
    event.preventDefault();
    go(next);
  }
});
for (const [id, bar] of bars) {
  bar.addEventListener("click", (event) => {
    const row = document.getElementById(id);
    event.preventDefault();
    row.scrollIntoView({ block: "center" });
    go(row);
  });
}
