"""What a small classifier answers to masked pictures; grad-cam's metrics as a second implementation."""

import numpy as np
import pytest
import torch

from stages.explanation import metrics
from stages.explanation.answers import probabilities, views
from tests.seeds import tiny

IC, AD, AR, ADO, ARO = range(5)
SIDE, CLASSES = 33, [0, 2, 3]  # the classes of the picture


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return tiny.classifier().float()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return tiny.pictures(SIDE)[0].float().numpy()


@pytest.fixture(scope="module")
def masks() -> np.ndarray:
    """Multiples of 1 / 1024: of these 1 - (1 - m) is m to the bit."""
    draw = np.random.default_rng(0).integers(0, 1025, (len(CLASSES), SIDE, SIDE))
    return (draw / 1024).astype(np.float32)


def answered(
    model: torch.nn.Module, picture: np.ndarray, masks: np.ndarray, rows: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = probabilities(model, views(picture, masks), rows, "cpu", half=False)[:, CLASSES]
    return found[0], found[1 : len(masks) + 1], found[len(masks) + 1 :]


@pytest.mark.parametrize("rows", [1, 4])
def test_a_mask_of_ones_keeps_all_and_one_of_zeros_leaves_all(
    model: torch.nn.Module, picture: np.ndarray, rows: int
) -> None:
    """To the bit: answers are compared that were rounded alike."""
    ones = np.ones((len(CLASSES), SIDE, SIDE), np.float32)
    with torch.no_grad():
        nothing = model(torch.zeros(1, 3, SIDE, SIDE)).sigmoid()[0, CLASSES].numpy()
    plain, kept, left = answered(model, picture, ones, rows)
    assert np.ptp(plain) > 0.01  # the network tells the classes apart
    np.testing.assert_array_equal(kept, np.tile(plain, (3, 1)))
    np.testing.assert_allclose(left, np.tile(nothing, (3, 1)), rtol=1e-5)
    assert (metrics.of_pairs(plain, kept, left)[:, [IC, AD, ADO]] == 0).all()
    again, other_kept, other_left = answered(model, picture, 0 * ones, rows)
    np.testing.assert_array_equal(plain, again)
    np.testing.assert_array_equal(other_left, kept)
    np.testing.assert_array_equal(other_kept, left)


def test_a_drop_is_the_retention_of_the_complement_exactly(
    model: torch.nn.Module, picture: np.ndarray, masks: np.ndarray
) -> None:
    one = metrics.of_pairs(*answered(model, picture, masks))
    other = metrics.of_pairs(*answered(model, picture, 1 - masks))
    np.testing.assert_array_equal(one[:, [AD, ADO, AR, ARO]], other[:, [AR, ARO, AD, ADO]])
    assert (one[:, [AD, ADO, AR, ARO]] > 0).any(0).all()  # none of them is a comparison of zeros


def test_the_answers_do_not_hang_on_the_batch(
    model: torch.nn.Module, picture: np.ndarray, masks: np.ndarray
) -> None:
    """Seven pictures: in passes of one, of three with a last one that is filled up, in one of sixteen."""
    alone = probabilities(model, views(picture, masks), 1, "cpu", half=False)
    assert alone.shape == (7, 4) and alone.dtype == np.float64
    for rows in (3, 16):
        found = probabilities(model, views(picture, masks), rows, "cpu", half=False)
        np.testing.assert_allclose(found, alone, rtol=1e-5)


def test_half_precision_is_near(model: torch.nn.Module, picture: np.ndarray, masks: np.ndarray) -> None:
    exact, half = (probabilities(model, views(picture, masks), 2, "cpu", half=half) for half in (False, True))
    assert 0 < np.abs(exact - half).max() < 0.05


def test_as_the_library_grad_cam_has_it(
    model: torch.nn.Module, picture: np.ndarray, masks: np.ndarray
) -> None:
    """Its drop is absolute, ours is a share. Any increase is one for it, and these are more than rounding."""
    from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence, IncreaseInConfidence

    targets = [lambda scores, c=c: scores.sigmoid()[c] for c in CLASSES]
    batch = torch.from_numpy(np.stack([picture] * 3))
    plain, kept, left = answered(model, picture, masks)
    kept_less = answered(model, picture, masks**4)[1]
    for each, own in ((masks, kept), (1 - masks, left), (masks**4, kept_less)):
        ours = metrics.of_pairs(plain, own, own)
        np.testing.assert_array_equal(ours[:, IC], IncreaseInConfidence()(batch, each, targets, model))
        drops = DropInConfidence()(batch, each, targets, model)
        np.testing.assert_allclose(ours[:, AD], drops / plain, rtol=1e-4, atol=1e-6)
    both = [metrics.of_pairs(plain, own, own)[:, IC] for own in (kept, left, kept_less)]
    assert set(np.concatenate(both)) == {0, 1}
