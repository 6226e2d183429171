"use strict";
// The dialog that shows pictures one by one. Arrow keys, Home, End and its buttons lead on; closing leads back to
// the picture in its list. items: function that gives what can be shown; tell: function that fills the dialog for an
// item and is told the next one; opener: selector of what has the focus in an item. Returns a function that opens
// the dialog at a place among the items.
const pictureViewer = function (viewer, items, tell, opener) {
  const count = viewer.querySelector("output");
  const steps = Array.from(viewer.querySelectorAll("[data-go]"));
  let place = 0;

  function look(at) {
    const shown = items();
    place = Math.max(0, Math.min(at, shown.length - 1));
    tell(shown[place], shown[place + 1]);
    count.textContent = (place + 1) + " of " + shown.length;
    // Not "disabled": a button that is, and has the focus, keeps the keyboard to itself.
    steps[0].setAttribute("aria-disabled", place === 0);
    steps[1].setAttribute("aria-disabled", place === shown.length - 1);
    if (!viewer.open) { viewer.showModal(); }
  }

  for (const button of steps) {
    button.addEventListener("click", function () { look(place + Number(button.dataset.go)); });
  }
  viewer.querySelector("[data-close]").addEventListener("click", function () { viewer.close(); });
  viewer.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) { return; }
    const goals = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: items().length - 1 };
    if (event.key in goals) { event.preventDefault(); look(goals[event.key]); }
  });
  viewer.addEventListener("close", function () {
    const item = items()[place];
    if (item) {
      item.scrollIntoView({ block: "center" });
      item.querySelector(opener).focus({ preventScroll: true });
    }
  });
  return look;
};
