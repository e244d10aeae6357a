"""The first stage: params.yaml is checked whole before DVC deletes an output of any other stage.

Its output never changes, so a valid edit reruns only the stages whose keys it touches.
"""

from pathlib import Path

from stages.common import door
from stages.common.artifacts import write_atomic
from stages.common.networks.weights import find_weights
from stages.common.params import check, read_yaml
from stages.common.training.params import Encoder, Training, devices_asked
from stages.parameters.params import Parameters, Recipe, given
from stages.saliency.params import MAP_SUFFIXES, UNTRAINED

OURS = ("small", "small_pool", "small_vit", "vgg16_deeplab", "vgg19_chen")  # encoders of this project
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
    check_given(params)
    check_devices(params, devices_asked())
    check_encoders(params)
    return len(values)


def trainings(params: Recipe) -> dict[str, Training]:
    """Those that run: a step that `of` leaves out trains nothing."""
    return {
        name: section
        for name, section in params
        if isinstance(section, Training) and getattr(section, "of", None) not in ([], [UNTRAINED])
        if name != "affinity" or params.affinity.trains()
    }


def encoders(params: Recipe) -> dict[str, Encoder]:
    """Those that are built, by the section that names them."""
    found = {name: training.encoder for name, training in trainings(params).items()}
    if params.segmenter.network == "resunet":  # which is its own
        del found["segmenter"]
    if params.affinity.builds():
        found["affinity"] = params.affinity.encoder
    eader, saliency = params.classifier.eader, params.saliency
    if params.classifier.method == "eader" and eader and eader.encoder:
        found["classifier.eader"] = eader.encoder
    if saliency.of and saliency.refine == "network" and saliency.network:
        found["saliency.network"] = saliency.network.encoder
    return found


def check_encoders(params: Recipe) -> None:
    """Names that nobody knows and weights that are not there; all of them in one message."""
    problems = []
    for name, encoder in encoders(params).items():
        try:
            if name == "classifier" and params.classifier.method == "clip_text":
                from stages.classifier.clip import check_name as check_clip

                check_clip(encoder.name)
            elif encoder.name not in OURS:
                from stages.common.networks.encoders import check_name  # only now: the library takes seconds

                check_name(encoder.name)
            if encoder.weights.source == "file":
                find_weights(encoder.weights.name, encoder.weights.sha256)
        except ValueError as error:
            problems.append(f"{name}.encoder: {error}")
    if problems:
        raise ValueError("params.yaml: " + "\n  ".join(problems))


def check_devices(params: Recipe, devices: int) -> None:
    """What each of WSSS_DEVICES devices gets of a batch, before the first training has taken its hours."""
    for name, step in trainings(params).items():
        if step.batch % devices:
            raise ValueError(
                f"WSSS_DEVICES={devices} must divide {name}.batch, which is {step.batch}: each device takes "
                "an equal share"
            )
        pooled = name == "segmenter" and params.segmenter.normalises_pooled()
        if name == "saliency" and step.batch == devices:
            raise ValueError(
                f"saliency.batch: {step.batch} is one picture on each of WSSS_DEVICES={devices}, which has "
                f"none to compare it with: {2 * devices} or more, or fewer devices"
            )
        if step.batch == devices and (pooled or step.one_cell()):
            raise ValueError(
                f"{name}.batch: {step.batch} is one picture on each of WSSS_DEVICES={devices}, of which "
                f"batch norm learns nothing: {2 * devices} or more, or fewer devices"
            )


def check_pictures(name: str) -> None:
    """A data set that is not there: DVC would notice only after it deleted data/dataset."""
    if name != "synthetic" and not (RAW / name).is_dir():
        there = sorted({"synthetic", *(path.name for path in RAW.glob("*") if path.is_dir())})
        raise ValueError(
            f"params.yaml: dataset.name is {name!r}, but there is no folder {RAW / name}: "
            f"`wsss link {name} PATH` makes it; there are {', '.join(there)}{_of_a_copy()}"
        )


def check_given(params: Recipe) -> None:
    """What somebody made and is not there, before a training has taken its hours: as of the data set."""
    suffixes = {"saliency.maps": MAP_SUFFIXES, "pseudo_labels.regions": (".json",)}
    for key, folder in given(params).items():
        place, name = RAW.parent / folder, folder.removeprefix("raw/")
        if not place.is_dir():
            raise ValueError(
                f"params.yaml: {key} is {folder!r}, but there is no folder {place}: "
                f"`wsss link {name} PATH` makes it{_of_a_copy()}"
            )
        if not any(file.suffix.lower() in suffixes[key] for file in place.iterdir()):
            raise ValueError(
                f"params.yaml: {key} is {folder!r}, but {place} has no file ID{' or '.join(suffixes[key])}: "
                "docs/given-data.md"
            )


def _of_a_copy() -> str:
    """DVC runs an experiment in a copy of the project, which lacks what git does not know: the links."""
    if ".dvc/tmp/exps" not in Path.cwd().as_posix():
        return ""
    return (
        ". This is a copy of the project that dvc has made (`exp run --temp` or `--queue`), without the "
        "links: `wsss sweep` runs beside the checkout and takes them along; `dvc exp run` alone runs in it"
    )


if __name__ == "__main__":
    door.run("parameters")
