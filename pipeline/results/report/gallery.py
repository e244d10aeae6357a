"""The gallery of the report page: the same pictures through every rung, as the stage `gallery` drew them."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.project.tables import read_csv
from pipeline.results.pages import data_uri
from stages.common.drawing.colours import OBJECT, UNKNOWN_CSS, colour, css

ERRORS = {  # as stages/common/drawing/sheet.py draws them
    "marked, but background": "#ff9f1c",
    "missed": "#2e78e6",
    "wrong class": "#d628a0",
    "left unknown": "#78dcd7",
    "void (not scored)": "repeating-linear-gradient(45deg, #ecece6 0 2px, #969692 2px 4px)",
}
FOLDED = 12  # pictures that are shown until somebody asks for all
KINDS = ("sample", "worst", "most improved", "most damaged")


def read(folder: Path, rungs: list[str], classes: list[str], merged: Collection[str] = ()) -> dict[str, Any]:
    """The pictures with their tiles as data URIs, names to filter by, and colours; empty if there is none.

    `classes` are the data set's, the background first; `merged` names the rungs that tell object from ground.
    """
    pictures = _pictures(folder, rungs)
    objects = [found] if (found := [rung for rung in rungs if rung in merged]) else []
    return {
        "pictures": _mixed(pictures),
        "folded": FOLDED,
        "rungs": [rung for rung in rungs if any(rung == one["name"] for p in pictures for one in p["rungs"])],
        "classes": sorted({name for picture in pictures for name in picture["labels"]}),
        "negatives": any(not picture["labels"] for picture in pictures),
        "splits": list(dict.fromkeys(picture["split"] for picture in pictures)),
        "kinds": [kind for kind in KINDS if any(kind in picture["chosen"] for picture in pictures)],
        "errors": ERRORS if any(rung["errors"] for p in pictures for rung in p["rungs"]) else {},
        "colours": {name: css(colour(index)) for index, name in enumerate(classes) if index}
        | {f"object, of any class ({', '.join(rungs_of)})": css(colour(OBJECT)) for rungs_of in objects}
        | {"no class (void, unknown)": UNKNOWN_CSS},
    }


def _mixed(pictures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first FOLDED show all splits alike; the others follow in their order."""
    splits = list(dict.fromkeys(picture["split"] for picture in pictures))
    first = [
        picture
        for split in splits
        for picture in [one for one in pictures if one["split"] == split][: FOLDED // len(splits)]
    ]
    return first + [picture for picture in pictures if picture not in first]


def _pictures(folder: Path, rungs: list[str]) -> list[dict[str, Any]]:
    """By split and id, each with what all rungs of its split made of it."""
    found: dict[str, dict[str, Any]] = {}
    for rung in rungs:
        for row in read_csv(folder / rung / "tiles" / "index.csv"):
            place = folder / rung / "tiles" / row["id"]
            picture = found.setdefault(row["id"], _picture(place, row))
            picture["rungs"].append(
                {"name": rung, "miou": row["miou"], "labels": _uri(place / "labels.webp"),
                 "errors": _uri(place / "errors.webp")}
            )  # fmt: skip
    return list(found.values())


def _picture(place: Path, row: dict[str, str]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "split": row["split"],
        "shape": f"{row['width']} / {row['height']}",  # known before a tile is drawn: nothing jumps
        "labels": [name for name in row["labels"].split(";") if name],
        "chosen": row["chosen"].split(";"),
        "plain": {name: _uri(place / f"{name}.webp") for name in ("picture", "truth")},
        "rungs": [],
    }


def _uri(path: Path) -> str:
    return data_uri(path) if path.is_file() else ""
