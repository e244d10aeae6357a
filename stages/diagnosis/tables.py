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
    """Of `scores` [1 + N, C], `target` and `coarse` of each picture, by method; `labels` are the pictures'.

    Labels are classes from 0. The row of share 0 is the whole picture. In
    metrics.json a method has its means over the shares.
    """
    lines: list[tuple[Any, ...]] = []
    numbers: Numbers = {}
    for method, pictures in found.items():
        changes = _stacked(
            [removal.change(one["scores"], int(one["target"])) for one in pictures], len(shares)
        )
        right = _stacked(
            [removal.right(one["scores"], own) for one, own in zip(pictures, labels, strict=True)],
            len(shares),
        )
        lower = _stacked([removal.fell(one["scores"], int(one["target"])) for one in pictures], len(shares))
        known = changes[~np.isnan(changes[:, 0])]
        columns = (
            _over(np.mean, known),
            _over(np.median, known),
            _over(np.mean, lower),
            _over(np.mean, right),
        )
        lines += [
            (method, f"{share:g}", len(right), *(_cell(100 * value, 2) for value in row))
            for share, *row in zip((0, *shares), *columns, strict=True)
        ]
        numbers["accuracy"] = 100 * columns[-1][0]
        numbers[f"change_{method}"], numbers[f"accuracy_{method}"] = (
            100 * c[1:].mean() for c in (columns[0], columns[-1])
        )
        if OCCLUSION in found and method != OCCLUSION:
            both = zip(pictures, found[OCCLUSION], strict=True)
            ranks = [agreement.ranks(one["coarse"], other["coarse"]) for one, other in both]
            numbers[f"agreement_{method}"] = agreement.mean(ranks)
    return Found(csv_text([("method", "share", "pictures", "change", "change_median", "fell", "accuracy"), *lines]),
                 _rounded(numbers, 2))  # fmt: skip


def _stacked(rows: Sequence[np.ndarray], shares: int) -> np.ndarray:
    return np.array(rows, float).reshape(-1, 1 + shares)


def _over(function: Any, rows: np.ndarray) -> np.ndarray:
    """Of rows [P, N] over the pictures; NaN of none."""
    return function(rows, 0) if len(rows) else np.full(rows.shape[1], np.nan)


def _cell(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def _rounded(numbers: Numbers, digits: int) -> Numbers:
    """Without what is not defined."""
    return {name: round(float(value), digits) for name, value in numbers.items() if not np.isnan(value)}
