"""Regions and labels by enumeration: every small picture and every division of it, against plain loops."""

import itertools
from collections import Counter

import numpy as np
import pytest

from stages.pseudo_labels.merge import of_masks, of_parts
from stages.pseudo_labels.params import Rule

RESTS = ("keep", "vote", "clear")


def rule(rest: str = "keep", share: float = 0.5, covers: float | None = None) -> Rule:
    return Rule.model_validate({"share": share, "covers": covers, "rest": rest})


def by_hand(labels: list[int], regions: list[set[int]], rule: Rule) -> list[int]:
    """Pixel by pixel, on sets of places: the rule in words."""
    takes: list[int | None] = []
    for region in regions:
        counts = Counter(labels[place] for place in region if labels[place] != 255)
        known = sum(counts.values())
        classes = [
            label
            for label, count in counts.items()
            if label and (count > rule.share * known
                          or (rule.covers and count >= rule.covers * labels.count(label)))
        ]  # fmt: skip
        ground = rule.rest == "vote" and counts[0] > rule.share * known
        best = sorted(classes, key=lambda label: (-counts[label], label))
        takes.append(best[0] if best else 0 if ground else None)
    found = []
    for place, label in enumerate(labels):
        here = [n for n, region in enumerate(regions) if place in region]
        decided = [n for n in here if takes[n] is not None]
        if decided:
            top = min(decided, key=lambda n: (len(regions[n]), -n))
            found.append(takes[top])
        else:
            gone = rule.rest == "clear" and here and label != 255
            found.append(0 if gone else label)
    return found


def divisions(places: int) -> list[tuple[int, ...]]:
    """Every way to give each place the number of a region, numbers in the order of their first places."""
    found = [
        numbers
        for numbers in itertools.product(range(places), repeat=places)
        if all(n <= max(numbers[:at], default=-1) + 1 for at, n in enumerate(numbers))
    ]
    assert len(found) == {4: 15, 5: 52}[places]  # Bell's numbers
    return found


@pytest.mark.parametrize("rest", RESTS)
def test_every_division_of_four_pixels(rest: str) -> None:
    """256 pictures of background, two classes and unknown, 15 divisions each, without and with `covers`."""
    for covers, labels in itertools.product((None, 0.6, 1.0), itertools.product((0, 1, 7, 255), repeat=4)):
        options = rule(rest, covers=covers)
        picture = np.uint8(labels).reshape(2, 2)
        for numbers in divisions(4):
            regions = [{p for p, n in enumerate(numbers) if n == m} for m in range(max(numbers) + 1)]
            found = of_parts(picture, np.array(numbers).reshape(2, 2), options)
            assert found.dtype == np.uint8
            assert found.ravel().tolist() == by_hand(list(labels), regions, options), (labels, numbers)


@pytest.mark.parametrize("rest", RESTS)
def test_every_pair_of_masks_on_three_pixels(rest: str) -> None:
    """They overlap, leave pixels bare, are equal or empty: 8 x 8 pairs on 64 pictures."""
    every = [np.array([bits], bool) for bits in itertools.product((0, 1), repeat=3)]
    places = [set(np.flatnonzero(mask).tolist()) for mask in every]
    for covers, labels in itertools.product((None, 0.6), itertools.product((0, 1, 7, 255), repeat=3)):
        options = rule(rest, covers=covers)
        for one, other in itertools.product(range(8), repeat=2):
            found = of_masks(np.uint8([labels]), [every[one], every[other]], options)
            wanted = by_hand(list(labels), [places[one], places[other]], options)
            assert found.ravel().tolist() == wanted, (labels, places[one], places[other])


@pytest.mark.parametrize("share", [0.5, 0.6, 0.75])
@pytest.mark.parametrize("rest", RESTS)
def test_more_regions_on_more_pixels(rest: str, share: float) -> None:
    """Drawn, not all: up to six masks on nine pixels, and divisions of five in a row."""
    rng = np.random.default_rng(0)
    options = rule(rest, share, covers=0.85)
    for _ in range(300):
        picture = rng.choice(np.uint8([0, 0, 1, 2, 255]), (3, 3))
        masks = list(rng.random((rng.integers(0, 7), 3, 3)) < rng.uniform(0.2, 0.9))
        places = [set(np.flatnonzero(mask).tolist()) for mask in masks]
        before = picture.copy()
        wanted = by_hand(picture.ravel().tolist(), places, options)
        assert of_masks(picture, masks, options).ravel().tolist() == wanted
        assert np.array_equal(picture, before)
    for labels, numbers in itertools.product(itertools.product((0, 3, 255), repeat=5), divisions(5)):
        regions = [{p for p, n in enumerate(numbers) if n == m} for m in range(max(numbers) + 1)]
        found = of_parts(np.uint8([labels]), np.array([numbers]), options)
        assert found.ravel().tolist() == by_hand(list(labels), regions, options)


def published(labels: np.ndarray, masks: list[np.ndarray]) -> np.ndarray:
    """What the published code leaves of one class, in words of sets (see merge.py)."""
    own, under, taken = labels == 1, np.zeros_like(labels, bool), np.zeros_like(labels, bool)
    for mask in masks:
        under |= mask
        inside = (mask & own).sum()
        if 2 * inside > mask.sum() or inside / own.sum() >= 0.85:
            taken |= mask
    return (taken | (own & ~under)).astype(np.uint8)


def test_one_class_is_as_published() -> None:
    rng = np.random.default_rng(1)
    changed = 0
    for _ in range(500):
        labels = (rng.random((6, 7)) < 0.4).astype(np.uint8)
        masks = list(rng.random((4, 6, 7)) < 0.15)
        y, x = rng.integers(0, 4, 2)
        masks[0][y : y + 2, x : x + 3] = labels[y : y + 2, x : x + 3] = 1
        masks[1] |= (labels == 1) & (rng.random((6, 7)) < 0.95)
        found = of_masks(labels, masks, rule("clear", covers=0.85))
        assert np.array_equal(found, published(labels, masks))
        changed += not np.array_equal(found, labels)
    assert changed > 400


def test_shares_by_hand() -> None:
    """Three of five are more than half, two of four are not; unknown pixels are no part of it."""
    parts = np.array([[0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]])
    labels = np.uint8([[1, 1, 1, 0, 0, 1, 1, 0, 0, 255, 255, 2, 255]])
    assert of_parts(labels, parts, rule()).tolist() == [[1, 1, 1, 1, 1, 1, 1, 0, 0, 2, 2, 2, 2]]
    assert of_parts(labels, parts, rule("clear")).tolist() == [[1, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2]]
    strict = of_parts(labels, parts, rule(share=0.6))  # 3 / 5 is not more
    assert strict.tolist() == [[1, 1, 1, 0, 0, 1, 1, 0, 0, 2, 2, 2, 2]]


def test_no_region_changes_nothing() -> None:
    labels = np.uint8([[1, 0, 255]])
    found = of_masks(labels, [], rule("clear"))
    assert found.tolist() == labels.tolist() and found is not labels
    unknown = np.full((1, 3), 255, np.uint8)
    assert of_parts(unknown, np.zeros((1, 3), int), rule("vote")).tolist() == unknown.tolist()
