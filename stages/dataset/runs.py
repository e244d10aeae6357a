"""Masks that are stored as the lengths of their runs: COCO's, CVAT's and Label Studio's.

Each function raises ValueError where the runs do not fill the mask.
"""

from collections.abc import Sequence

import numpy as np


def coco_counts(text: str) -> list[int]:
    """The lengths in COCO's compressed text (cocoapi, common/maskApi.c, rleFrString).

    A length is written in groups of 5 bits, the lowest first, as signs from "0" on: bit 6 says that another
    follows, the highest of the last group is the sign. From the fourth on it is the difference to the
    length two before.
    """
    counts: list[int] = []
    value = shift = 0
    for sign in text:
        group = ord(sign) - 48
        if not 0 <= group < 64:
            raise ValueError(f"sign {sign!r} is none of a compressed RLE")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("the compressed RLE ends within a number")
    return counts


def coco_text(counts: Sequence[int]) -> str:
    """COCO's compressed text of lengths, as `coco_counts` reads it."""
    signs = []
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        ended = False
        while not ended:
            group, value = value & 31, value >> 5
            ended = value == (-1 if group & 16 else 0)
            signs.append(chr(48 + group + 32 * (not ended)))
    return "".join(signs)


def lengths(values: np.ndarray) -> list[int]:
    """Of the runs of bools [N], beginning with False."""
    edges = np.flatnonzero(np.diff(values.astype(np.int8), prepend=0, append=int(not values[-1])))
    return np.diff(edges, prepend=0).tolist()


def checked(counts: Sequence[int], shape: tuple[int, int]) -> np.ndarray:
    """The lengths int64 [N] of runs that fill a mask of `shape` (H, W)."""
    found = np.asarray(counts, np.int64)
    if found.ndim != 1 or (found < 0).any() or found.sum() != shape[0] * shape[1]:
        raise ValueError(f"its RLE does not fill {shape[1]}x{shape[0]} pixels")
    return found


def filled(counts: Sequence[int], shape: tuple[int, int], by_columns: bool) -> np.ndarray:
    """bool [H, W] of runs that begin with False: down the columns (COCO), or along the rows (CVAT)."""
    found = checked(counts, shape)
    values = np.repeat(np.arange(len(found)) % 2 == 1, found)
    return values.reshape(shape[::-1]).T if by_columns else values.reshape(shape)


def brush(content: Sequence[int], shape: tuple[int, int]) -> np.ndarray:
    """bool [H, W] of a brush of Label Studio: where its picture's fourth channel is at least half.

    The bytes are one stream of bits, the highest first (label-studio-converter, brush.py, decode_rle):
    32 bits the number of values, 5 the width of a value less one, four times 4 the widths of lengths less
    one. Then blocks: one bit whether a value is repeated, 2 bits which width its length has, the length
    less one, and one value or as many as the length says. Values are those of RGBA pixels, row by row.
    """
    bits = _Bits(np.unpackbits(np.array(content, np.uint8)))
    number, width = bits.read(32), bits.read(5) + 1
    widths = [bits.read(4) + 1 for _ in range(4)]
    if number != 4 * shape[0] * shape[1]:
        raise ValueError(f"its brush has {number // 4} pixels, not {shape[1]}x{shape[0]}")
    values = np.zeros(number, np.int64)
    at = 0
    while at < number:
        repeated = bits.read(1)
        end = at + 1 + bits.read(widths[bits.read(2)])
        if end > number:
            raise ValueError("its brush is longer than its picture")
        values[at:end] = bits.read(width) if repeated else bits.several(width, end - at)
        at = end
    return values.reshape(*shape, 4)[..., 3] >= 128


class _Bits:
    def __init__(self, bits: np.ndarray) -> None:
        self.bits, self.at = bits, 0

    def read(self, count: int) -> int:
        return int(self.several(count, 1)[0])

    def several(self, width: int, count: int) -> np.ndarray:
        """int64 [count], each of `width` bits."""
        end = self.at + width * count
        if end > len(self.bits):
            raise ValueError("its brush ends too soon")
        found = self.bits[self.at : end].reshape(count, width) @ (1 << np.arange(width - 1, -1, -1))
        self.at = end
        return np.asarray(found, np.int64)
