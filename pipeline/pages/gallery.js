"use strict";

// The gallery's filters: which pictures, in which order, and whether errors or labels are shown.
{
  const filters = document.getElementById("filters");
  const place = document.getElementById("pictures");
  const pictures = [...place.children];
  const change = (picture) => picture.dataset.last - picture.dataset.first;
  const orders = {
    "worst": (a, b) => a.dataset.last - b.dataset.last,
    "most improved": (a, b) => change(b) - change(a),
    "most damaged": (a, b) => change(a) - change(b),
  };
  const has = (list, name) => name === "" || list.split(";").includes(name);

  function show() {
    const [split, name, kind, view] = ["split", "class", "kind", "view"].map((key) => filters.querySelector(`[name=${key}]`).value);
    const chosen = pictures.filter(({ dataset }) =>
      (split === "" || dataset.split === split) && has(dataset.labels, name) && has(dataset.chosen, kind));
    for (const picture of pictures) picture.hidden = !chosen.includes(picture);
    place.append(...(orders[kind] ? [...chosen].sort(orders[kind]) : pictures));
    for (const tile of place.querySelectorAll("img[data-view]")) {
      const alone = tile.parentNode.querySelectorAll("img").length === 1;
      tile.hidden = !alone && tile.dataset.view !== view;
    }
    document.getElementById("legend").hidden = view !== "errors";
    document.getElementById("shown").textContent = `${chosen.length} of ${pictures.length} pictures`;
  }

  filters.addEventListener("change", show);
  show();
}
