"""SmoothGrad (Smilkov et al., 2017): the mean of the maps of `gradient` over noisy pictures.

The noise is as wide as a share of a picture's range, as its authors have it.
"""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.seeds import gradient
from stages.seeds.params import SmoothGrad

SEED = 0  # of the noise: the same for all pictures of a size, whichever batch or worker has them


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: SmoothGrad
) -> Tensor:
    """Maps >= 0 [B, K, h, w] of the classes [B, K] (0-based), averaged to cells of the encoder's stride.

    `layer` is always input.
    """
    wide = options.noise * (pictures.amax((1, 2, 3)) - pictures.amin((1, 2, 3)))[:, None, None, None]
    generator = torch.Generator().manual_seed(SEED)  # on the CPU, so that a GPU sees the same noise
    total = torch.zeros((), device=pictures.device)
    for _ in range(options.samples):
        noise = torch.randn(pictures.shape[1:], generator=generator).to(pictures)
        total = total + gradient.attribution(model, pictures + wide * noise, classes, layer)
    return total / options.samples
