"use strict";
// Filters and the viewer of a contact sheet. Without this script each thumbnail links to its picture.
(function () {
  const form = document.querySelector(".filters");
  const said = form.querySelector("output");
  const empty = document.querySelector(".empty");
  const controls = Array.from(form.querySelectorAll("[data-facet]"));
  const groups = Array.from(document.querySelectorAll(".group"), function (element) {
    return { element: element, items: Array.from(element.querySelectorAll("li[id]")) };
  });
  const facts = new Map();
  for (const group of groups) {
    const slide = group.element.querySelector("h2");
    for (const item of group.items) {
      const told = { name: item.querySelector("b").textContent + " " + (slide ? slide.firstChild.textContent : "") };
      told.name = told.name.toLowerCase();
      for (const key of ["species", "part", "site", "kind"]) {
        told[key] = item.dataset[key] ? item.dataset[key].split(" ") : [];
      }
      facts.set(item, told);
    }
  }
  let shown = Array.from(facts.keys());

  function fits(told, key, value) {
    if (key === "name") { return told.name.includes(value.trim().toLowerCase()); }
    if (value === "any") { return told[key].length > 0; }
    if (value === "none") { return told[key].length === 0; }
    return told[key].includes(value);
  }

  function filter() {
    const wanted = controls.filter(function (control) { return control.value; });
    shown = [];
    for (const group of groups) {
      let some = false;
      for (const item of group.items) {
        const told = facts.get(item);
        item.hidden = !wanted.every(function (control) { return fits(told, control.dataset.facet, control.value); });
        if (!item.hidden) { shown.push(item); some = true; }
      }
      group.element.hidden = !some;
    }
    said.textContent = shown.length + " of " + facts.size + " images";
    empty.hidden = shown.length > 0;
  }

  const viewer = document.getElementById("viewer");
  const picture = viewer.querySelector("img");
  const alone = viewer.querySelector(".bar a");
  const about = viewer.querySelector(".said");
  const look = pictureViewer(viewer, function () { return shown; }, function (item, next) {
    const told = item.querySelector(".told");
    const faults = item.querySelector(".faults");
    picture.src = item.querySelector("a").href;
    picture.alt = told.textContent.trim();
    alone.href = picture.src;
    viewer.querySelector("h2").textContent = told.querySelector("b").textContent;
    about.replaceChildren(told.cloneNode(true));
    if (faults) {
      const list = faults.cloneNode(true);
      list.hidden = false;
      about.append(list);
    }
    history.replaceState(null, "", "#" + item.id);
    viewer.scrollTop = 0;
    if (next) { new Image().src = next.querySelector("a").href; }
  }, "a");

  document.getElementById("pictures").addEventListener("click", function (event) {
    const link = event.target.closest("li > a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) { return; }
    event.preventDefault();
    look(shown.indexOf(link.parentElement));
  });

  // An address may name a picture (#i-…), a group (#s-…) or a filter (#kind=3).
  function follow() {
    const hash = decodeURIComponent(location.hash.slice(1));
    const item = hash && document.getElementById(hash);
    if (item && facts.has(item)) {
      if (item.hidden) { form.reset(); filter(); }
      look(shown.indexOf(item));
      return;
    }
    if (!hash.includes("=")) { return; }
    const asked = new URLSearchParams(hash);
    for (const control of controls) { control.value = asked.get(control.dataset.facet) || ""; }
    filter();
  }

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("reset", function () { setTimeout(filter); });
  filter();
  follow();
  window.addEventListener("hashchange", follow);
  // A printed sheet has the pictures that were not yet scrolled to.
  window.addEventListener("beforeprint", function () {
    for (const item of shown.slice(0, 400)) { item.querySelector("img").loading = "eager"; }
  });
})();
