"""The first stage: params.yaml is checked whole before DVC deletes an output of any other stage.

Its output never changes, so a valid edit reruns only the stages whose keys it touches.
"""

from pathlib import Path

from stages.common import door
from stages.common.artifacts import write_atomic
from stages.common.params import check, read_yaml
from stages.common.weights import find_weights
from stages.parameters.params import Parameters

STAMP, RAW = Path("data/parameters.ok"), Path("data/raw")


def main() -> str:
    values = read_yaml(Path("params.yaml"))
    params = check(Parameters, values, "params.yaml")
    check_pictures(params.dataset.name)
    for section in (params.classifier, params.affinity, params.segmenter):
        weights = section.encoder.weights
        if weights.source == "file":
            find_weights(weights.name, weights.sha256)
    write_atomic(STAMP, "ok\n")
    return f"parameters: {len(values)} sections are valid"


def check_pictures(name: str) -> None:
    """A data set that is not there: DVC would notice only after it deleted data/dataset."""
    if name != "synthetic" and not (RAW / name).is_dir():
        if (".dvc", "tmp", "exps") in zip(*(Path.cwd().parts[n:] for n in range(3)), strict=False):
            raise ValueError(
                f"params.yaml: {RAW / name} is not in this copy of the project: `dvc exp run --temp` leaves"
                " out what git ignores, so your pictures; `wsss sweep KEY=VALUE` runs in one that has them"
            )
        there = sorted({"synthetic", *(path.name for path in RAW.glob("*") if path.is_dir())})
        raise ValueError(
            f"params.yaml: dataset.name is {name!r}, but there is no folder {RAW / name}: "
            f"`wsss link {name} PATH` makes it; there are {', '.join(there)}"
        )


if __name__ == "__main__":
    door.run("parameters")
