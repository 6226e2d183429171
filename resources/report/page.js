"use strict";
// Sorting and filtering of the table of species. Without this script the page shows every row in
// the order of the species list.
(function () {
  const table = document.getElementById("species-table");
  const body = table.tBodies[0];
  const form = document.querySelector(".filters");
  const said = form.querySelector("output");
  const rows = Array.from(body.rows);

  function sortBy(column, ascending) {
    const sign = ascending ? 1 : -1;
    const keys = new Map(rows.map(function (row) {
      const cell = row.cells[column];
      const number = cell.dataset.value;
      return [row, number === undefined ? cell.textContent.trim() : Number(number)];
    }));
    const missing = function (key) { return key === "–"; };
    const sorted = rows.slice().sort(function (a, b) {
      const x = keys.get(a), y = keys.get(b);
      // Missing values stand last in both directions: they are neither low nor high.
      if (missing(x) || missing(y)) { return missing(x) - missing(y); }
      if (typeof x === "number" && typeof y === "number") { return sign * (x - y); }
      return sign * String(x).localeCompare(String(y));
    });
    body.append(...sorted);
  }

  Array.from(table.tHead.rows[0].cells).forEach(function (head, column) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", function () {
      const ascending = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) { other.removeAttribute("aria-sort"); }
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortBy(column, ascending);
    });
  });

  function filter() {
    const wanted = Array.from(form.querySelectorAll("select"), function (select) {
      return [select.dataset.filter, select.value];
    });
    let shown = 0;
    for (const row of rows) {
      row.hidden = wanted.some(function ([name, value]) { return value && row.dataset[name] !== value; });
      shown += row.hidden ? 0 : 1;
    }
    said.textContent = shown + " of " + rows.length + " rows";
  }
  form.hidden = false;
  form.addEventListener("change", filter);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  filter();

  // A printed page shows what is folded away on the screen.
  window.addEventListener("beforeprint", function () {
    for (const details of document.querySelectorAll("details")) { details.open = true; }
  });
})();
