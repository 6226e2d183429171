"use strict";
// Decisions: the list of them in order, what follows for each box and image, and where they are kept.
const data = JSON.parse(document.getElementById("data").textContent);

// Intersection over union of two boxes.
function overlap(a, b) {
  const wide = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), high = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (wide <= 0 || high <= 0) { return 0; }
  const area = function (one) { return (one[2] - one[0]) * (one[3] - one[1]); };
  return wide * high / (area(a) + area(b) - wide * high);
}

const store = (function () {
  const FORMAT = "podura review decisions";
  const VERSION = 1;
  const PLACE = "podura-review/" + data.key;
  const ACTIONS = ["accept", "species", "reject", "unsure", "add", "image_done"];
  let log = [];
  let taken = [];  // what undo has still to take back: functions
  let reviewer = "";
  let unsaved = 0;
  let kept = true;  // whether the browser keeps decisions
  let serial = 0;

  function identity(entry) {
    return JSON.stringify([entry.action, entry.image, entry.detection, entry.species, entry.box, entry.reviewer, entry.decided_at]);
  }

  function keep() {
    try {
      localStorage.setItem(PLACE, JSON.stringify({ reviewer: reviewer, unsaved: unsaved, log: log.map(plain) }));
      kept = true;
    } catch (error) {
      kept = false;
    }
  }

  function plain(entry) {
    return {
      action: entry.action, image: entry.image, detection: entry.detection, species: entry.species,
      box: entry.box, reviewer: entry.reviewer, decided_at: entry.decided_at,
    };
  }

  function restore() {
    try {
      const found = JSON.parse(localStorage.getItem(PLACE) || "null");
      if (found && Array.isArray(found.log)) {
        reviewer = typeof found.reviewer === "string" ? found.reviewer : "";
        unsaved = Number(found.unsaved) || 0;
        log = found.log.filter(function (entry) { return fault(entry) === ""; }).map(numbered);
      }
    } catch (error) {
      kept = false;
    }
  }

  function numbered(entry) {
    serial += 1;
    return Object.assign(plain(entry), { id: serial });
  }

  // What is wrong with an entry of a file, in words; "" for a sound one.
  function fault(entry) {
    if (!entry || typeof entry !== "object") { return "it is no object"; }
    if (!ACTIONS.includes(entry.action)) { return "its action is unknown"; }
    for (const key of ["image", "reviewer", "decided_at"]) {
      if (typeof entry[key] !== "string" || !entry[key]) { return "'" + key + "' is missing"; }
    }
    const about = ["add", "image_done"].includes(entry.action);
    if (!about && typeof entry.detection !== "string") { return "'detection' is missing"; }
    if (["species", "add"].includes(entry.action) && typeof entry.species !== "string") { return "'species' is missing"; }
    const box = entry.box;
    const sound = Array.isArray(box) && box.length === 4 && box.every(Number.isFinite);
    return entry.action === "add" && !sound ? "'box' is missing" : "";
  }

  function now() {
    return new Date().toISOString().slice(0, 19) + "Z";
  }

  function push(action, image, more) {
    const entry = numbered(Object.assign(
      { action: action, image: image, detection: null, species: null, box: null, reviewer: reviewer, decided_at: now() }, more
    ));
    log.push(entry);
    taken.push(function () { log = log.filter(function (one) { return one.id !== entry.id; }); });
    unsaved += 1;
    keep();
    return entry;
  }

  function remove(id) {
    const place = log.findIndex(function (entry) { return entry.id === id; });
    if (place < 0) { return; }
    const entry = log[place];
    log.splice(place, 1);
    taken.push(function () { log.splice(place, 0, entry); });
    unsaved += 1;
    keep();
  }

  // Takes back the last decision or removal; after a reload the last decision. Returns what it was about.
  function undo() {
    const before = log.slice();
    if (taken.length) {
      taken.pop()();
    } else if (log.length) {
      log.pop();
    } else {
      return null;
    }
    unsaved += 1;
    keep();
    return before.find(function (one) { return !log.includes(one); }) || log.find(function (one) { return !before.includes(one); });
  }

  function text() {
    return JSON.stringify({
      format: FORMAT, version: VERSION, survey: data.survey, key: data.key, saved_at: now(), decisions: log.map(plain),
    }, null, 1) + "\n";
  }

  // Takes in a saved file beside what is there; returns how many decisions were new. Throws what is wrong.
  function merge(given) {
    let document;
    try {
      document = JSON.parse(given);
    } catch (error) {
      throw new Error("This is no file of decisions: it is not JSON.");
    }
    if (!document || document.format !== FORMAT || !Array.isArray(document.decisions)) {
      throw new Error("This is no file of decisions that a review page saved.");
    }
    if (document.version !== VERSION) { throw new Error("The file was saved by another version of Podura."); }
    if (document.key !== data.key) { throw new Error("The file belongs to another survey: " + String(document.survey).slice(0, 80) + "."); }
    document.decisions.forEach(function (entry, place) {
      const wrong = fault(entry);
      if (wrong) { throw new Error("Decision " + (place + 1) + " of the file: " + wrong + ". Nothing was taken in."); }
    });
    const known = new Set(log.map(identity));
    const fresh = document.decisions.filter(function (entry) { return !known.has(identity(plain(entry))); }).map(numbered);
    log = log.concat(fresh);
    log.sort(function (a, b) { return a.decided_at < b.decided_at ? -1 : a.decided_at > b.decided_at ? 1 : a.id - b.id; });
    taken = [];
    if (!reviewer && log.length) { reviewer = log[log.length - 1].reviewer; }
    keep();
    return fresh.length;
  }

  // Whether an animal added in an earlier run stands in the list here as well: the run took in what was saved here.
  function again(entry) {
    return entry.action === "add" && log.some(function (one) {
      return one.action === "add" && one.image === entry.image && one.reviewer === entry.reviewer && overlap(one.box, entry.box) >= 0.5;
    });
  }

  // Decisions that count: those of earlier runs, then those made here, the later ones winning.
  function standing() {
    const found = { detections: new Map(), images: new Map(), added: new Map() };
    for (const entry of data.earlier.filter(function (one) { return !again(one); }).concat(log)) {
      if (entry.action === "add") {
        if (!found.added.has(entry.image)) { found.added.set(entry.image, []); }
        found.added.get(entry.image).push(entry);
      } else if (entry.detection) {
        found.detections.set(entry.detection, entry);
      } else {
        found.images.set(entry.image, entry);
      }
    }
    return found;
  }

  restore();
  return {
    push: push, remove: remove, undo: undo, text: text, merge: merge, standing: standing,
    reviewer: function () { return reviewer; },
    name: function (given) { reviewer = given.trim(); keep(); },
    unsaved: function () { return unsaved; },
    saved: function () { unsaved = 0; keep(); },
    kept: function () { return kept; },
    size: function () { return log.length; },
  };
})();
