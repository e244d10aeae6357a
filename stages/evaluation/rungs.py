"""The rungs of the ladder: what is scored, by name, in the order of params.yaml, `evaluation.rungs`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stages.common.params import check, read_yaml
from stages.common.pictures import Pictures
from stages.evaluation.names import OBJECTS
from stages.evaluation.params import Rungs

REPORTS = Path("reports")
SCORES = REPORTS / "rungs"  # a folder for each rung
MAPS, LABELS = ".npz", ".png"


class Rung(NamedTuple):
    folder: Path  # of the results, one file per picture
    maps: bool  # attribution maps (.npz) that a threshold turns into labels, or labels (.png)
    merged: bool = False  # whether they tell object from ground alone

    def file(self, identifier: str) -> Path:
        return self.folder / (identifier + (MAPS if self.maps else LABELS))

    def classes(self, own: tuple[str, ...]) -> tuple[str, ...]:
        """What it is scored in: the data set's `own`, or object and ground."""
        return OBJECTS if self.merged else own


def rung(folder: str, root: Path = Path()) -> Rung:
    """Of a folder of data/, as `evaluation.rungs` names it: of maps if a file there is one.

    ValueError for a folder with classes of its own that are not object and ground.
    """
    place = root / "data" / folder
    own = place / "classes.json"
    merged = own.is_file()
    if merged and tuple(json.loads(own.read_text())) != OBJECTS:
        raise ValueError(f"{own}: must hold {' and '.join(OBJECTS)}, or not be there")
    return Rung(place, any(place.glob(f"*{MAPS}")), merged)


def of_recipe() -> dict[str, str]:
    """The folders of data/ that are scored, by rung, in order. ParameterError for a section without them."""
    section = read_yaml(Path("params.yaml")).get("evaluation")
    values = {"rungs": section.get("rungs")} if isinstance(section, Mapping) else {}
    return check(Rungs, values, "params.yaml, section evaluation").rungs


def split_of(name: str, found: Rung, pictures: Pictures) -> str:
    """The split whose pictures a rung has results of. ValueError for none, and for pictures of two splits."""
    there = {path.stem for path in found.folder.glob(f"*{MAPS if found.maps else LABELS}")}
    splits = sorted({picture.split for picture in pictures.all if picture.id in there})
    if len(splits) == 1:
        return splits[0]
    if not splits:
        raise ValueError(f"rung {name}: {found.folder} holds no result of a picture of data/dataset")
    raise ValueError(f"rung {name}: {found.folder} holds results of {' and '.join(splits)}: a rung is of one")
