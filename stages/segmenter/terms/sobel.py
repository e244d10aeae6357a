"""The baseline of SEMEDA (CHEN 3.4, Table 3.1): edges of the classes' maps by the Sobel filter must agree."""

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN
from stages.common.training.strategy import Losses
from stages.segmenter.loss_params import Sobel
from stages.segmenter.structure import onehot, unlike
from stages.segmenter.terms import Task, Term, View

KERNEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def build(options: Sobel, task: Task) -> Term:
    return Term(functools.partial(loss, options))


def loss(options: Sobel, view: View) -> Losses:
    """`weight` times the mean |S(p) - S(onehot(y))| over both responses of each class and the pixels that
    have no unknown one in their 3x3.
    """
    known = (view.labels != UNKNOWN)[:, None]
    p = view.scores.float().softmax(1) * known
    difference = responses(p) - responses(onehot(view.labels, p.shape[1]))
    return {"sobel": options.weight * unlike(difference, view.labels, 1)}


def responses(maps: Tensor) -> Tensor:
    """Of maps [B, C, H, W], across and down, [B, 2C, H, W]; the border goes on as it is."""
    channels = maps.shape[1]
    across = torch.tensor(KERNEL, device=maps.device)
    kernels = torch.stack([across, across.T])[:, None].repeat(channels, 1, 1, 1)
    return F.conv2d(F.pad(maps, (1, 1, 1, 1), mode="replicate"), kernels.to(maps.dtype), groups=channels)
