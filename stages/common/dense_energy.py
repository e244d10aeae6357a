"""The dense energy (ZHANG 2.17-2.21): pixels that are near in place and colour should be of one class."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.bilateral import bilateral
from stages.common.dense_energy_params import DenseEnergy


def dense_energy(
    probabilities: Tensor, rgb: Tensor, labelled: Tensor, inside: Tensor, options: DenseEnergy
) -> Tensor:
    """The mean over the pictures of E = sum_i s_i sum_j A_ij (1 - <p_i, p_j>) / sum_ij A_ij, from 0 to 1.

    Of probabilities [B, K, H, W], a picture [B, 3, H, W] in grey values, and bool maps [B, H, W]: only pixels
    `inside` count. The gate s_i, without a gradient, is 1 - max_c p_i where a pixel is labelled, else 1.

    ZHANG's divisor W is not explained, and its public code has none but a weight of 1e-7; over the sum of A
    the energy does not depend on the crop, the scale and the deviations. j = i is in it, as in the code.
    """
    probabilities, rgb, labelled, inside = _resized(
        probabilities.to(rgb.dtype), rgb, labelled, inside, options.scale
    )
    with torch.no_grad():
        gate = torch.where(labelled, 1 - probabilities.amax(1), 1) * inside
    # The last channel is of ones: what A adds up to at each pixel.
    values = torch.cat([probabilities, torch.ones_like(probabilities[:, :1])], 1)
    sigma_xy = options.sigma_xy * options.scale
    sums = bilateral(values, rgb, inside, sigma_xy, options.sigma_rgb, options.method)
    alike, mass = (probabilities * sums[:, :-1]).sum(1), sums[:, -1].detach()
    cost = (gate * (mass - alike)).sum((1, 2))
    return (cost / mass.sum((1, 2)).clamp_min(torch.finfo(mass.dtype).tiny)).mean()


def _resized(
    probabilities: Tensor, rgb: Tensor, labelled: Tensor, inside: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Probabilities bilinear, all else from the nearest pixel."""
    height, width = inside.shape[1:]
    size = (max(1, round(scale * height)), max(1, round(scale * width)))
    if size == (height, width):
        return probabilities, rgb, labelled, inside
    with torch.autocast(rgb.device.type, enabled=False):
        probabilities = _bilinear(height, size[0], rgb) @ probabilities @ _bilinear(width, size[1], rgb).T
    maps = torch.cat([rgb, labelled[:, None], inside[:, None]], 1)
    maps = F.interpolate(maps, size, mode="nearest")
    return probabilities, maps[:, :-2], maps[:, -2] > 0, maps[:, -1] > 0


def _bilinear(old: int, new: int, like: Tensor) -> Tensor:
    """F.interpolate of a line as a matrix [new, old]: the product's gradient is deterministic on a GPU."""
    line = torch.eye(old, dtype=like.dtype, device=like.device)
    return F.interpolate(line[None], new, mode="linear", align_corners=False)[0].T
