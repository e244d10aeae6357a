"use strict";

// The gallery's filters: which pictures, in which order, and whether errors or labels are shown. Of many
// pictures the first few are shown until somebody asks for all.
{
  const filters = document.getElementById("filters");
  const place = document.getElementById("pictures");
  const more = document.getElementById("more");
  const pictures = [...place.children];
  let folded = Number(more.dataset.folded);
  const NONE = ";";  // what no name holds: pictures without any class
  const change = (picture) => picture.dataset.last - picture.dataset.first;
  const orders = {
    "worst": (a, b) => a.dataset.last - b.dataset.last,
    "most improved": (a, b) => change(b) - change(a),
    "most damaged": (a, b) => change(a) - change(b),
  };
  const has = (list, name) => name === "" || (name === NONE ? list === "" : list.split(";").includes(name));
  const value = (key, none) => filters.querySelector(`[name=${key}]`)?.value ?? none;

  function show() {
    const [split, name, kind] = ["split", "class", "kind"].map((key) => value(key, ""));
    const view = value("view", "labels");
    const chosen = pictures.filter(({ dataset }) =>
      (split === "" || dataset.split === split) && has(dataset.labels, name) && has(dataset.chosen, kind));
    if (orders[kind]) chosen.sort(orders[kind]);
    const shown = new Set(chosen.slice(0, folded));
    for (const picture of pictures) picture.hidden = !shown.has(picture);
    place.append(...(orders[kind] ? chosen : pictures));
    for (const tile of place.querySelectorAll("img[data-view]")) {
      const alone = tile.parentNode.querySelectorAll("img").length === 1;
      tile.hidden = !alone && tile.dataset.view !== view;
    }
    for (const legend of document.querySelectorAll(".legend[data-view=errors]")) legend.hidden = view !== "errors";
    document.getElementById("shown").textContent = `${shown.size} of ${chosen.length} pictures`;
    more.textContent = `show all ${chosen.length}`;
    more.hidden = shown.size === chosen.length;
  }

  filters.addEventListener("change", show);
  more.addEventListener("click", () => { folded = Infinity; show(); });
  show();
}
