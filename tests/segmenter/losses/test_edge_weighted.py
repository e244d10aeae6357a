"""Weights by the distance to edges and to objects, by brute force."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from skimage.measure import label
from torch.nn import functional as F

from stages.common.training.batches import Samples
from stages.segmenter.edges import known_edges
from stages.segmenter.loss_params import EdgeWeighted
from stages.segmenter.losses import Extra
from stages.segmenter.losses.edge_weighted import loss, samples, two_nearest, weight_map


def options(form: str, balance: object = "none", **more: object) -> EdgeWeighted:
    values = {"form": form, "w0": 10, "sigma": 3, "bands": [], "balance": balance, **more}
    return EdgeWeighted.model_validate(values)


def scene() -> np.ndarray:
    """Three objects of two classes, two of which touch, and unknown pixels."""
    labels = np.zeros((24, 30), np.uint8)
    labels[3:9, 3:10] = 1
    labels[9:15, 5:12] = 2
    labels[4:8, 14:20] = 1
    labels[20:, :6] = 255
    return labels


def places(marked: np.ndarray) -> np.ndarray:
    return np.argwhere(marked).astype(float)


def distances(labels: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """To the nearest marked pixel, of all pairs."""
    return cdist(places(np.ones_like(labels)), places(marked)).min(1).reshape(labels.shape)


def test_caliva_is_one_and_one_over_the_distance():
    labels = scene()
    wanted = 1 + 1 / (1 + distances(labels, known_edges(labels) == 1))
    np.testing.assert_allclose(weight_map(labels, options("caliva")), wanted, rtol=1e-5)
    assert wanted.max() == 2


def test_bands_take_the_first_radius_that_reaches():
    labels = scene()
    d = distances(labels, known_edges(labels) == 1)
    wanted = np.where(d <= 0, 5.0, np.where(d <= 2, 2.0, 1.0))
    found = weight_map(labels, options("bands", bands=[[0, 5], [2, 2]]))
    np.testing.assert_array_equal(found, wanted)
    assert set(np.unique(found)) == {1, 2, 5}


@pytest.mark.parametrize("reach", [100, 5])
def test_the_two_nearest_objects(reach: int):
    """Of pieces found by another library; what lies beyond the reach is not looked for."""
    labels = scene()
    all_of = []
    for c in (1, 2):
        pieces = label(labels == c, connectivity=2)
        all_of += [distances(labels, pieces == n) for n in range(1, pieces.max() + 1)]
    wanted = np.sort(all_of, 0)[:2]
    assert len(all_of) == 3
    for found, right in zip(two_nearest(labels, reach), wanted, strict=True):
        near = right <= reach
        np.testing.assert_allclose(found[near], right[near], rtol=1e-5)
        assert (found[~near] >= right[~near] - 1e-4).all()


def test_unet_weighs_what_lies_between_objects():
    labels = scene()
    first, second = two_nearest(labels, 100)
    wanted = 10 * np.exp(-((first + second) ** 2) / 18)
    found = weight_map(labels, options("unet"))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert found.dtype == np.float32
    assert found[8, 7] > 8 and found[6, 12] > 0.1  # where two touch, and in a gap of four pixels
    alone = np.where(labels == 2, 2, 0).astype(np.uint8)
    assert not weight_map(alone, options("unet")).any()


@pytest.mark.parametrize(("form", "value"), [("unet", 0), ("caliva", 1), ("bands", 1)])
def test_without_edges_all_pixels_weigh_the_same(form: str, value: float):
    found = weight_map(np.full((6, 6), 255, np.uint8), options(form, bands=[[2, 3]] * (form == "bands")))
    assert np.array_equal(found, np.full((6, 6), value, np.float32))


def test_the_class_s_weight_is_kept_far_from_edges():
    """CHEN's copy of U-Net's map lost it: inner parts weighed nothing."""
    torch.manual_seed(0)
    x, labels = torch.randn(1, 3, 4, 4), torch.randint(0, 3, (1, 4, 4))
    weights, far = torch.tensor([0.5, 2.0, 3.0]), torch.zeros(1, 4, 4)
    found = loss(x, labels, options("unet", "inverse"), Extra(weights, far))
    nll = F.cross_entropy(x, labels, reduction="none")
    torch.testing.assert_close(found, (weights[labels] * nll).mean())
    near = torch.rand(1, 4, 4)
    found = loss(x, labels, options("unet", "inverse"), Extra(weights, near))
    torch.testing.assert_close(found, ((weights[labels] + near) * nll).mean())
    found = loss(x, labels, options("caliva", "inverse"), Extra(weights, near))
    torch.testing.assert_close(found, (weights[labels] * near * nll).mean())


class Views:
    def __len__(self) -> int:
        return 7

    def sample(self, index: int, rng: np.random.Generator):
        assert (index, rng) == (3, RNG)
        return torch.ones(3, 24, 30), torch.from_numpy(scene().astype(np.int64))


RNG = np.random.default_rng(0)


def test_samples_bring_the_weights_of_their_view():
    found: Samples = samples(Views(), options("caliva"))
    picture, labels, weights = found.sample(3, RNG)
    assert len(found) == 7 and picture.sum() == 3 * 24 * 30
    np.testing.assert_array_equal(weights, weight_map(scene(), options("caliva")))
    assert weights.dtype == torch.float32 and labels.dtype == torch.int64
