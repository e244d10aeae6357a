"""What the classifier's head may be while it trains: `linear`, as it is, or regularised kernel usage.

Whichever it was, the step keeps a plain linear head, so that nothing below knows of it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from stages.classifier.network import ClassifierNet
from stages.classifier.params import Recogniser


class KernelUsage(nn.Module):
    """W^r = W o (alpha softmax(W)) of weights [C, D, 1, 1] (DAVID, "Kernel Usage Regularization").

    The softmax is over the classes of each kernel (channel of the features): a class that uses it more
    leaves less of it to the others. At W = 0, where the head starts, W^r = 0 and dW^r/dW = alpha / C.
    """

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, weight: Tensor) -> Tensor:
        return weight * (self.alpha * weight.softmax(0))


def regularise(model: ClassifierNet, params: Recogniser) -> None:
    """The head as params.yaml has it: `model.head.weight` is W^r from now on, and W is what learns."""
    if params.head == "kernel_usage":
        assert params.kernel_usage is not None  # the schema sees to it
        alpha = params.kernel_usage.alpha or model.head.out_channels
        parametrize.register_parametrization(model.head, "weight", KernelUsage(alpha))


def fold(model: ClassifierNet) -> None:
    """The plain linear head of the same scores and maps: W^r takes the place of W."""
    if parametrize.is_parametrized(model.head):
        parametrize.remove_parametrizations(model.head, "weight", leave_parametrized=True)


def mean_cosine(weight: Tensor) -> float:
    """Of all pairs of different classes' vectors, [C, D, 1, 1]; nan of one class (DAVID, Figs 39-40)."""
    vectors = F.normalize(weight.detach().flatten(1), dim=1)
    cosines = vectors @ vectors.T
    return float(cosines[~torch.eye(len(cosines), dtype=torch.bool)].mean())
