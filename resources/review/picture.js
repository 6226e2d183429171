// The picture: an image file that shows a rectangle of the full image, boxes over it, and drawing a new one.
const picture = (function () {
  const NS = "http://www.w3.org/2000/svg";
  const LEAST = 4;  // pixels of the screen that a drawn box must have
  const stage = document.getElementById("stage");
  const canvas = document.getElementById("canvas");
  const image = document.getElementById("picture");
  const overlay = document.getElementById("overlay");
  const failed = document.getElementById("fault");
  let place = [0, 0, 1, 1];
  let zoom = 1;
  let hidden = false;
  let drawing = null;  // {box, done, leave, from}

  function make(name, attributes) {
    const element = document.createElementNS(NS, name);
    for (const key of Object.keys(attributes)) { element.setAttribute(key, attributes[key]); }
    return element;
  }

  function show(view, alt) {
    if (drawing) { drawing = null; }
    place = view.place;
    failed.hidden = !view.fault;
    failed.textContent = view.fault ? "The picture cannot be shown: " + view.fault : "";
    stage.hidden = Boolean(view.fault);
    image.alt = alt;
    if (image.getAttribute("src") !== view.file) { image.src = view.file; }
    overlay.setAttribute("viewBox", place.join(" "));
    fit();
    stage.scrollTo(0, 0);
  }

  // As large as the stage allows, times the zoom; small pictures are enlarged.
  function fit() {
    const high = Math.max(220, Math.min(window.innerHeight * 0.62, 760));
    const wide = stage.clientWidth || 600;
    const scale = Math.min(wide / place[2], high / place[3]) * zoom;
    canvas.style.width = place[2] * scale + "px";
    canvas.style.height = place[3] * scale + "px";
    return scale;
  }

  // boxes: [{box, kind, label}]; kind: current, other, accepted, rejected, unsure or added.
  function draw(boxes) {
    const scale = fit();
    overlay.replaceChildren();
    overlay.classList.toggle("off", hidden);
    for (const one of boxes) {
      const group = make("g", { class: one.kind });
      const at = { x: one.box[0], y: one.box[1], width: Math.max(0, one.box[2] - one.box[0]), height: Math.max(0, one.box[3] - one.box[1]) };
      group.append(make("rect", Object.assign({ class: "under" }, at)), make("rect", Object.assign({ class: "line" }, at)));
      if (one.label) {
        const size = 13 / scale;
        const above = at.y - place[1] > size * 1.4;
        const text = make("text", { x: Math.max(at.x, place[0]) + 2 / scale, y: above ? at.y - 4 / scale : at.y + size, "font-size": size, "stroke-width": 3 / scale });
        text.textContent = one.label;
        group.append(text);
      }
      overlay.append(group);
    }
    if (drawing && drawing.box) {
      const box = drawing.box;
      const at = { x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1] };
      const group = make("g", { class: "new" });
      group.append(make("rect", Object.assign({ class: "under" }, at)), make("rect", Object.assign({ class: "line" }, at)));
      overlay.append(group);
    }
  }

  function point(event) {
    const area = overlay.getBoundingClientRect();
    return [
      place[0] + Math.min(1, Math.max(0, (event.clientX - area.left) / area.width)) * place[2],
      place[1] + Math.min(1, Math.max(0, (event.clientY - area.top) / area.height)) * place[3],
    ];
  }

  function between(a, b) {
    return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
  }

  // Begin to draw: with the mouse a box between two corners, with keys a box that is moved and sized.
  function start(done, redraw) {
    const side = Math.min(place[2], place[3]) / 4;
    const x = place[0] + place[2] / 2, y = place[1] + place[3] / 2;
    drawing = { box: [x - side / 2, y - side / 2, x + side / 2, y + side / 2], done: done, redraw: redraw, from: null };
    stage.classList.add("drawing");
    stage.focus();
    redraw();
  }

  function stop() {
    const redraw = drawing && drawing.redraw;
    drawing = null;
    stage.classList.remove("drawing");
    if (redraw) { redraw(); }
  }

  function finish() {
    const box = drawing.box, done = drawing.done;
    stage.classList.remove("drawing");
    const scale = fit();
    if ((box[2] - box[0]) * scale < LEAST || (box[3] - box[1]) * scale < LEAST) { return false; }
    drawing = null;
    done(box.map(function (one) { return Math.round(one * 10) / 10; }));
    return true;
  }

  // Arrow keys move the new box, with Shift they size it, with Alt by little; true where the key was used.
  function key(event) {
    if (!drawing) { return false; }
    if (event.key === "Escape") { stop(); return true; }
    if (event.key === "Enter") { finish(); return true; }
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (!way) { return false; }
    const step = (event.altKey ? 1 : 10) / fit();
    const box = drawing.box;
    const dx = way[0] * step, dy = way[1] * step;
    const right = place[0] + place[2], bottom = place[1] + place[3];
    if (event.shiftKey) {
      box[2] = Math.min(right, Math.max(box[0] + step / 2, box[2] + dx));
      box[3] = Math.min(bottom, Math.max(box[1] + step / 2, box[3] + dy));
    } else {
      const mx = Math.min(right - box[2], Math.max(place[0] - box[0], dx));
      const my = Math.min(bottom - box[3], Math.max(place[1] - box[1], dy));
      drawing.box = [box[0] + mx, box[1] + my, box[2] + mx, box[3] + my];
    }
    drawing.redraw();
    return true;
  }

  overlay.addEventListener("pointerdown", function (event) {
    if (!drawing || event.button) { return; }
    event.preventDefault();
    overlay.setPointerCapture(event.pointerId);
    drawing.from = point(event);
  });
  overlay.addEventListener("pointermove", function (event) {
    if (!drawing || !drawing.from) { return; }
    drawing.box = between(drawing.from, point(event));
    drawing.redraw();
  });
  overlay.addEventListener("pointerup", function (event) {
    if (!drawing || !drawing.from) { return; }
    drawing.box = between(drawing.from, point(event));
    drawing.from = null;
    const redraw = drawing.redraw;
    // A mere click draws nothing: the box of the keyboard comes back.
    if (!finish()) { start(drawing.done, redraw); }
  });
  image.addEventListener("error", function () {
    failed.hidden = false;
    failed.textContent = "The picture " + image.getAttribute("src") + " is not there. Keep the page and its folder of pictures together.";
  });

  return {
    show: show, draw: draw, fit: fit, start: start, stop: stop, key: key, point: point, overlay: overlay, stage: stage,
    drawing: function () { return Boolean(drawing); },
    zoom: function (factor) { zoom = Math.min(8, Math.max(1, zoom * factor)); return zoom; },
    zoomed: function () { return zoom > 1; },
    unzoom: function () { zoom = 1; },
    toggle: function () { hidden = !hidden; return hidden; },
    place: function () { return place; },
  };
})();
