"use strict";

// Tables of class "sortable": a click on a header sorts by it, a second one turns the order round.
// A cell's data-value, if it has one, is what counts; cells without anything stay at the end.
function key(row, column) {
  const cell = row.cells[column];
  const text = (cell.dataset.value ?? cell.textContent).trim();
  const number = Number(text.replace("\u2212", "-").replace("%", ""));
  return text === "" ? null : Number.isNaN(number) ? text : number;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function sort(header) {
  const table = header.closest("table");
  const body = table.tBodies[0];
  const down = header.getAttribute("aria-sort") !== "descending";
  const rows = [...body.rows].map((row) => [key(row, header.cellIndex), row]);
  const full = rows.filter(([value]) => value !== null).sort(([a], [b]) => compare(a, b));
  if (down) full.reverse();
  body.append(...full.map(([, row]) => row), ...rows.filter(([value]) => value === null).map(([, row]) => row));
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
}

for (const header of document.querySelectorAll("table.sortable th")) {
  header.tabIndex = 0;
  header.addEventListener("click", () => sort(header));
  header.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      sort(header);
    }
  });
}

// A table that is wider than its place says so, since a phone shows no scroll bar.
const places = new ResizeObserver((entries) => {
  for (const { target } of entries) target.classList.toggle("scrolls", target.scrollWidth > target.clientWidth + 8);
});
for (const place of document.querySelectorAll(".wide")) places.observe(place);

// A button of class "copy" copies the text that follows it; a page opened as a file may lack the clipboard.
async function copy(button) {
  const text = button.nextElementSibling;
  getSelection().selectAllChildren(text);
  const done = await navigator.clipboard?.writeText(text.textContent).then(() => true, () => false);
  button.textContent = done || document.execCommand("copy") ? "copied" : "selected: press Ctrl-C";
}

for (const button of document.querySelectorAll("button.copy")) button.addEventListener("click", () => copy(button));
