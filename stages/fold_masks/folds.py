"""Folds of classes and episodes of them (ZHANG 5.2, 5.4.2; OSLSM's PASCAL-5i)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Episode(NamedTuple):
    """A class, a picture to segment and the pictures that show the class, by their ids."""

    run: int
    number: int
    label: int
    query: str
    supports: tuple[str, ...]


def base_mask(mask: np.ndarray, novel: range) -> np.ndarray:
    """The mask uint8 [H, W] with the fold's classes as background; void stays."""
    return np.where(np.isin(mask, novel), 0, mask).astype(np.uint8)


def object_mask(mask: np.ndarray, label: int) -> np.ndarray:
    """1 where a mask uint8 [H, W] is of the class, 0 elsewhere, 255 where it is void."""
    return np.where(mask == 255, 255, mask == label).astype(np.uint8)


def any_mask(mask: np.ndarray) -> np.ndarray:
    """1 where a mask uint8 [H, W] is of any class, 0 on the background, 255 where it is void."""
    return np.where(mask == 255, 255, mask > 0).astype(np.uint8)


def shown_classes(mask: np.ndarray, classes: Sequence[int], least: int) -> tuple[int, ...]:
    """The classes of which a mask has at least so many pixels."""
    counts = np.bincount(mask.ravel(), minlength=256)
    return tuple(label for label in classes if counts[label] >= least)


def draw(
    pools: Mapping[int, Sequence[str]], supports: int, episodes: int, runs: int, seed: int
) -> list[Episode]:
    """The episodes of all runs; each hangs on (seed, run, number) and its class's pictures alone.

    `pools` are the pictures of each class: more than its supports.
    """
    found, labels = [], sorted(pools)
    for run in range(runs):
        for number in range(episodes):
            rng = np.random.default_rng([seed, run, number])
            label = labels[int(rng.integers(len(labels)))]
            query, *rest = rng.choice(len(pools[label]), supports + 1, replace=False).tolist()
            ids = pools[label]
            found.append(Episode(run, number, label, ids[query], tuple(ids[at] for at in rest)))
    return found
