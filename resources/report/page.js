"use strict";
// Sorting and filtering of tables, tabs, and the galleries of errors. Without this script the page shows
// every row in the order of the species list, and everything that stands in tabs one after the other.
(function () {
  const all = function (selector, within) { return Array.from((within || document).querySelectorAll(selector)); };

  function sortable(table) {
    const body = table.tBodies[0];
    const heads = Array.from(table.tHead.rows[0].cells);
    function sortBy(column, ascending) {
      const sign = ascending ? 1 : -1;
      const rows = Array.from(body.rows);
      const keys = new Map(rows.map(function (row) {
        const cell = row.cells[column];
        const number = cell.dataset.value;
        return [row, number === undefined ? cell.textContent.trim() : Number(number)];
      }));
      const missing = function (key) { return key === "–"; };
      const compare = new Intl.Collator("en").compare;
      rows.sort(function (a, b) {
        const x = keys.get(a), y = keys.get(b);
        // Missing values stand last in both directions: they are neither low nor high.
        if (missing(x) || missing(y)) { return missing(x) - missing(y); }
        if (typeof x === "number" && typeof y === "number") { return sign * (x - y); }
        return sign * compare(String(x), String(y));
      });
      body.append(...rows);
    }
    heads.forEach(function (head, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", function () {
        const ascending = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) { other.removeAttribute("aria-sort"); }
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        sortBy(column, ascending);
      });
    });
  }
  all("table.sortable").forEach(sortable);

  // A form with a choice for each fact (data-filter) hides the items whose fact (data-…) is another.
  function filtered(form, items, noun, after) {
    const said = form.querySelector("output");
    function filter() {
      const wanted = all("select", form).map(function (select) { return [select.dataset.filter, select.value]; });
      let shown = 0;
      for (const item of items) {
        item.hidden = wanted.some(function ([name, value]) { return value && item.dataset[name] !== value; });
        shown += item.hidden ? 0 : 1;
      }
      said.textContent = shown + " of " + items.length + " " + noun;
      if (after) { after(); }
    }
    form.hidden = false;
    form.addEventListener("change", filter);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    form.addEventListener("reset", function (event) {
      // "Show all" is everything, also where the page began with one detector.
      event.preventDefault();
      for (const select of all("select", form)) { select.value = ""; }
      filter();
    });
    filter();
  }
  for (const form of all("form[data-table]")) {
    const table = document.getElementById(form.dataset.table);
    filtered(form, Array.from(table.tBodies[0].rows), "rows");
  }

  // Tabs as the ARIA practices have them: arrows move, Home and End lead to the first and the last.
  all(".tabs").forEach(function (box, number) {
    const panels = all(":scope > [data-tab]", box);
    if (panels.length < 2) { return; }
    const list = document.createElement("div");
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", box.dataset.label);
    const tabs = panels.map(function (panel, place) {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.id = "tab-" + number + "-" + place;
      tab.textContent = panel.dataset.tab;
      tab.setAttribute("role", "tab");
      panel.id = panel.id || "panel-" + number + "-" + place;
      tab.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      panel.removeAttribute("aria-label");
      panel.setAttribute("aria-labelledby", tab.id);
      tab.addEventListener("click", function () { choose(place); });
      list.append(tab);
      return tab;
    });
    function choose(chosen) {
      tabs.forEach(function (tab, place) {
        tab.setAttribute("aria-selected", place === chosen);
        tab.tabIndex = place === chosen ? 0 : -1;
        panels[place].hidden = place !== chosen;
      });
    }
    list.addEventListener("keydown", function (event) {
      const here = tabs.indexOf(document.activeElement), last = tabs.length - 1;
      const goals = { ArrowLeft: here ? here - 1 : last, ArrowRight: here < last ? here + 1 : 0, Home: 0, End: last };
      if (here < 0 || !(event.key in goals) || event.ctrlKey || event.metaKey || event.altKey) { return; }
      event.preventDefault();
      choose(goals[event.key]);
      tabs[goals[event.key]].focus();
    });
    box.prepend(list);
    choose(0);
  });

  const viewer = document.getElementById("viewer");
  if (viewer) {
    const picture = viewer.querySelector("img");
    let shown = [];
    const look = pictureViewer(viewer, function () { return shown; }, function (item) {
      const caption = item.querySelector("figcaption");
      picture.src = item.querySelector("img").src;
      picture.alt = item.querySelector("img").alt;
      const title = caption.cloneNode(true);
      title.querySelector("small").remove();
      viewer.querySelector("h2").replaceChildren(...title.childNodes);
      viewer.querySelector(".said").textContent = caption.querySelector("small").textContent;
    }, "button");
    for (const gallery of all(".gallery")) {
      const items = all(".crops > li", gallery);
      const groups = all(".kind-group", gallery);
      filtered(gallery.querySelector("form"), items, "pictures", function () {
        for (const group of groups) { group.hidden = !group.querySelector("li:not([hidden])"); }
      });
      gallery.addEventListener("click", function (event) {
        const button = event.target.closest(".crops button");
        if (!button) { return; }
        shown = items.filter(function (item) { return !item.hidden; });
        look(shown.indexOf(button.closest("li")));
      });
    }
  }

  // A printed page shows what is folded away, and pictures that were not yet scrolled to.
  window.addEventListener("beforeprint", function () {
    for (const details of all("details")) { details.open = true; }
    for (const image of all("img[loading]")) { image.loading = "eager"; }
  });
})();
