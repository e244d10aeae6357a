"""What a classifier answers to a picture, to the part that a mask keeps, and to the part that it leaves."""

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn


def views(picture: np.ndarray, masks: np.ndarray) -> Iterator[np.ndarray]:
    """The picture float32 [3, H, W] whole, what each mask [K, H, W] in [0, 1] keeps, what each leaves.

    The picture is normalised, so that 0 is the mean colour: a mask fades to it, not to black.
    """
    yield picture
    yield from (picture * mask for mask in masks)
    yield from (picture * (1 - mask) for mask in masks)


def probabilities(
    model: nn.Module, pictures: Iterator[np.ndarray], rows: int, place: str, half: bool
) -> np.ndarray:
    """sigmoid S of equal-sized pictures [3, H, W], float64 [N, C]."""
    found = passes(model, pictures, rows, torch.device(place), half)
    return np.concatenate([scores.sigmoid().numpy() for scores in found])


def passes(
    model: nn.Module, pictures: Iterator[np.ndarray], rows: int, place: torch.device, half: bool
) -> Iterator[Tensor]:
    """S of equal-sized pictures [3, H, W], float64 [rows, C] of each pass, on the CPU.

    Each pass has exactly `rows` pictures, the last one filled up with zeros: another shape would round
    otherwise, and a picture's answers would hang on which others are in its batch.
    """
    while some := list(itertools.islice(pictures, rows)):
        batch = np.zeros((rows, *some[0].shape), some[0].dtype)
        batch[: len(some)] = some
        x = torch.from_numpy(batch).to(place)
        with torch.inference_mode(), torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            scores = model(x)
        yield scores[: len(some)].cpu().double()
