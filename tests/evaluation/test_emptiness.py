"""Masks that are nearly all background, and classes that nobody marks."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipeline.results.data_set import DataSet
from pipeline.results.report import warn
from pipeline.results.scores import Rung
from stages.common.artifacts import mask_bytes
from stages.evaluation import emptiness
from stages.evaluation.rungs import rung

CLASSES = ("background", "cat", "dog")
FOLDER = "data/predictions"


def masks(root: Path, contents: list[list[int]]) -> list[str]:
    """Masks of 1000 pixels; a list of the counts of the classes each."""
    (root / FOLDER).mkdir(parents=True)
    for index, counts in enumerate(contents):
        mask = np.repeat(np.arange(len(counts), dtype=np.uint8), counts).reshape(10, 100)
        (root / FOLDER / f"{index}.png").write_bytes(mask_bytes(mask))
    return [f"{index}" for index in range(len(contents))]


def said(root: Path, ids: list[str], labels: tuple[int, ...] = (1, 2)) -> list[str]:
    return emptiness.words(
        "predictions", emptiness.sample(dict.fromkeys(ids, labels), rung("predictions", root)), CLASSES
    )


def test_most_pictures_nearly_empty(tmp_path: Path) -> None:
    ids = masks(tmp_path, [[1000, 0, 0], [996, 4, 0], [500, 250, 250]])
    assert said(tmp_path, ids) == [
        "predictions: 2 of the 3 masks are background on 99.5 % of their pixels or more"
    ]


def test_a_class_that_is_never_marked(tmp_path: Path) -> None:
    ids = masks(tmp_path, [[900, 0, 100], [994, 0, 6]])
    assert said(tmp_path, ids) == ["predictions: none of the 2 masks has cat"]
    assert said(tmp_path, ids, labels=(2,)) == []  # no picture of the split shows one


def test_good_masks_and_none_say_nothing(tmp_path: Path) -> None:
    ids = masks(tmp_path, [[900, 0, 100], [900, 100, 0]])
    assert said(tmp_path, ids) == []
    assert emptiness.words("crf", emptiness.sample({"a": (1,)}, rung("crf", tmp_path)), CLASSES) == []


def test_of_many_masks_some_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emptiness, "LOOKED", 2)
    ids = masks(tmp_path, [[1000, 0, 0]] * 5)
    assert said(tmp_path, ids)[0].startswith("predictions: 2 of 2 of the 5 masks are background")


def test_a_share_of_the_pixels_and_more_than_half_of_the_pictures(tmp_path: Path) -> None:
    """995 of 1000 pixels are nearly all, 994 are not; two of four pictures are not most."""
    look = emptiness.sample(
        dict.fromkeys(masks(tmp_path, [[995, 5], [994, 6], [1000], [500, 500]]), (1,)),
        rung("predictions", tmp_path),
    )
    assert (look.looked, look.empty, look.total) == (4, 2, 4)
    assert emptiness.words("predictions", look, CLASSES) == []
    assert emptiness.words("predictions", dataclasses.replace(look, empty=3), CLASSES) != []


def test_void_pixels_count_as_nothing(tmp_path: Path) -> None:
    counts = [4, 1] + [0] * 253 + [995]
    ids = masks(tmp_path, [counts, [0] * 255 + [1000], [1] + [0] * 254 + [999]])
    look = emptiness.sample(dict.fromkeys(ids, (1,)), rung("predictions", tmp_path))
    assert (look.empty, look.classes) == (1, {0, 1})  # four of five known pixels, none, one of one


def test_a_missing_mask_is_none(tmp_path: Path) -> None:
    masks(tmp_path, [[900, 100]])
    look = emptiness.sample({"0": (1,), "9": (2,)}, rung("predictions", tmp_path))
    assert (look.looked, look.total, look.named, look.classes) == (1, 2, {1}, {0, 1})


def test_those_looked_at_are_evenly_spaced_over_the_sorted_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptiness, "LOOKED", 4)
    ids = masks(tmp_path, [[900, 100]] * 10)
    look = emptiness.sample({name: (int(name),) for name in reversed(ids)}, rung("predictions", tmp_path))
    assert (look.looked, look.named) == (4, {0, 2, 5, 7})  # every 2.5th


@pytest.mark.parametrize(("number", "end"), [(8, "c8"), (9, "c8 and 1 more"), (11, "c8 and 3 more")])
def test_at_most_eight_names_are_listed(number: int, end: str) -> None:
    names = [f"c{n}" for n in range(number + 1)]
    look = emptiness.Look(1, 0, frozenset({0}), frozenset(range(1, number + 1)), 1)
    (line,) = emptiness.words("crf", look, names)
    assert line == f"crf: none of the 1 masks has {', '.join(names[1:8])}, {end}"


def test_names_are_in_the_order_of_the_classes() -> None:
    look = emptiness.Look(1, 0, frozenset({0}), frozenset({8, 1}), 1)
    assert emptiness.words("crf", look, [f"c{n}" for n in range(9)])[0].endswith("has c1, c8")


def test_both_remarks_are_one_line() -> None:
    (line,) = emptiness.words("crf", emptiness.Look(3, 2, frozenset({0}), frozenset({2}), 3), CLASSES)
    assert "2 of the 3 masks are background" in line and line.endswith("; none of the 3 masks has dog")


def test_the_page_says_so_and_names_classes_without_pictures(tmp_path: Path) -> None:
    ids = masks(tmp_path, [[1000, 0, 0]])
    rows = [{"id": ids[0], "split": "val", "labels": "cat"}, {"id": "t", "split": "train", "labels": "dog"}]
    maps = Rung("seeds", "current", "", "train", numbers={"best_threshold": 0.3}, results="predictions")
    labels = Rung("predictions", "current", "", "val", results="predictions")
    found = warn.warnings(tmp_path, DataSet(list(CLASSES), rows, {}), [maps, labels])
    assert found[0].startswith("predictions: 1 of the 1 masks") and len(found) == 3
    assert "no picture of train shows cat" in found[1] and "no picture of val shows dog" in found[2]
