// Sorts and filters a table of networks; the chart above it fades what is left out.
"use strict";

const table = document.getElementById("overview");
if (table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];

  const value = (row, column, isNumber) => {
    const cell = row.cells[column];
    return isNumber ? Number(cell.dataset.value ?? NaN) : cell.textContent;
  };

  const compare = (a, b, isNumber) => (isNumber ? a - b : a.localeCompare(b, "en", { numeric: true }));

  // Ascending at first; rows without a value stay at the end.
  const sort = (column) => {
    const head = heads[column];
    const isNumber = head.dataset.kind === "number";
    const sign = head.ariaSort === "ascending" ? -1 : 1;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.ariaSort = sign > 0 ? "ascending" : "descending";
    const rows = [...body.rows].map((row) => [value(row, column, isNumber), row]);
    rows.sort(([a], [b]) => {
      const missing = Number.isNaN(a) - Number.isNaN(b);
      return missing || sign * compare(a, b, isNumber);
    });
    body.append(...rows.map(([, row]) => row));
  };

  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sort(column));
  });

  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    const gone = new Set();
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (row.hidden) gone.add(row.querySelector("a").getAttribute("href"));
    }
    for (const point of document.querySelectorAll(".chart a")) {
      point.classList.toggle("faint", gone.has(point.getAttribute("href")));
    }
  });
}
