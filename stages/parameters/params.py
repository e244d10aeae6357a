"""The whole of params.yaml, and what must hold between sections."""

import importlib
from pathlib import Path
from typing import Any

from pydantic import create_model, model_validator

from stages.affinity.params import SOURCES, Affinity
from stages.affinity_labels.params import AffinityLabels
from stages.ceiling.params import ORACLES, Ceiling
from stages.classifier.params import Classifier
from stages.common.annotations_params import MARKED
from stages.common.params import Section
from stages.cues.params import Cues
from stages.dataset.params import Dataset
from stages.diagnosis.params import Diagnosis
from stages.episodes.params import Episodes
from stages.evaluation.params import Evaluation
from stages.explanation.params import Explanation
from stages.few_shot.params import FewShot
from stages.fold_masks.params import FoldMasks
from stages.gallery.params import Gallery
from stages.generate.params import Generate
from stages.graph.params import Graph
from stages.one_step.params import OneStep
from stages.ordinary_classifier.params import OrdinaryClassifier
from stages.predictions.params import Predictions
from stages.pseudo_labels.params import PseudoLabels
from stages.saliency.params import Saliency
from stages.seeds.params import Seeds
from stages.segmenter.loss_params import wrong_number
from stages.segmenter.params import Segmenter

# Steps that leave labels or maps.
SCORED = ("seeds", "saliency", "cues", "affinity_labels", "graph", "pseudo_labels", "predictions", "one_step")

ANNOTATED = ("voc", "folder")  # layouts that have what people drew


class Recipe(Section):
    """The sections of the steps that every recipe may have."""

    generate: Generate
    dataset: Dataset
    ordinary_classifier: OrdinaryClassifier
    classifier: Classifier
    seeds: Seeds
    explanation: Explanation
    diagnosis: Diagnosis
    saliency: Saliency
    cues: Cues
    affinity_labels: AffinityLabels
    affinity: Affinity
    graph: Graph
    pseudo_labels: PseudoLabels
    segmenter: Segmenter
    predictions: Predictions
    one_step: OneStep
    evaluation: Evaluation
    gallery: Gallery
    ceiling: Ceiling
    fold_masks: FoldMasks
    few_shot: FewShot
    episodes: Episodes

    @model_validator(mode="after")
    def _together(self) -> "Recipe":
        problems = [
            *_methods(self), *_dataset(self), *_signs(self), *_ordinary(self), *_given(self),
            *_edges(self), *_further(self), *_one_step(self), *_ceiling(self), *_balance(self),
            *_confident(self), *_own(self),
        ]  # fmt: skip
        if problems:
            raise ValueError("\n  ".join(problems))
        return self


def _methods(p: Recipe) -> list[str]:
    """The keys of the chosen method must be there: dvc.yaml declares them by its name."""
    return [
        f"{name}.{chosen}: missing, and {name}.{key} chooses it"
        for name, section in p
        for key in ("method", "loss", "head")
        if (chosen := getattr(section, key, None)) and getattr(section, chosen) is None
    ]


def _edges(p: Recipe) -> list[str]:
    """What a step reads must be made, and a step that can be left out must be read by something."""
    scored = {name: folder.split("/")[0] for name, folder in (p.evaluation.rungs or {}).items()}
    labels, affinity, fits = bool(p.affinity_labels.of), bool(p.affinity.of), SOURCES[p.affinity.method]
    learns = p.affinity.of == ["affinity_labels"]
    walks = p.pseudo_labels.method == "random_walk"
    from_labels = p.segmenter.labels == "affinity_labels/crf"
    checks = [
        (p.evaluation.rungs is None, "evaluation.rungs: missing"),
        (p.segmenter.labels is None, "segmenter.labels: missing"),
        (p.dataset.name == "synthetic" and not p.generate.of,
         "generate.of: must be [synthetic], which dataset.name asks for"),
        (walks and p.pseudo_labels.affinity == "nothing",
         "pseudo_labels.affinity: must be affinity for pseudo_labels.method random_walk, found 'nothing'"),
        (p.pseudo_labels.affinity == "affinity" and not affinity,
         f"affinity.of: must be [{'] or ['.join(fits)}], for pseudo_labels.affinity reads it"),
        (affinity and p.pseudo_labels.affinity == "nothing" and not p.graph.of,
         "affinity.of: must be [], for pseudo_labels.affinity is nothing, so nobody reads it"),
        (learns and not labels, "affinity_labels.of: must be [seeds] or [cues], for affinity learns from it"),
        (from_labels and not labels,
         "affinity_labels.of: must be [seeds] or [cues], for segmenter.labels reads it"),
        (labels and not (learns or p.graph.of or from_labels or "affinity_labels" in scored.values()),
         "affinity_labels.of: must be [], for no affinity, no segmenter.labels and no rung reads it"),
    ]  # fmt: skip
    problems = [problem for wrong, problem in checks if wrong]
    known = [*SCORED, *_more(p)]
    for name, step in scored.items():
        if step not in known:
            problems.append(f"evaluation.rungs.{name}: no step leaves {step}; there are {', '.join(known)}")
        elif step == "affinity_labels" and not labels:
            problems.append(f"evaluation.rungs.{name}: affinity_labels.of is [], so nothing makes it")
    return problems


