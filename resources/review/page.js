// The queue: what is looked at, what was decided, and what keys and buttons do.
(function () {
  const $ = function (id) { return document.getElementById(id); };
  const names = new Map(data.species.map(function (one) { return [one.code, one]; }));
  const byId = new Map();
  for (const image of Object.keys(data.boxes)) {
    for (const one of data.boxes[image]) { byId.set(one[0], { id: one[0], image: image, species: one[1], score: one[2], box: one.slice(3) }); }
  }
  const WORDS = { accept: "accepted", species: "another species", reject: "rejected", unsure: "unsure", add: "added", image_done: "searched" };
  const REASONS = { random: "drawn at random", image: "whole image, drawn at random", uncertain: "uncertain", rare: "rare in its sample" };
  let at = 0;
  let view = 0;
  let chosen = null;  // the box that a decision is about: a detection
  let state = store.standing();
  const seen = new Set();  // views of images that were looked at

  function item() { return data.items[at]; }
  function isImage() { return item().kind === "image"; }
  function decided(one) { return one.kind === "image" ? state.images.get(one.image) : state.detections.get(one.detection); }

  function fits(one) {
    const wanted = $("filter").value;
    if (wanted === "open") { return !decided(one); }
    if (wanted === "random") { return one.reason === "random"; }
    if (wanted === "image") { return one.kind === "image"; }
    if (wanted === "targeted") { return one.reason === "uncertain" || one.reason === "rare"; }
    return true;
  }

  function speciesName(code) {
    const one = names.get(code);
    const element = document.createElement(one && one.italic ? "i" : "span");
    element.textContent = one ? one.name : code;
    return element;
  }

  function say(text) { $("status").textContent = text; }

  function progress() {
    let done = 0, random = 0, ofRandom = 0;
    for (const one of data.items) {
      const yes = decided(one) ? 1 : 0;
      done += yes;
      if (one.reason === "random") { ofRandom += 1; random += yes; }
    }
    $("bar").value = done;
    const saved = store.unsaved() ? " · not yet saved to a file" : store.size() ? " · all saved to a file" : "";
    const lost = store.kept() ? "" : " · this browser keeps nothing: save often";
    $("told").textContent = done + " of " + data.items.length + " checked · " + random + " of " + ofRandom + " drawn at random" + saved + lost;
  }

  function fact(label, ...parts) {
    const term = document.createElement("dt"), value = document.createElement("dd");
    term.textContent = label;
    value.append(...parts);
    $("facts").append(term, value);
  }

  function answerOf(entry) {
    const parts = [WORDS[entry.action]];
    if (entry.species && entry.action !== "accept") { parts.push(": ", speciesName(entry.species)); }
    parts.push(" (" + entry.reviewer + ")");
    return parts;
  }

  function kindOf(entry) {
    if (!entry) { return "other"; }
    return { reject: "rejected", unsure: "unsure" }[entry.action] || "accepted";
  }

  function inView(box) {
    const p = picture.place();
    return box[0] < p[0] + p[2] && box[2] > p[0] && box[1] < p[1] + p[3] && box[3] > p[1];
  }

  function boxesHere() {
    return (data.boxes[item().image] || []).map(function (one) { return byId.get(one[0]); }).filter(function (one) { return inView(one.box); });
  }

  function addedHere() {
    return (state.added.get(item().image) || []).filter(function (entry) { return inView(entry.box); });
  }

  // Other boxes on the same place: an animal counts once, for one of them.
  function rivals(found) {
    return (data.boxes[found.image] || []).map(function (one) { return byId.get(one[0]); })
      .filter(function (one) { return one.id !== found.id && overlap(one.box, found.box) >= 0.5; })
      .sort(function (a, b) { return b.score - a.score; });
  }

  function redraw() {
    const current = isImage() ? chosen : item().detection;
    const drawn = boxesHere().map(function (one) {
      const entry = state.detections.get(one.id);
      const label = isImage() || one.id === current ? (entry && entry.species) || one.species : "";
      return { box: one.box, kind: (one.id === current ? "current " : "") + kindOf(entry), label: entry && entry.action === "reject" ? "✗ " + one.species : label };
    });
    drawn.sort(function (a, b) { return a.kind.startsWith("current") - b.kind.startsWith("current"); });
    picture.draw(drawn.concat(addedHere().map(function (entry) { return { box: entry.box, kind: "added", label: "+ " + entry.species }; })));
  }

  function listed() {
    const rows = [];
    for (const one of isImage() ? boxesHere() : []) {
      const row = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", one.id === chosen);
      button.append(speciesName(one.species), " " + one.score.toFixed(2));
      const entry = state.detections.get(one.id);
      if (entry) { button.append(" · ", ...answerOf(entry)); }
      button.addEventListener("click", function () { choose(one.id === chosen ? null : one.id); });
      button.dataset.box = one.id;
      row.append(button);
      rows.push(row);
    }
    for (const entry of addedHere()) {
      const row = document.createElement("li");
      row.append("added: ", speciesName(entry.species), " (" + entry.reviewer + ") ");
      if (entry.id) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = "Remove";
        button.setAttribute("aria-label", "Remove the added " + (names.get(entry.species) || { name: entry.species }).name);
        button.addEventListener("click", function () { store.remove(entry.id); fresh(); say("Removed."); $("decide").querySelector("[data-do=undo]").focus(); });
        row.append(button);
      }
      rows.push(row);
    }
    $("list").replaceChildren(...rows);
    $("list-title").hidden = $("list").hidden = rows.length === 0;
  }

  function fresh() {
    state = store.standing();
    const one = item();
    $("facts").replaceChildren();
    if (isImage()) {
      $("task").textContent = "Search the whole image for animals of the list that have no box.";
    } else {
      const found = byId.get(one.detection);
      $("task").replaceChildren("Is this ", speciesName(found.species), "?");
      fact("Detector says", speciesName(found.species), " (" + found.species + "), score " + found.score.toFixed(2));
    }
    const about = byId.get(isImage() ? chosen : one.detection);
    for (const rival of about ? rivals(about).slice(0, 3) : []) {
      const entry = state.detections.get(rival.id);
      fact("Box on the same place", speciesName(rival.species), " " + rival.score.toFixed(2), ...(entry ? [" · ", ...answerOf(entry)] : []),
        rival.score > about.score ? ": if it is the same animal, reject the present box" : ": if it is the same animal, it counts for the present box");
    }
    if (one.sample) { fact("Sample", one.sample); }
    fact("Image", one.image);
    fact("Why here", REASONS[one.reason] || one.reason);
    const entry = decided(one);
    $("answer").replaceChildren(...(entry ? ["✓ ", ...answerOf(entry)] : ["not decided yet"]));
    $("answer").classList.toggle("open", !entry);
    const target = Boolean(!isImage() || chosen);
    for (const name of ["accept", "species", "reject", "unsure"]) {
      $("decide").querySelector("[data-do=" + name + "]").setAttribute("aria-disabled", !target);
    }
    $("decide").querySelector("[data-do=done]").hidden = !isImage();
    listed();
    redraw();
    progress();
  }

  function look() {
    const one = item();
    const pictured = one.views[Math.min(view, one.views.length - 1)] || { file: "", place: [0, 0, 1, 1], fault: "the image could not be read" };
    $("title").textContent = (at + 1) + " of " + data.items.length + (isImage() ? ": whole image" : ": detection");
    $("goto").value = at + 1;
    picture.show(pictured, isImage() ? "Image " + one.image + ", view " + (view + 1) : "Detection with its surroundings, image " + one.image);
    if (isImage()) { seen.add(one.image + "\u0000" + view); }
    $("views").hidden = one.views.length < 2;
    $("view-told").textContent = "view " + (view + 1) + " of " + one.views.length;
    fresh();
    for (const next of data.items.slice(at + 1, at + 4)) {
      if (next.views[0]) { new Image().src = next.views[0].file; }
    }
  }

  function go(to) {
    if (to < 0 || to >= data.items.length) { say(to < 0 ? "This is the first one." : "This was the last one."); return; }
    at = to;
    view = 0;
    chosen = null;
    picture.unzoom();
    look();
  }

  function step(way) {
    for (let to = at + way; to >= 0 && to < data.items.length; to += way) {
      if (fits(data.items[to])) { go(to); return; }
    }
    say(way < 0 ? "There is none before." : "There is none after this one.");
  }

  function turn(way) {
    const to = view + way;
    if (to < 0 || to >= item().views.length) { return; }
    view = to;
    chosen = null;
    look();
  }

  function choose(id) {
    chosen = id;
    fresh();
    const button = Array.from($("list").querySelectorAll("button[data-box]")).find(function (one) { return one.dataset.box === id; });
    if (button) { button.focus(); }
  }

  function named() {
    if (store.reviewer()) { return true; }
    say("Write your name first: every decision says who made it.");
    $("reviewer").focus();
    return false;
  }

  function after(text) {
    const wasImage = isImage();
    fresh();
    say(text);
    if ($("advance").checked && !(wasImage && !state.images.get(item().image))) { step(1); }
  }

  function told(code) { return (names.get(code) || { name: code }).name; }

  function decide(action, code) {
    const id = isImage() ? chosen : item().detection;
    if (!id) { say("Choose a box in the list first, or draw a new one."); return; }
    if (!named()) { return; }
    const found = byId.get(id);
    if (action === "species" && code === found.species) { action = "accept"; }
    const species = action === "species" ? code : action === "accept" ? found.species : null;
    store.push(action, found.image, { detection: id, species: species });
    const text = told(found.species) + ": " + WORDS[action] + (action === "species" ? ", " + told(code) : "") + ".";
    if (isImage()) { fresh(); say(text); choose(chosen); } else { after(text); }
  }

  const actions = {
    accept: function () { decide("accept"); },
    reject: function () { decide("reject"); },
    unsure: function () { decide("unsure"); },
    species: function () {
      if (isImage() && !chosen) { say("Choose a box in the list first, or draw a new one."); return; }
      if (named()) { chooser.ask("Which species is it?", function (code) { decide("species", code); }); }
    },
    add: function () {
      if (!named()) { return; }
      if (picture.drawing()) { picture.stop(); return; }
      say("Draw a box with the mouse, or move it with the arrow keys (Shift: size, Alt: fine) and press Enter. Escape leaves.");
      const image = item().image;
      picture.start(function (box) {
        redraw();
        chooser.ask("Which species was missed?", function (code) {
          store.push("add", image, { species: code, box: box });
          fresh();
          say("Added: " + told(code) + ".");
        });
      }, redraw);
    },
    done: function () {
      if (!isImage() || !named()) { return; }
      const open = item().views.findIndex(function (_, number) { return !seen.has(item().image + "\u0000" + number); });
      if (open >= 0) {
        view = open;
        look();
        say("First look at every view: this is view " + (open + 1) + " of " + item().views.length + ".");
        return;
      }
      store.push("image_done", item().image, {});
      after("Image searched.");
    },
    undo: function () {
      const entry = store.undo();
      if (!entry) { say("There is nothing to take back."); return; }
      const place = data.items.findIndex(function (one) {
        return entry.detection ? one.detection === entry.detection : one.kind === "image" && one.image === entry.image;
      });
      if (place >= 0 && place !== at && !(isImage() && item().image === entry.image)) { go(place); } else { fresh(); }
      say("Taken back: " + WORDS[entry.action] + (entry.species ? ", " + told(entry.species) : "") + ".");
    },
    back: function () { step(-1); },
    on: function () { step(1); },
  };

  function zoom(factor) {
    picture.zoom(factor);
    redraw();
    const stage = picture.stage;
    const box = !isImage() ? byId.get(item().detection).box : chosen ? byId.get(chosen).box : null;
    const p = picture.place();
    const x = box ? ((box[0] + box[2]) / 2 - p[0]) / p[2] : 0.5, y = box ? ((box[1] + box[3]) / 2 - p[1]) / p[3] : 0.5;
    stage.scrollTo(x * stage.scrollWidth - stage.clientWidth / 2, y * stage.scrollHeight - stage.clientHeight / 2);
  }

  function save() {
    if (!store.size()) { say("There is no decision to save yet."); return; }
    const link = document.createElement("a");
    const who = store.reviewer().normalize("NFKD").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 40) || "reviewer";
    const moment = new Date().toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
    link.href = URL.createObjectURL(new Blob([store.text()], { type: "application/json" }));
    link.download = "decisions-" + data.survey.replace(/[^A-Za-z0-9_-]+/g, "-") + "-" + who + "-" + moment + ".json";
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
    store.saved();
    progress();
    say("Saved " + store.size() + " decisions as " + link.download + ".");
  }

  function hide() {
    $("hide").setAttribute("aria-pressed", picture.toggle());
    redraw();
  }

  const keys = {
    a: actions.accept, s: actions.species, r: actions.reject, u: actions.unsure, n: actions.add, d: actions.done, z: actions.undo,
    j: actions.on, k: actions.back, ArrowRight: actions.on, ArrowLeft: actions.back, b: hide,
    "+": function () { zoom(1.5); }, "=": function () { zoom(1.5); }, "-": function () { zoom(1 / 1.5); },
    "[": function () { turn(-1); }, "]": function () { turn(1); },
  };

  document.addEventListener("keydown", function (event) {
    if (chooser.open()) { return; }
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
      const key = event.key.toLowerCase();
      const typing = event.target.matches("input[type=text], input[type=number]");
      if (key === "s") { event.preventDefault(); save(); }
      if (key === "z" && !typing) { event.preventDefault(); actions.undo(); }
      return;
    }
    if (event.ctrlKey || event.metaKey) { return; }
    const typing = event.target.matches("input[type=text], input[type=number], select");
    if (picture.drawing() && !typing && !(event.key === "Enter" && event.target.matches("button, summary, a"))) {
      if (picture.key(event)) { event.preventDefault(); return; }
    }
    if (typing || event.altKey || !$("keys").checked) { return; }
    const arrow = event.key.startsWith("Arrow");
    if (arrow && (event.shiftKey || (picture.zoomed() && document.activeElement === picture.stage))) { return; }
    const call = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (call) { event.preventDefault(); call(); }
  });

  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", function () {
      if (button.getAttribute("aria-disabled") === "true") { say("Choose a box in the list first, or draw a new one."); return; }
      actions[button.dataset.do]();
    });
  }
  // A click on a box of a whole image chooses the smallest one there.
  picture.overlay.addEventListener("click", function (event) {
    if (!data.items.length || !isImage() || picture.drawing()) { return; }
    const p = picture.point(event);
    const under = boxesHere().filter(function (one) { return one.box[0] <= p[0] && p[0] <= one.box[2] && one.box[1] <= p[1] && p[1] <= one.box[3]; });
    under.sort(function (a, b) { return (a.box[2] - a.box[0]) * (a.box[3] - a.box[1]) - (b.box[2] - b.box[0]) * (b.box[3] - b.box[1]); });
    if (under.length) { choose(under[0].id); }
  });
  $("save").addEventListener("click", save);
  $("hide").addEventListener("click", hide);
  $("larger").addEventListener("click", function () { zoom(1.5); });
  $("smaller").addEventListener("click", function () { zoom(1 / 1.5); });
  $("view-back").addEventListener("click", function () { turn(-1); });
  $("view-on").addEventListener("click", function () { turn(1); });
  $("reviewer").value = store.reviewer();
  $("reviewer").addEventListener("input", function () { store.name($("reviewer").value); });
  $("reviewer").addEventListener("keydown", function (event) { if (event.key === "Enter") { event.preventDefault(); $("stage").focus(); } });
  $("who").addEventListener("submit", function (event) { event.preventDefault(); });
  $("goto").addEventListener("change", function () { const to = Math.round(Number($("goto").value)) - 1; if (to >= 0 && to < data.items.length) { go(to); } });
  $("filter").addEventListener("change", function () { if (!fits(item())) { step(1); } });
  $("open").addEventListener("change", function () {
    const file = $("open").files[0];
    $("open").value = "";
    if (!file) { return; }
    file.text().then(function (text) {
      const fresh_ = store.merge(text);
      $("reviewer").value = store.reviewer();
      if (data.items.length) { fresh(); }
      say(fresh_ + " decisions of " + file.name + " taken in.");
    }).catch(function (error) { say(error.message); });
  });
  window.addEventListener("beforeunload", function (event) { if (store.unsaved() && !store.kept()) { event.preventDefault(); } });
  window.addEventListener("resize", function () { if (data.items.length) { redraw(); } });

  if (!data.items.length) {
    $("nothing").hidden = false;
    $("item").hidden = true;
    $("told").textContent = "The queue is empty.";
    return;
  }
  const first = data.items.findIndex(function (one) { return !decided(one); });
  go(first < 0 ? 0 : first);
})();
