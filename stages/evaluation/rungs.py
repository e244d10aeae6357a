"""The rungs of the ladder, in order: what is scored, and on which split."""

from pathlib import Path
from typing import NamedTuple


class Rung(NamedTuple):
    split: str
    folder: Path  # of the results, one file per picture
    maps: bool  # attribution maps (.npz) that a threshold turns into labels, or labels (.png)

    def file(self, identifier: str) -> Path:
        return self.folder / (identifier + (".npz" if self.maps else ".png"))


RUNGS = {
    "seeds": Rung("train", Path("data/seeds"), True),
    "crf": Rung("train", Path("data/affinity_labels/crf"), False),
    "pseudo_labels": Rung("train", Path("data/pseudo_labels"), False),
    "predictions": Rung("val", Path("data/predictions"), False),
}
REPORTS = Path("reports")
