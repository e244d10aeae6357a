"""Draw the same pictures as two runs left them: `python -m stages.commands.compare SPEC.json`.

SPEC.json names `a` and `b`, folders laid out as a project (data/dataset, data/masks and the results of the
rungs, as far as they are needed), the `thresholds` of both and in `results` the folders of data/ that hold
their rungs, by `rungs` the ids to draw, the longest `side` in pixels, and the folder `out`. That gets
RUNG/ID/NAME.webp, NAME being picture, truth, a.labels, b.labels, a.errors and b.errors. about.json says what
was left out, a reason by RUNG/ID, and what the colours mean.
"""

import filecmp
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.common import command
from stages.common.artifacts import read_json, read_mask, read_picture, write_atomic, write_json
from stages.common.drawing.colours import OBJECT, UNKNOWN_CSS, colour, css
from stages.common.drawing.sheet import ERRORS
from stages.common.drawing.tiles import tiles
from stages.common.labels import as_objects
from stages.common.pictures import load_pictures
from stages.evaluation.results import read_labels
from stages.evaluation.rungs import rung


@dataclass(frozen=True)
class Run:
    """One side: its folder, the place of each picture in it, and how its maps become labels."""

    folder: Path
    pictures: dict[str, Path]
    classes: tuple[str, ...]  # the background first
    threshold: float | None  # None: its parameters have none
    results: dict[str, str]  # the folder of data/ by rung

    def labels(self, name: str, identifier: str, size: tuple[int, ...]) -> np.ndarray:
        """Labels uint8 [H, W] of a rung; `size` is the picture's (height, width)."""
        if name not in self.results:
            raise ValueError(f"a side has no rung {name}")
        file = rung(self.results[name], self.folder).file(identifier)
        shown = file.relative_to(self.folder)
        if not file.is_file():
            raise ValueError(f"{shown} is missing")
        if self.threshold is None:
            raise ValueError("a side's parameters have no evaluation.threshold")
        found = read_labels(file, size, len(self.classes), self.threshold)
        if found.shape != size:
            raise ValueError(f"{shown} is of another size than the picture")
        return found

    def merged(self, name: str) -> bool:
        """Whether a rung tells object from ground alone."""
        return name in self.results and rung(self.results[name], self.folder).merged


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        raise ValueError("name one file: python -m stages.commands.compare SPEC.json")
    spec = read_json(Path(arguments[0]))
    a, b = (_open(Path(spec[n]), spec["thresholds"][n], spec["results"][n]) for n in ("a", "b"))
    left_out = {}
    for name, identifier in ((name, one) for name, ids in spec["rungs"].items() for one in ids):
        try:
            files = _draw(a, b, name, identifier, spec["side"])
        except (ValueError, OSError) as error:
            left_out[f"{name}/{identifier}"] = str(error)
            continue
        for tile, content in files.items():
            write_atomic(Path(spec["out"]) / name / identifier / f"{tile}.webp", content)
    classes = [(name, css(colour(index))) for index, name in enumerate(b.classes) if index]
    errors = [(name, css(shade)) for name, shade in ERRORS.items()]
    about = {"left_out": left_out, "errors": errors, "classes": [*classes, ("unknown", UNKNOWN_CSS)]}
    write_json(Path(spec["out"]) / "about.json", about)
    return 0


def _open(folder: Path, threshold: float | None, results: dict[str, str]) -> Run:
    known = load_pictures(folder / "data/dataset")
    return Run(folder, {p.id: p.path for p in known.all}, known.classes, threshold, results)


def _draw(a: Run, b: Run, name: str, identifier: str, side: int) -> dict[str, bytes]:
    """The tiles of one picture. ValueError if it is not the same on both sides, or something is missing."""
    if not (identifier in a.pictures and identifier in b.pictures):
        raise ValueError("a side's data set does not have it")
    mask = Path("data/masks") / f"{identifier}.png"
    _require_equal("picture", a.pictures[identifier], b.pictures[identifier])
    _require_equal("truth", a.folder / mask, b.folder / mask)
    picture, truth = read_picture(b.pictures[identifier]), read_mask(b.folder / mask)
    results = {one: run.labels(name, identifier, truth.shape) for one, run in (("a", a), ("b", b))}
    if a.merged(name) and b.merged(name):
        truth = as_objects(truth, OBJECT)
        results = {one: as_objects(labels, OBJECT) for one, labels in results.items()}
    return tiles(picture, truth, results, side)


def _require_equal(what: str, a: Path, b: Path) -> None:
    """A file of two runs: results on different ones are not to be set beside each other."""
    if not (a.is_file() and b.is_file()):
        raise ValueError(f"a side lacks its {what}")
    if not filecmp.cmp(a, b, shallow=False):
        raise ValueError(f"its {what} is another on the other side")


if __name__ == "__main__":
    command.run("stages.commands.compare")
