"""Views of pictures: where they lie inside of the picture, and that to ask for it changes nothing."""

import cv2
import numpy as np
import pytest
import torch

from stages.common.artifacts import mask_bytes, write_atomic
from stages.common.pictures import Picture
from stages.common.training.samples import MaskedSamples, PlacedSamples
from tests.segmenter.scenes import params

WHITE, CROP = 255, 64
RESIZED = {"longest_side": [30, 90], "scale": None, "crop": CROP, "flip": 0.5, "jitter": [0.0] * 4}


@pytest.fixture
def samples(tmp_path) -> MaskedSamples:
    """A white picture with labels of which a third are unknown; views are filled up with another colour."""
    labels = np.random.default_rng(0).choice(np.uint8([0, 1, 255]), (50, 70))
    cv2.imwrite(str(tmp_path / "a.png"), np.full((50, 70, 3), WHITE, np.uint8))
    write_atomic(tmp_path / "masks" / "a.png", mask_bytes(labels))
    pictures = [Picture("a", tmp_path / "a.png", "train", 70, 50, (1,))]
    return MaskedSamples(pictures, params(augment=RESIZED | {"rand_augment": None}), tmp_path / "masks")


def test_inside_is_where_the_picture_s_own_colour_is(samples):
    shares = []
    for seed in range(20):
        view, labels, inside = samples.placed(0, np.random.default_rng(seed))
        white = (view - view.amax((1, 2), keepdim=True)).abs().amax(0) == 0
        assert inside.dtype == torch.bool and torch.equal(inside, white)
        assert (labels[~inside] == 255).all() and (labels[inside] == 255).any()
        shares.append(inside.float().mean().item())
    assert min(shares) < 0.5 and max(shares) > 0.9


def test_with_it_a_view_and_its_labels_are_the_same(samples):
    placed = PlacedSamples(samples)
    assert len(placed) == 1
    for seed in range(10):
        generators = [np.random.default_rng(seed) for _ in range(2)]
        found, wanted = (s.sample(0, rng) for s, rng in zip((placed, samples), generators, strict=True))
        assert torch.equal(found[0], wanted[0]) and torch.equal(found[1], wanted[1])
        assert found[1].dtype == wanted[1].dtype == torch.int64 and len(found) == 3
        assert generators[0].random() == generators[1].random()
