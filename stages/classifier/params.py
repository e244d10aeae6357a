"""Parameters of the step `classifier`."""

from stages.common.training_params import Training


class Classifier(Training):
    """Nothing beside what every training has."""
