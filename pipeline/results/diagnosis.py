"""What the classifier's scores rest on, as the stage `diagnosis` found it."""

from typing import NamedTuple

from pipeline.project.tables import Table
from pipeline.results import scores
from pipeline.results.scores import Rung, Scores
from pipeline.results.snapshot import Snapshot

STAGE = "diagnosis"


class Words(NamedTuple):
    """How a way to rank pixels is called, and what it ranks by."""

    name: str
    says: str


WORDS = {
    "vgatt_raw": Words("VGatt, raw", "gradient times raw value: what the pixel gives that black does not"),
    "vgatt_normalised": Words(
        "VGatt, norm.", "gradient times normalised value: what it gives that the mean colour does not"
    ),
    "grad_cam": Words("Grad-CAM", "the map of the last layer, read at the pixel"),
    "occlusion": Words(
        "Occlusion", "how much the score falls when the patches that hold the pixel are covered"
    ),
    "random": Words("Random", "nothing: pixels in random order, which a method must beat"),
}


class Found(NamedTuple):
    """The numbers, and both tables; tables are empty where they are not the run's."""

    rung: Rung
    bias: Table
    removal: Table


def read(found: Scores) -> Found | None:
    """None where dvc.lock has no such stage."""
    stage = next((name for name in found.run.lock if name.partition("@")[0] == STAGE), None)
    if stage is None:
        return None
    rung = scores.extra(found, STAGE, stage)
    bias, removal = (
        found.run.table(f"{rung.folder}/{name}.csv") if rung.good else [] for name in ("bias", "removal")
    )
    return Found(rung, bias, removal)


def asked(run: Snapshot) -> bool:
    """Whether the run's parameters ask for the stage."""
    section = run.params.get(STAGE)
    return isinstance(section, dict) and bool(section.get("of"))


def name_of(method: str) -> str:
    return WORDS[method].name if method in WORDS else method


def by_method(removal: Table) -> dict[str, Table]:
    """The rows of each method, by rising share; the first is the whole picture."""
    methods = dict.fromkeys(row["method"] for row in removal)
    return {name: [row for row in removal if row["method"] == name] for name in methods}
