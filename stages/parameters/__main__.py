"""The first stage: params.yaml is checked whole before DVC deletes an output of any other stage.

Its output never changes, so a valid edit reruns only the stages whose keys it touches.
"""

from pathlib import Path

from stages.common import door
from stages.common.artifacts import write_atomic
from stages.common.params import check, read_yaml
from stages.common.weights import find_weights
from stages.parameters.params import Parameters

OURS = ("small", "vgg19_chen")  # encoders of this project
STAMP, RAW = Path("data/parameters.ok"), Path("data/raw")


def main() -> str:
    count = look()
    write_atomic(STAMP, "ok\n")
    return f"parameters: {count} sections are valid"


def look() -> int:
    """The number of sections, all of them valid, with what they name: pictures, weights, encoders."""
    values = read_yaml(Path("params.yaml"))
    params = check(Parameters, values, "params.yaml")
    check_pictures(params.dataset.name)
    check_encoders(params)
    return len(values)


def check_encoders(params: Parameters) -> None:
    """Names that nobody knows and weights that are not there; all of them in one message."""
    problems = []
    for name, encoder in (
        ("classifier", params.classifier.encoder),
        ("affinity", params.affinity.encoder),
        ("segmenter", params.segmenter.encoder),
    ):
        try:
            if encoder.name not in OURS:
                from stages.common.encoders import check_name  # only now: the library takes seconds

                check_name(encoder.name)
            if encoder.weights.source == "file":
                find_weights(encoder.weights.name, encoder.weights.sha256)
        except ValueError as error:
            problems.append(f"{name}.encoder: {error}")
    if problems:
        raise ValueError("params.yaml: " + "\n  ".join(problems))


def check_pictures(name: str) -> None:
    """A data set that is not there: DVC would notice only after it deleted data/dataset."""
    if name != "synthetic" and not (RAW / name).is_dir():
        there = sorted({"synthetic", *(path.name for path in RAW.glob("*") if path.is_dir())})
        raise ValueError(
            f"params.yaml: dataset.name is {name!r}, but there is no folder {RAW / name}: "
            f"`wsss link {name} PATH` makes it; there are {', '.join(there)}"
        )


if __name__ == "__main__":
    door.run("parameters")