def _own(p: Recipe) -> list[str]:
    """What a section asks of others, where its params.py says so."""
    return [problem for _, section in p if hasattr(section, "together") for problem in section.together(p)]


def _given(p: Recipe) -> list[str]:
    """What somebody made is no data set: the folder of one may hold masks."""
    return [
        f"{key}: must not be {folder}, which is a data set: its masks must not be learnt from"
        for key, folder in given(p).items()
        if folder in (f"raw/{p.dataset.name}", *(f"raw/{name}" for name in p.generate.of))
    ]


def given(p: Recipe) -> dict[str, str]:
    """The folders of data/ with what somebody made, by the key that names them."""
    named = {"saliency.maps": p.saliency.maps, "pseudo_labels.regions": p.pseudo_labels.regions}
    return {key: folder for key, folder in named.items() if folder != "nothing"}


def _more(p: Recipe) -> dict[str, Any]:
    """The sections of the steps that Recipe does not name."""
    return {name: section for name, section in p if name not in Recipe.model_fields}


def _further(p: Recipe) -> list[str]:
    """A step that `of` leaves out makes nothing that another reads."""
    rungs = {f"evaluation.rungs.{name}": folder for name, folder in (p.evaluation.rungs or {}).items()}
    edges = {**rungs, "segmenter.labels": p.segmenter.labels or ""}
    return [
        f"{step}.of: must not be [], for {key} reads it"
        for step, section in _more(p).items()
        for key, folder in edges.items()
        if folder.split("/")[0] == step and getattr(section, "of", None) == []
    ]


def _ordinary(p: Recipe) -> list[str]:
    """The ordinary classifier is made where a strategy needs it, and sees what the classifier sees."""
    own, other = p.classifier, p.ordinary_classifier
    needed, read, made = own.needs_ordinary(), own.ordinary == "ordinary_classifier", bool(other.of)
    what = f"classifier.method {own.method}"
    checks = [
        (needed and not read, f"classifier.ordinary: must be ordinary_classifier for {what}"),
        (read and not needed, f"classifier.ordinary: must be nothing for {what}, which takes no other one"),
        (needed and not made, f"ordinary_classifier.of: must be [dataset], for {what} reads it"),
        (made and not needed, f"ordinary_classifier.of: must be [], for {what} does not read it"),
        (needed and any(getattr(own.encoder, key) != getattr(other.encoder, key) for key in ("mean", "std")),
         "ordinary_classifier.encoder: mean and std must be those of classifier.encoder"),
    ]  # fmt: skip
    return [problem for wrong, problem in checks if wrong]


def _one_step(p: Recipe) -> list[str]:
    """The one-step network is there where its masks are read."""
    masks, rungs = ("one_step/train", "one_step/val"), p.evaluation.rungs or {}
    own = {f"evaluation.rungs.{name}": folder for name, folder in rungs.items()}
    own = {key: folder for key, folder in own.items() if folder.split("/")[0] == "one_step"}
    readers = ["segmenter.labels"] * (p.segmenter.labels == masks[0]) + list(own)
    checks = [
        (p.one_step.of is None, "one_step.of: missing"),
        (p.one_step.of == [] and bool(readers),
         f"one_step.of: must be [rrm], for it is read by {', '.join(readers)}"),
        (bool(p.one_step.of) and not readers,
         "one_step.of: must be [], for neither segmenter.labels nor a rung reads it"),
    ]  # fmt: skip
    return [problem for wrong, problem in checks if wrong] + [
        f"{key}: must be {' or '.join(masks)}, found {folder!r}"
        for key, folder in own.items()
        if folder not in masks
    ]


