"use strict";
// Tables, to sort: by a click on the head of a column, or Enter on it. Without JavaScript they stay
// as they were written.

// Where rows come from before anything is sorted: a third click goes back to it.
function sortable(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headers = table.tHead ? [...table.tHead.rows[0].cells] : [];
  if (rows.length < 2) return;
  headers.forEach((header, column) => {
    if (!header.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const order = next(header.getAttribute("aria-sort"), startsDown(rows, column));
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      if (order) header.setAttribute("aria-sort", order);
      body.append(...(order ? sorted(rows, column, order) : rows));
    });
  });
}

// Figures are looked at from the highest, names from A.
function startsDown(rows, column) {
  return rows.some((row) => number(text(row, column)) !== null);
}

function next(order, down) {
  const [first, second] = down ? ["descending", "ascending"] : ["ascending", "descending"];
  return { [first]: second, [second]: null }[order] ?? (order ? null : first);
}

function text(row, column) {
  return row.cells[column] ? row.cells[column].textContent.trim() : "";
}

// The figure that a cell begins with: 1,234; 0.91 +- 0.02; +0.8; 12 s.
function number(cell) {
  const found = cell.replace("\u2212", "-").match(/^[+-]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?/i);
  return found ? Number(found[0].replaceAll(",", "")) : null;
}

// Empty cells stay last, whichever way one sorts.
function sorted(rows, column, order) {
  const turn = order === "ascending" ? 1 : -1;
  const keyed = rows.map((row) => ({ row, text: text(row, column) }));
  keyed.forEach((each) => { each.number = number(each.text); });
  keyed.sort((a, b) => {
    if (!a.text || !b.text) return Boolean(b.text) - Boolean(a.text);
    if (a.number !== null && b.number !== null) return turn * (a.number - b.number);
    return turn * a.text.localeCompare(b.text, undefined, { numeric: true });
  });
  return keyed.map((each) => each.row);
}

document.querySelectorAll("table").forEach(sortable);
