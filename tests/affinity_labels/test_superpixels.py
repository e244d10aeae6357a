"""Growth of strokes and points, by a loop over superpixels, and what SLIC is asked for."""

import numpy as np
import pytest
from skimage.segmentation import slic

from stages.affinity_labels.params import Superpixels
from stages.affinity_labels.superpixels import grown, segments

U = 255


def test_by_hand() -> None:
    parts = np.array([[0, 0, 1, 1, 2, 2, 3, 3, 4, 4]])
    marks = np.array([[U, 3, 0, U, U, U, 3, 0, 254, 254]], np.uint8)
    assert grown(marks, parts).tolist() == [[3, 3, 0, 0, U, U, U, U, 254, 254]]


@pytest.mark.parametrize("seed", range(5))
def test_against_a_loop_over_the_superpixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = rng.integers(0, 12, (9, 11)) * 2  # some numbers have no pixel
    marks = np.where(rng.random((9, 11)) < 0.15, rng.integers(0, 4, (9, 11)), U).astype(np.uint8)
    wanted = np.full((9, 11), U)
    for part in range(24):
        classes = {int(marks[at]) for at in zip(*np.nonzero(parts == part), strict=True)} - {U}
        if len(classes) == 1:
            wanted[parts == part] = classes.pop()
    found = grown(marks, parts)
    assert found.dtype == np.uint8 and (found == wanted).all()
    assert len(np.unique(found)) > 2 and (found[marks != U] == U).any()


def test_nothing_grows_of_nothing() -> None:
    assert (grown(np.full((3, 4), U, np.uint8), np.zeros((3, 4), int)) == U).all()


def test_slic_has_the_parameters() -> None:
    """Each of them changes the superpixels, which are numbered from 0 and are what scikit-image makes."""
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 256, (4, 5, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    picture = np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)
    own = {"segments": 30, "compactness": 10.0, "sigma": 0.0}
    first = segments(picture, Superpixels(**own))
    assert first.shape == (40, 50) and first.min() == 0 and 10 < first.max() < 60
    wanted = slic(picture, 30, 10.0, sigma=0, start_label=0)
    np.testing.assert_array_equal(first, wanted)
    for change in ({"segments": 90}, {"compactness": 100.0}, {"sigma": 3.0}):
        assert (segments(picture, Superpixels(**own | change)) != first).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (30, 2)])
def test_small_pictures(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    found = segments(picture, Superpixels(segments=400, compactness=10.0, sigma=0.0))
    assert found.shape == shape and found.min() >= 0