def _confident(p: Recipe) -> list[str]:
    """One method reads what people drew, and makes labels for the nodes of graphs, which a rung may score."""
    own, kind, folder = p.affinity_labels, p.dataset.annotations, "affinity_labels/nodes"
    reads, sure = own.hints == "annotations", own.method == "confident"
    checks = [
        (reads and not sure,
         f"affinity_labels.hints: must not be annotations for method {own.method}, which reads none"),
        (reads and kind == "none", "affinity_labels.hints: must be nothing, for dataset.annotations is none"),
        (bool(p.graph.of) and sure and kind != "none" and not reads,
         f"affinity_labels.hints: must be annotations, for dataset.annotations is {kind} and there is graph"),
    ]  # fmt: skip
    return [problem for wrong, problem in checks if wrong] + [
        f"evaluation.rungs.{name}: affinity_labels.method must be confident, which makes {folder}, "
        f"found {own.method!r}"
        for name, read in (p.evaluation.rungs or {}).items()
        if read == folder and own.of and not sure
    ]


def _ceiling(p: Recipe) -> list[str]:
    """An oracle corrects the labels that the segmenter learns from, by masks."""
    labels = {"segmenter": "nothing"} | dict.fromkeys(ORACLES, p.segmenter.labels)
    problems = [
        f"ceiling.of.{name}: must be {labels[name]}"
        + f", which segmenter.labels names, found {folder!r}" * (name in ORACLES)
        + f", for it learns from the masks alone, found {folder!r}" * (name not in ORACLES)
        for name, folder in p.ceiling.of.items()
        if labels[name] not in (None, folder)  # None is told already
    ]
    if p.ceiling.of and p.dataset.truth == "none":
        problems.append("ceiling.of: must be {}, for dataset.truth is none: there are no masks")
    return problems


def _signs(p: Recipe) -> list[str]:
    """CHEN's rule finds the background by negative contributions; without them all is unknown."""
    rule = p.pseudo_labels.method == "seed_rule"
    checks = [
        (rule and p.seeds.negatives != "keep",
         "seeds.negatives: must be keep for pseudo_labels.method seed_rule, found 'drop'"),
        (rule and p.pseudo_labels.maps != "seeds",
         f"pseudo_labels.maps: must be seeds for method seed_rule, found {p.pseudo_labels.maps!r}: "
         "only they may be negative"),
    ]  # fmt: skip
    return [problem for wrong, problem in checks if wrong]


def _balance(p: Recipe) -> list[str]:
    """A list of weights has one for each class; how many there are is known here of the generated set."""
    balance = getattr(getattr(p.segmenter, p.segmenter.loss), "balance", None)
    if p.dataset.name != "synthetic" or not isinstance(balance, list):
        return []
    return wrong_number(p.segmenter.loss, balance, p.generate.classes + 1)


def _dataset(p: Recipe) -> list[str]:
    d, problems = p.dataset, []
    if d.train == d.val:
        problems.append(f"dataset.val: must be another split than dataset.train, found {d.val!r} twice")
    if d.name == "synthetic" and (d.source, d.masks) != ("voc", "SegmentationClass"):
        problems.append("dataset: the generated set `synthetic` has source voc and masks SegmentationClass")
    if d.annotations != "none" and d.source not in ANNOTATED:
        problems.append(
            f"dataset.annotations: must be none for dataset.source {d.source}, found {d.annotations!r}: what "
            f"people drew is read of {' and '.join(ANNOTATED)}"
        )
    if p.segmenter.labels == "annotations" and d.annotations not in MARKED:
        problems.append(
            f"segmenter.labels: must not be annotations for dataset.annotations {d.annotations}: "
            f"{' and '.join(MARKED)} alone label pixels"
        )
    return problems


def further_steps() -> dict[str, Any]:
    """A section for each step of stages/ that Recipe does not name: of my_step/params.py, MyStep."""
    names = sorted(path.parent.name for path in Path(__file__).parents[1].glob("*/params.py"))
    found = {}
    for name in names:
        if name not in (*Recipe.model_fields, "common", "parameters"):
            section = name.title().replace("_", "")
            found[name] = getattr(importlib.import_module(f"stages.{name}.params"), section)
    return found


Parameters: type[Recipe] = create_model("Parameters", __base__=Recipe, **further_steps())
