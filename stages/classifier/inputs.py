"""What a training strategy shows to its networks, as a sheet of a few training pictures."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stages.common.drawing.canvas import FAINT, INK, canvas, png, shorten, write

Looks = dict[str, Tensor]
"""A column each: normalised pictures [B, 3, H, W], or maps [B, 1, h, w] in 0..1."""

CELL, GAP, MARGIN, TITLE, HEAD = 160, 8, 16, 28, 20  # pixels


def heat(maps: Tensor, chosen: Tensor) -> Tensor:
    """The map [B, 1, h, w] of class `chosen` [B] (0-based) of signed maps [B, C, h, w], over its maximum."""
    one = maps[torch.arange(len(maps), device=maps.device), chosen][:, None].relu()
    return one / one.amax((2, 3), keepdim=True).clamp_min(torch.finfo(one.dtype).tiny)


def sheet(
    title: str, ids: Sequence[str], looks: Mapping[str, Tensor], mean: list[float], std: list[float]
) -> bytes:
    """A PNG with a row for each picture and a column for each of `looks`; equal inputs give equal bytes."""
    width = 2 * MARGIN + len(looks) * (CELL + GAP) - GAP
    image, draw = canvas(
        max(width, 2 * MARGIN + 3 * CELL), 2 * MARGIN + TITLE + len(ids) * (CELL + HEAD + GAP) + HEAD
    )
    write(draw, (MARGIN, MARGIN - 4), shorten(title, image.width - 2 * MARGIN, 16), INK, 16)
    for column, (name, tensors) in enumerate(looks.items()):
        x = MARGIN + column * (CELL + GAP)
        write(draw, (x, MARGIN + TITLE), shorten(name, CELL, 12), FAINT, 12)
        for row, tensor in enumerate(tensors.cpu().float().numpy()):
            y = MARGIN + TITLE + HEAD + row * (CELL + HEAD + GAP)
            image.paste(Image.fromarray(cell(tensor, mean, std)), (x, y + HEAD))
    for row, name in enumerate(ids):
        y = MARGIN + TITLE + HEAD + row * (CELL + HEAD + GAP)
        write(draw, (MARGIN, y + 3), shorten(name, width - 2 * MARGIN, 12), INK, 12)
    return png(image)


def cell(tensor: np.ndarray, mean: list[float], std: list[float]) -> np.ndarray:
    """A normalised picture [3, H, W] as it was, or a map [1, h, w] in grey; uint8 [CELL, CELL, 3]."""
    values = tensor
    if len(tensor) == 3:
        values = tensor * np.array(std, np.float32)[:, None, None] + np.array(mean, np.float32)[:, None, None]
    pixels = np.rint(values.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    pixels = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    return cv2.resize(
        pixels, (CELL, CELL), interpolation=cv2.INTER_AREA if len(pixels) > CELL else cv2.INTER_NEAREST
    )
