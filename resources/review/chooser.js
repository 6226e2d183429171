// Choosing a species by typing: every word typed must begin a word of its name or code.
const chooser = (function () {
  const dialog = document.getElementById("chooser");
  const typed = document.getElementById("typed");
  const list = document.getElementById("choices");
  let found = [];
  let place = 0;
  let done = null;

  function plain(text) {
    return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  }

  function fits(one, words) {
    const parts = plain(one.name + " " + one.code).split(/[^\p{L}\p{N}]+/u).concat(plain(one.code));
    return words.every(function (word) { return parts.some(function (part) { return part.startsWith(word); }); });
  }

  function mark() {
    Array.from(list.children).forEach(function (option, at) {
      option.setAttribute("aria-selected", at === place);
      if (at === place) { option.scrollIntoView({ block: "nearest" }); }
    });
    const chosen = list.children[place];
    if (chosen) { typed.setAttribute("aria-activedescendant", chosen.id); } else { typed.removeAttribute("aria-activedescendant"); }
  }

  function filter() {
    const words = plain(typed.value).split(/\s+/).filter(Boolean);
    found = data.species.filter(function (one) { return fits(one, words); });
    place = 0;
    list.replaceChildren(...found.map(function (one, at) {
      const option = document.createElement("li");
      option.id = "choice-" + at;
      option.setAttribute("role", "option");
      const name = document.createElement(one.italic ? "i" : "span");
      name.textContent = one.name;
      const code = document.createElement("small");
      code.textContent = " " + one.code;
      option.append(name, code);
      option.addEventListener("click", function () { place = at; take(); });
      return option;
    }));
    mark();
  }

  function take() {
    const chosen = found[place];
    if (!chosen) { return; }
    const call = done;
    done = null;
    dialog.close();
    call(chosen.code);
  }

  function ask(title, then) {
    document.getElementById("chooser-title").textContent = title;
    done = then;
    typed.value = "";
    filter();
    dialog.showModal();
    typed.focus();
  }

  typed.addEventListener("input", filter);
  typed.addEventListener("keydown", function (event) {
    const last = found.length - 1;
    if (event.key === "ArrowDown") { place = place >= last ? 0 : place + 1; }
    else if (event.key === "ArrowUp") { place = place <= 0 ? Math.max(0, last) : place - 1; }
    else if (event.key === "Enter") { event.preventDefault(); take(); return; }
    else { return; }
    event.preventDefault();
    mark();
  });
  document.getElementById("leave").addEventListener("click", function () { dialog.close(); });
  dialog.addEventListener("close", function () { done = null; document.dispatchEvent(new Event("chooser-closed")); });

  return { ask: ask, open: function () { return dialog.open; } };
})();
