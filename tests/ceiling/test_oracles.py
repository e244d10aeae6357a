"""What the oracles make of labels, by hand on 3x3, and what always holds."""

from pathlib import Path

import numpy as np

from stages.ceiling import all_corrected, only_true
from stages.ceiling.__main__ import ORACLES
from stages.ceiling.samples import CorrectedSamples
from stages.common.artifacts import mask_bytes
from stages.common.pictures import Picture
from tests.common.training.tiny import params

TRUTH = np.array([[0, 0, 1], [0, 2, 1], [255, 255, 2]], np.uint8)
LABELS = np.array([[0, 1, 255], [255, 2, 2], [255, 1, 0]], np.uint8)


def test_both_by_hand() -> None:
    assert only_true.correct(TRUTH, LABELS).tolist() == [[0, 255, 255], [255, 2, 255], [255, 255, 255]]
    assert all_corrected.correct(TRUTH, LABELS).tolist() == [[0, 0, 255], [255, 2, 1], [255, 255, 2]]


def test_what_always_holds() -> None:
    rng = np.random.default_rng(0)
    truth, labels = (rng.choice(np.array([0, 1, 2, 255], np.uint8), (40, 50)) for _ in range(2))
    before = truth.copy(), labels.copy()
    right, put_right = only_true.correct(truth, labels), all_corrected.correct(truth, labels)
    assert np.array_equal(truth, before[0]) and np.array_equal(labels, before[1])
    known = right != 255
    assert np.array_equal(right[known], put_right[known])  # a part of it
    assert 0 < known.sum() < (put_right != 255).sum() < (labels != 255).sum()
    for found in (right, put_right):
        assert found.dtype == np.uint8
        assert np.array_equal(found[found != 255], truth[found != 255])  # accuracy 1
        assert np.all(found[truth == 255] == 255) and np.all(found[labels == 255] == 255)
    for correct in ORACLES.values():  # of perfect labels nothing is left out, and nothing changed
        assert np.array_equal(correct(truth, truth), truth)


def test_the_samples_are_of_corrected_labels(tmp_path: Path) -> None:
    for folder, values in (("masks", TRUTH), ("labels", LABELS)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(mask_bytes(values))
    picture = Picture("a", Path("a.png"), "train", 3, 3, (1, 2))
    for correct in ORACLES.values():
        samples = CorrectedSamples([picture], params(), tmp_path / "masks", tmp_path / "labels", correct)
        found = samples.mask(picture)
        assert found is not None and np.array_equal(found, correct(TRUTH, LABELS))
