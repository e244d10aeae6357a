"""Parameters of the step `classifier`."""

from stages.common.training.params import Training


class Classifier(Training):
    """Nothing beside what every training has."""
