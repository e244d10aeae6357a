import io

import numpy as np
import pytest
from PIL import Image

from stages.common.drawing.sheet import ERRORS
from stages.common.drawing.tiles import choose, tiles

SCORES = {"a": [50, 60, 40], "b": [50, 90, 95], "c": [30, 30, 30], "d": [80, 70, 20], "e": [10, 10, 99]}


def test_extremes_are_by_the_last_rung_and_the_change_to_it() -> None:
    chosen = choose(list("abcdef"), SCORES, 1, 2)
    assert chosen == {
        "a": ["most damaged"],  # 50 -> 40; f is not scored, c does not change
        "b": ["most improved"],
        "c": ["worst"],
        "d": ["sample", "worst", "most damaged"],
        "e": ["most improved"],
    }


def test_the_largest_changes_are_shown_and_small_ones_count() -> None:
    scores = {"a": [1, 1.5], "b": [1, 9], "c": [1, 5], "d": [9, 8.5], "e": [9, 1], "f": [0, 0]}
    chosen = choose(["f"], scores, 1, 1)
    assert chosen == {"b": ["most improved"], "e": ["most damaged"], "f": ["sample", "worst"]}
    assert list(choose(list("hgfedcba"), scores, 8, 3)) == list("abcdefgh")
    assert choose([], {"a": [1, 1.5], "b": [2, 2]}, 0, 1)["a"] == ["worst", "most improved"]
    assert "most damaged" in choose([], {"a": [1, 0.5], "b": [0, 0]}, 0, 1)["a"]


def test_without_scores_there_is_a_sample() -> None:
    assert choose(["b", "a"], {}, 5, 3) == {"a": ["sample"], "b": ["sample"]}


def test_one_rung_improves_nothing() -> None:
    assert choose(["a", "b"], {"a": [10], "b": [20]}, 1, 1) == {"a": ["worst"], "b": ["sample"]}


def _colours(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.int64)


def test_tiles_show_labels_and_errors() -> None:
    picture = np.zeros((40, 80, 3), np.uint8)
    truth, result = np.zeros((2, 40, 80), np.uint8)
    truth[:, :40] = 1  # missed on the left; on the right nothing is
    drawn = tiles(picture, truth, {"crf": result}, side=40)
    assert set(drawn) == {"picture", "truth", "crf.labels", "crf.errors"}
    errors = _colours(drawn["crf.errors"])
    assert errors.shape == (20, 40, 3)  # fitted
    missed = 0.8 * np.array(ERRORS["missed"])
    np.testing.assert_allclose(errors[5:15, 3:16].mean((0, 1)), missed, atol=12)  # WebP is lossy
    assert errors[:, 24:].max() < 12
    assert _colours(drawn["truth"])[5:15, 3:16, 2].mean() > 180  # class 1 is blue
    assert _colours(drawn["crf.labels"]).max() < 12


@pytest.mark.parametrize(
    "size, fitted", [((30, 20), (30, 20)), ((10, 200), (2, 40)), ((1, 200), (1, 40)), ((200, 1), (40, 1))]
)
def test_small_pictures_stay_small(size: tuple[int, int], fitted: tuple[int, int]) -> None:
    drawn = tiles(np.zeros((*size, 3), np.uint8), None, {"crf": np.zeros(size, np.uint8)}, side=40)
    assert set(drawn) == {"picture", "crf.labels"}  # no truth, no errors
    assert _colours(drawn["picture"]).shape[:2] == fitted
