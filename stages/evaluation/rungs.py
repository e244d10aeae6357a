"""The rungs of the ladder: what is scored, by name, in the order of params.yaml, `evaluation.rungs`."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stages.common.params import check, read_yaml
from stages.common.pictures import Pictures
from stages.evaluation.params import Rungs

REPORTS = Path("reports")
SCORES = REPORTS / "rungs"  # a folder for each rung
SUFFIXES = (".npz", ".png")  # attribution maps, which a threshold turns into labels, and labels


class Rung(NamedTuple):
    folder: Path  # of the results, one file per picture

    def file(self, identifier: str, root: Path = Path()) -> Path:
        """The result of a picture: maps where they lie there, else labels, there or not."""
        maps, labels = (root / self.folder / f"{identifier}{suffix}" for suffix in SUFFIXES)
        return maps if maps.is_file() else labels

    def holds_maps(self) -> bool:
        return next(self.folder.glob("*.npz"), None) is not None


def rung(folder: str) -> Rung:
    """Of a folder of data/, as `evaluation.rungs` names it."""
    return Rung(Path("data") / folder)


def of_recipe() -> dict[str, Rung]:
    """The rungs of params.yaml, in order. ParameterError for a section that names none."""
    section = read_yaml(Path("params.yaml")).get("evaluation")
    values = {"rungs": section.get("rungs")} if isinstance(section, Mapping) else {}
    named = check(Rungs, values, "params.yaml, section evaluation").rungs
    return {name: rung(folder) for name, folder in named.items()}


def split_of(name: str, found: Rung, pictures: Pictures) -> str:
    """The split whose pictures a rung has results of. ValueError for none, and for pictures of two splits."""
    there = {path.stem for path in found.folder.glob("*") if path.suffix in SUFFIXES}
    splits = sorted({picture.split for picture in pictures.all if picture.id in there})
    if len(splits) == 1:
        return splits[0]
    if not splits:
        raise ValueError(f"rung {name}: {found.folder} holds no result of a picture of data/dataset")
    raise ValueError(f"rung {name}: {found.folder} holds results of {' and '.join(splits)}: a rung is of one")
