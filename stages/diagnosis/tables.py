"""The tables of the step: bias by layer, removal by method and share. Percent has two decimals."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stages.common.artifacts import as_text, csv_text
from stages.diagnosis import agreement, bias, removal

Arrays = dict[str, np.ndarray]
Numbers = dict[str, float]
OCCLUSION = "occlusion"


class Found(NamedTuple):
    """A table as CSV, and what metrics.json holds of it."""

    text: str
    numbers: Numbers


def of_bias(pictures: Sequence[Arrays], layers: Sequence[str]) -> Found:
    """Of `scores` [C], `classes` [K] and `bias` [L, K] of each picture; a ratio is a fraction."""
    used = [bias.usable(one["scores"], one["classes"]) for one in pictures]
    ratios = [
        one["bias"][:, keep] / one["scores"][one["classes"][keep]]
        for one, keep in zip(pictures, used, strict=True)
    ]
    whose = np.repeat(np.arange(len(pictures)), [keep.sum() for keep in used])
    table = np.concatenate([np.empty((len(layers), 0)), *ratios], 1)
    rows = [bias.summary(row, whose) for row in table]
    pairs = sum(len(keep) for keep in used)
    left_out = 100 * (pairs - len(whose)) / pairs if pairs else np.nan
    lines = [
        (as_text(layer), len(whose), _cell(left_out, 2), *(_cell(value, 4) for value in row))
        for layer, row in zip(layers, rows, strict=True)
    ]
    numbers = {
        f"bias_{layer}": row[bias.COLUMNS.index("median")] for layer, row in zip(layers, rows, strict=True)
    }
    return Found(
        csv_text([("layer", "pairs", "left_out", *bias.COLUMNS), *lines]),
        {**_rounded(numbers, 4), **_rounded({"left_out": left_out}, 2), "pairs": len(whose)},
    )


def of_removal(
    found: Mapping[str, Sequence[Arrays]], labels: Sequence[np.ndarray], shares: Sequence[float]
) -> Found:
    """Of `scores` [1 + N, C], `target` and `coarse` of each picture, by method; `labels` are theirs, from 0.

    The row of share 0 is the whole picture. In metrics.json a method has its means over the shares, and the
    mean over the pictures of the rank correlation of its map with that of occlusion, in percent.
    """
    lines: list[tuple[Any, ...]] = []
    numbers: Numbers = {}
    for method, pictures in found.items():
        curves = [
            removal.curve(one["scores"], int(one["target"]), own)
            for one, own in zip(pictures, labels, strict=True)
        ]
        table = removal.summary(np.array(curves).reshape(-1, 1 + len(shares), 3))
        for share, row in zip((0, *shares), table, strict=True):
            lines.append((method, f"{share:g}", len(curves), *(_cell(value, 2) for value in row)))
        numbers["accuracy"] = table[0, -1]  # of the whole pictures, whatever the method
        means = zip(removal.COLUMNS, table[1:].mean(0), strict=True)
        numbers |= {f"{column}_{method}": value for column, value in means}
        if OCCLUSION in found and method != OCCLUSION:
            both = zip(pictures, found[OCCLUSION], strict=True)
            ranks = [agreement.ranks(one["coarse"], other["coarse"]) for one, other in both]
            numbers[f"agreement_{method}"] = 100 * agreement.mean(ranks)
    return Found(csv_text([("method", "share", "pictures", *removal.COLUMNS), *lines]), _rounded(numbers, 2))


def _cell(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def _rounded(numbers: Numbers, digits: int) -> Numbers:
    """Without what is not defined."""
    return {name: round(float(value), digits) for name, value in numbers.items() if not np.isnan(value)}
