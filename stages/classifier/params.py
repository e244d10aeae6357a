"""Parameters of the step `classifier`."""

from typing import Literal

from stages.common.params import Empty, Positive, Section
from stages.common.training.params import Training


class KernelUsage(Section):
    alpha: Positive | None  # null: the number of classes, with which the head starts as the linear one does


class Classifier(Training):
    method: Literal["plain"]  # the training strategy
    plain: Empty | None = None  # dvc.yaml declares the chosen method's keys only
    head: Literal["linear", "kernel_usage"]
    linear: Empty | None = None
    kernel_usage: KernelUsage | None = None
