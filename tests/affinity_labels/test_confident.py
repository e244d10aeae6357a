"""The seeds' own labels, and which of them, and of what people drew, goes where."""

import numpy as np
import pytest

from stages.affinity_labels import confident
from stages.affinity_labels.drawn import Drawn
from stages.affinity_labels.params import Confident
from stages.common import reliable
from stages.common.annotations import Box
from stages.common.crf import infer_labels, unary_from_scores
from stages.common.crf_params import Crf
from stages.common.labels import alpha_scores
from stages.common.params import check
from stages.common.reliable_params import Reliable
from tests.common.scenes import pictures

CRF = Crf(iterations=2, smooth_sxy=3.0, smooth_compat=1.0, color_sxy=50.0, color_srgb=13.0, color_compat=1.0)
OWN = {
    "share": 0.4, "floor": 0.01, "alpha_foreground": 4.0, "alpha_plain": 8.0, "alpha_background": 24.0,
    "probability": 0.8, "grabcut": {"iterations": 3, "min_share": 0.15},
    "superpixels": {"segments": 12, "compactness": 10.0, "sigma": 0.0},
}  # fmt: skip
PARAMS = check(Confident, OWN, "test")
NOTHING = Drawn("none", [], None)
U, SIZE = 255, (24, 30)
CLASSES = np.array([6, 9])


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Maps [2, 24, 30] with a peak each, and a picture."""
    y, x = np.ogrid[:24, :30]
    maps = [np.exp(-((y - 12) ** 2 + (x - at) ** 2) / 20) for at in (8, 22)]
    rgb = pictures(1, *SIZE)[0].permute(1, 2, 0).numpy().astype(np.uint8)
    return np.float32(maps), rgb


def test_without_drawings_both_labels_are_the_reliable_regions_of_the_seeds() -> None:
    maps, rgb = scene()
    affinity, plain, nodes = confident.labels(maps, CLASSES, rgb, PARAMS, CRF, NOTHING)
    rule = {"alpha_foreground": 4.0, "alpha_background": 24.0, "probability": 0.8}
    wanted = Reliable(rule="two_alphas", two_alphas=rule, share=0.4, floor=0.01, crf=CRF)
    sure = reliable.labels(reliable.View(maps, CLASSES, rgb, np.ones(SIZE, bool)), wanted)
    np.testing.assert_array_equal(affinity, sure)
    np.testing.assert_array_equal(nodes, sure)
    assert {*np.unique(sure)} == {0, 6, 9, U}
    (crf,) = infer_labels(rgb, [unary_from_scores(alpha_scores(maps, 8))], CLASSES, CRF)
    np.testing.assert_array_equal(plain, crf)


def told() -> tuple[np.ndarray, np.ndarray]:
    """M_I of classes 6 and 9 in halves, and M'_I, which knows a stripe of each and of the background."""
    full = np.full(SIZE, 6, np.uint8)
    full[:, 15:] = 9
    sure = np.full(SIZE, U, np.uint8)
    sure[:, 5:8], sure[:, 20:22], sure[:, 28:] = 6, 9, 0
    return full, sure


def combined(drawn: Drawn) -> tuple[np.ndarray, np.ndarray]:
    return confident.combine(drawn, scene()[1], *told(), PARAMS)


def test_strokes_and_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Superpixels are ten columns wide."""
    parts = (np.arange(30) // 10)[None].repeat(24, 0)
    monkeypatch.setattr(confident, "segments", lambda picture, params: parts)
    marks = np.full(SIZE, U, np.uint8)
    marks[3, 12:15], marks[5, 2] = 9, 0
    sure = told()[1]
    grown = np.full(SIZE, U, np.uint8)
    grown[:, 10:20], grown[:, :10] = 9, 0
    both = np.where(grown == U, sure, grown)
    for kind, wanted in (("scribbles", (both, grown)), ("points", (sure, both))):
        for found, labels in zip(combined(Drawn(kind, [], marks)), wanted, strict=True):
            np.testing.assert_array_equal(found, labels)
            assert found.dtype == np.uint8


def test_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its left half is the object of a box: the stripe confirms some of class 6, nothing does of class 3."""

    def half(box: Box, picture: np.ndarray, params: object) -> np.ndarray:
        assert params == PARAMS.grabcut and picture.shape == (*SIZE, 3)
        found = np.zeros(SIZE, bool)
        found[box.top : box.bottom, box.left : (box.left + box.right) // 2] = True
        return found

    monkeypatch.setattr(confident, "object_of", half)
    boxes = [Box(2, 3, 16, 14, 20, 18), Box(1, 6, 2, 2, 14, 20), Box(3, 3, 18, 2, 22, 6)]
    affinity, nodes = combined(Drawn("boxes", boxes, None))
    wanted = np.zeros(SIZE, np.uint8)
    for box in boxes:
        wanted[box.top : box.bottom, box.left : box.right] = U
    wanted[2:20, 5:8] = 6  # of columns 2 to 7 those in which the seeds are sure
    wanted[14:18, 16:18] = wanted[2:6, 18:20] = 3  # which the seeds do not have in these boxes
    np.testing.assert_array_equal(affinity, wanted)
    np.testing.assert_array_equal(nodes, wanted)


def test_equal_inputs_give_equal_labels_whatever_the_order_of_the_boxes() -> None:
    maps, rgb = scene()
    boxes = [Box(1, 6, 2, 2, 16, 22), Box(2, 9, 12, 4, 28, 20), Box(3, 6, 10, 6, 24, 12)]
    first = confident.labels(maps, CLASSES, rgb, PARAMS, CRF, Drawn("boxes", boxes, None))
    other = confident.labels(maps, CLASSES, rgb, PARAMS, CRF, Drawn("boxes", boxes[::-1], None))
    for one, two in zip(first, other, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not first[0][0].any() and {6, 9} & {*np.unique(first[0])}


@pytest.mark.parametrize("kind", ["none", "boxes"])
def test_a_picture_without_a_class_is_background(kind: str) -> None:
    maps, none = np.zeros((0, *SIZE), np.float32), np.zeros(0, int)
    for found in confident.labels(maps, none, scene()[1], PARAMS, CRF, Drawn(kind, [], None)):
        assert found.shape == SIZE and found.dtype == np.uint8 and not found.any()


def test_strokes_through_the_real_superpixels() -> None:
    """What is drawn of one class is in its label; it grows; and no superpixel is cut."""
    marks = np.full(SIZE, U, np.uint8)
    marks[10:14, 6:10], marks[2, 20:26] = 6, 0
    drawn = Drawn("scribbles", [], marks)
    affinity, nodes = combined(drawn)
    assert (nodes[10:14, 6:10] == 6).any() and (nodes == 6).sum() > 16
    known = nodes != U
    np.testing.assert_array_equal(affinity[known], nodes[known])
    np.testing.assert_array_equal(affinity[~known], told()[1][~known])
    maps, rgb = scene()
    affinity, _, same = confident.labels(maps, CLASSES, rgb, PARAMS, CRF, drawn)
    np.testing.assert_array_equal(same, nodes)
    assert (affinity != nodes).any() and ((affinity == nodes) | (nodes == U)).all()
