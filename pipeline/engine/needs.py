"""What the parameters ask of this machine and these pictures, said before a run: one line each."""

import csv
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.project import gpus, processor
from stages.affinity.params import trains
from stages.common.params import ParameterError, read_yaml
from stages.dataset.labels import Cells
from stages.dataset.layouts import voc_base
from stages.saliency.params import UNTRAINED

TRAININGS = ("classifier", "ordinary_classifier", "saliency", "affinity", "one_step", "segmenter", "few_shot")
BY_FOLDS = ("fold_masks", "few_shot", "episodes")  # there where few_shot.folds asks for them
FEW = 100  # steps of a training, below which a result is hardly more than the initial weights


def of(root: Path, sections: Collection[str] | None = None) -> list[str]:
    """The needs of the `sections` of params.yaml; without: of all. Nothing of a file that cannot be read."""
    try:
        values = read_yaml(root / "params.yaml")
    except ParameterError:
        return []
    steps = None if sections is None else {name.partition("@")[0] for name in sections}
    chosen = _chosen(values, steps)
    steps_of = _steps(root, values.get("dataset"), values, chosen)
    return [*files(values, steps), *_fetched(chosen), *_bf16(chosen), *steps_of, *_idle(values, chosen)]


def _chosen(values: dict[str, Any], steps: Collection[str] | None) -> dict[str, Any]:
    """The sections of steps that the parameters have, of those that are asked for."""
    without = () if _value(values, "few_shot", "folds") else BY_FOLDS
    return {
        name: section
        for name, section in values.items()
        if isinstance(section, dict)
        and section.get("of") not in ([], [UNTRAINED])
        and (steps is None or name in steps)
        and name not in without
    }


def files(values: dict[str, Any], steps: Collection[str] | None = None) -> list[str]:
    """The files of weights that parameters name and that are not there: what cannot run without them."""
    return [f"{', '.join(users)}: {line}" for line, users in absent(values, steps).items()]


def absent(values: dict[str, Any], steps: Collection[str] | None = None) -> dict[str, list[str]]:
    """Those files, a line each, with the trainings that begin with it."""
    folder = os.environ.get("WSSS_WEIGHTS")
    return {
        f"weights {file} are not in WSSS_WEIGHTS={folder or '(not set)'}: "
        "docs/weights.md says where to get them, or how to take the library's": users
        for file, users in _weights(_chosen(values, steps), "file").items()
        if not folder or not (Path(folder) / file).is_file()
    }


def _fetched(sections: dict[str, Any]) -> list[str]:
    return [
        f"{', '.join(users)}: weights {name} come from the library, which fetches them from the network once"
        for name, users in _weights(sections, "library").items()
    ]


def _weights(sections: dict[str, Any], source: str) -> dict[str, list[str]]:
    """The trainings that begin with each of the weights of a source."""
    found: dict[str, list[str]] = {}
    for name, encoder in _encoders(sections).items():
        weights = _mapping(encoder, "weights")
        if weights.get("source") == source:
            of = f" of {encoder.get('name')}" if source == "library" else ""
            found.setdefault(f"{weights.get('name')}{of}", []).append(name)
    return found


