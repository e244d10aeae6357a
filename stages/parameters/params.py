"""The whole of params.yaml, and what must hold between sections."""

from pydantic import model_validator

from stages.affinity.params import Affinity
from stages.affinity_labels.params import AffinityLabels
from stages.ceiling.params import Ceiling
from stages.classifier.params import Classifier
from stages.common.params import Section
from stages.dataset.params import Dataset
from stages.evaluation.params import Evaluation
from stages.gallery.params import Gallery
from stages.generate.params import Generate
from stages.predictions.params import Predictions
from stages.pseudo_labels.params import PseudoLabels
from stages.seeds.params import Seeds
from stages.segmenter.params import Segmenter


class Parameters(Section):
    generate: Generate
    dataset: Dataset
    classifier: Classifier
    seeds: Seeds
    affinity_labels: AffinityLabels
    affinity: Affinity
    pseudo_labels: PseudoLabels
    segmenter: Segmenter
    predictions: Predictions
    evaluation: Evaluation
    gallery: Gallery
    ceiling: Ceiling

    @model_validator(mode="after")
    def _together(self) -> "Parameters":
        problems = [*_methods(self), *_dataset(self), *_signs(self)]
        if problems:
            raise ValueError("\n  ".join(problems))
        return self


def _methods(p: Parameters) -> list[str]:
    """The keys of the chosen method must be there: dvc.yaml declares them by its name."""
    sections: dict[str, AffinityLabels | PseudoLabels] = {
        "affinity_labels": p.affinity_labels,
        "pseudo_labels": p.pseudo_labels,
    }
    return [
        f"{name}.{section.method}: missing, and {name}.method chooses it"
        for name, section in sections.items()
        if getattr(section, section.method) is None
    ]


def _signs(p: Parameters) -> list[str]:
    """CHEN's rule finds the background by negative contributions; without them all is unknown."""
    if p.pseudo_labels.method == "seed_rule" and p.seeds.negatives != "keep":
        return ["seeds.negatives: must be keep for pseudo_labels.method seed_rule, found 'drop'"]
    return []


def _dataset(p: Parameters) -> list[str]:
    d, problems = p.dataset, []
    if d.train == d.val:
        problems.append(f"dataset.val: must be another split than dataset.train, found {d.val!r} twice")
    if d.name == "synthetic" and (d.source, d.masks) != ("voc", "SegmentationClass"):
        problems.append("dataset: the generated set `synthetic` has source voc and masks SegmentationClass")
    return problems
