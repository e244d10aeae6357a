"""The whole of params.yaml."""

from stages.affinity.params import Affinity
from stages.affinity_labels.params import AffinityLabels
from stages.classifier.params import Classifier
from stages.common.params import Section
from stages.dataset.params import Dataset
from stages.evaluation.params import Evaluation
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