def _encoders(sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each training, and of networks inside one: the classifier's adversary, saliency's second network."""
    found = {name: _mapping(sections.get(name), "encoder") for name in _training(sections)}
    frozen = sections.get("affinity", {})
    if frozen.get("of") == ["dataset"]:
        found["affinity"] = _mapping(frozen, "encoder")
    classifier = sections.get("classifier", {})
    if classifier.get("method") == "eader":
        found["classifier.eader"] = _mapping(classifier.get("eader"), "encoder")
    saliency = sections.get("saliency", {})
    if saliency.get("refine") == "network":
        found["saliency.network"] = _mapping(saliency.get("network"), "encoder")
    return found


def _training(sections: dict[str, Any]) -> list[str]:
    """The steps that train a network; some affinities are found without."""
    learnt = trains(sections.get("affinity", {}))
    return [name for name in TRAININGS if name != "affinity" or learnt]


def _bf16(sections: dict[str, Any]) -> list[str]:
    asking = [name for name, section in sections.items() if section.get("precision") == "bf16"]
    asking = [name for name in asking if name != "affinity" or trains(sections[name])]
    if not asking or processor.bf16_units() != [] or gpus.devices():
        return []
    return [
        f"{', '.join(asking)}: precision bf16, but this processor has no units for it (AVX512-BF16, AMX): "
        "seeds were measured at a tenth of the speed of a plain fp32 loop on such a one; set precision: fp32"
    ]


def _steps(root: Path, dataset: Any, values: dict[str, Any], sections: dict[str, Any]) -> list[str]:
    """Epochs do not carry over from a large set to a small one."""
    every = training_pictures(root, dataset, values.get("generate"))
    lines = []
    for name in _training(sections):
        section = sections.get(name, {})
        batch, epochs, pictures, those = section.get("batch"), section.get("epochs"), every, "pictures"
        if section.get("without_class") == "skip":
            pictures = training_pictures(root, dataset, values.get("generate"), with_class=True)
            those = "pictures with a class"
        if not pictures or not isinstance(batch, int) or not isinstance(epochs, int) or batch < 1:
            continue
        steps = max(1, pictures // batch) * epochs
        if steps < FEW:
            lines.append(
                f"{name}: only {steps} steps ({pictures} {those}, batch {batch}, {epochs} epochs): it "
                "learns little with so few; more epochs or a smaller batch give more"
            )
    return lines


def _idle(values: dict[str, Any], chosen: dict[str, Any]) -> list[str]:
    """Steps that run although nobody needs what they make: a recipe leaves them out by their list `of`."""
    name = _value(values, "dataset", "name")
    method, reads = _value(values, "pseudo_labels", "method"), _value(values, "pseudo_labels", "affinity")
    lines = []
    if "generate" in chosen and chosen["generate"].get("of") and name != "synthetic":
        lines.append(f"generate: dataset.name is {name}: generate.of: [] leaves out what nobody reads")
    graph = _value(values, "graph", "of")
    if "affinity" in chosen and reads == "affinity" and method != "random_walk" and not graph:
        lines.append(
            f"affinity: pseudo_labels.method {method} reads no affinities: affinity.of: [] and "
            "pseudo_labels.affinity: nothing leave the step out"
        )
    return lines


def _value(values: dict[str, Any], section: str, key: str) -> Any:
    found = values.get(section)
    return found.get(key) if isinstance(found, dict) else None


def training_pictures(root: Path, dataset: Any, generate: Any, with_class: bool = False) -> int | None:
    """How many the source names, before it is read and checked: all, or those with a class.

    None where it cannot be told: COCO's JSON, say, takes seconds to read.
    """
    if not isinstance(dataset, dict):
        return None
    source = root / "data" / "raw" / str(dataset.get("name"))
    try:
        if dataset.get("name") == "synthetic":  # each picture there has an object
            return int(_mapping({"generate": generate}, "generate")["train"])
        if dataset.get("source") == "voc":
            return _listed(voc_base(source) or source, dataset["train"], with_class)
        with (source / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
            cells = (
                row.get("labels") for row in csv.DictReader(file) if row.get("split") == dataset["train"]
            )
            return sum(not with_class or _names_a_class(cell or "") for cell in cells)
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return None


def _listed(base: Path, split: str, with_class: bool) -> int:
    """Of a list of the VOC layout. OSError for a picture whose objects are not in Annotations/NAME.xml."""
    text = (base / "ImageSets" / "Segmentation" / f"{split}.txt").read_text()
    if not with_class:
        return len(text.split("\n")) - text.endswith("\n")
    names = [line.split()[0] for line in text.splitlines() if line.strip()]
    return sum(b"<object" in (base / "Annotations" / f"{name}.xml").read_bytes() for name in names)


def _names_a_class(cell: str) -> bool:
    return bool(Cells((), None, comma=True).split(cell)[0])


def _mapping(section: Any, key: str) -> dict[str, Any]:
    found = section.get(key) if isinstance(section, dict) else None
    return found if isinstance(found, dict) else {}
