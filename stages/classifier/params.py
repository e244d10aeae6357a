"""Parameters of the step `classifier`."""

from typing import Literal

from stages.common.params import Empty
from stages.common.training.params import Training


class Classifier(Training):
    method: Literal["plain"]  # the training strategy
    plain: Empty | None = None  # dvc.yaml declares the chosen method's keys only
