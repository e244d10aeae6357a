"""The ways to rank pixels on a linear network, whose contributions are known by hand, and on a tiny one."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stages.classifier.network import ClassifierNet
from stages.diagnosis.case import Case
from stages.diagnosis.methods import grad_cam, occlusion, random, vgatt_normalised, vgatt_raw
from stages.diagnosis.params import Occlusion
from stages.diagnosis.removal import ranked, views
from tests.seeds import tiny

MEAN = torch.tensor([0.4, 0.5, 0.3], dtype=torch.float64)[:, None, None]
STD = torch.tensor([0.2, 0.25, 0.5], dtype=torch.float64)[:, None, None]
RAW = torch.rand(3, 9, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
TARGET = 2


def linear() -> ClassifierNet:
    """A convolution with a bias and no bend: one affine region."""
    return tiny.chain(nn.Conv2d(3, 5, 3, stride=2, padding=1), channels=5, stride=2)


def case(model: ClassifierNet, fill: str = "black", seed: int = 0, options: tuple[int, int] = (4, 3)) -> Case:
    black = -MEAN / STD
    colour = black if fill == "black" else torch.zeros_like(black)
    square = Occlusion(patch=options[0], stride=options[1])
    return Case(model, (RAW - MEAN) / STD, TARGET, black, colour, square, (0, seed), 4)


def score(model: ClassifierNet, picture: torch.Tensor) -> float:
    with torch.no_grad():
        return float(model(picture[None])[0, TARGET])


def by_hand(model: ClassifierNet) -> torch.Tensor:
    """What each value of the input weighs in the score, [3, H, W]: the convolution transposed."""
    conv, head = model.encoder[0], model.head.weight[TARGET, :, 0, 0]
    ones = torch.ones(1, 1, 5, 6, dtype=torch.float64) / 30  # 9 x 12 at stride 2
    kernel = torch.einsum("d,dcij->cij", head, conv.weight)
    parts = [
        F.conv_transpose2d(ones, plane[None, None], stride=2, padding=1, output_padding=(0, 1))
        for plane in kernel
    ]
    return torch.cat(parts, 1)[0]


def test_a_linear_network_by_hand() -> None:
    model = linear()
    weights = by_hand(model)
    one = case(model)
    torch.testing.assert_close(vgatt_normalised.relevance(one), (weights * one.picture).sum(0))
    torch.testing.assert_close(vgatt_raw.relevance(one), (weights / STD * RAW).sum(0))
    bias = float(model.head.weight[TARGET, :, 0, 0] @ model.encoder[0].bias)
    assert abs(bias) > 0.01
    assert float(vgatt_normalised.relevance(one).sum()) + bias == pytest.approx(score(model, one.picture))


@pytest.mark.parametrize(("fill", "method"), [("black", vgatt_raw), ("mean", vgatt_normalised)])
def test_removal_takes_away_what_was_removed_exactly(fill: str, method: object) -> None:
    """The colour must be the one that gives nothing: black at raw pixels, the mean at normalised ones."""
    one = case(linear(), fill)
    relevance = method.relevance(one).numpy()
    order, shares = ranked(relevance), (2.0, 10.0, 50.0, 100.0)
    found = one.scores(views(one.picture.numpy(), order, shares, one.fill.numpy()))[:, TARGET]
    falling = np.sort(relevance.ravel())[::-1]
    gone = [falling[:count].sum() for count in (2, 11, 54, 108)]  # of 108 pixels
    np.testing.assert_allclose(found[1:] - found[0], np.negative(gone), rtol=1e-9)
    other = vgatt_raw if method is vgatt_normalised else vgatt_normalised
    apart = other.relevance(one).numpy().ravel()[order[:11]].sum() - gone[1]
    assert abs(apart) > 0.01 * abs(gone[1])


def test_raw_pixels_are_those_of_a_network_that_normalises_itself() -> None:
    model = tiny.classifier()
    one = case(model)._replace(picture=(RAW.repeat(1, 3, 3) - MEAN) / STD)
    raw = RAW.repeat(1, 3, 3).requires_grad_()
    model(((raw - MEAN) / STD)[None])[0, TARGET].backward()
    found = vgatt_raw.relevance(one)
    torch.testing.assert_close(found, (raw.grad * raw).sum(0).detach())
    assert found.std() > 0 and not torch.allclose(found, vgatt_normalised.relevance(one), rtol=0.1)


def test_occlusion_is_the_mean_fall_over_the_patches_that_cover_a_pixel() -> None:
    model = tiny.classifier()
    one = case(model, options=(5, 3))
    falls: dict[tuple[int, int], list[float]] = {}
    for top, left in itertools.product(
        (0, 3, 6), (0, 3, 6, 9)
    ):  # the first that reaches the border is the last
        hidden = one.picture.clone()
        pixels = [(y, x) for y in range(top, min(top + 5, 9)) for x in range(left, min(left + 5, 12))]
        for y, x in pixels:
            hidden[:, y, x] = one.black[:, 0, 0]
        fall = score(model, one.picture) - score(model, hidden)
        for pixel in pixels:
            falls.setdefault(pixel, []).append(fall)
    wanted = np.array([[np.mean(falls[y, x]) for x in range(12)] for y in range(9)])
    np.testing.assert_allclose(occlusion.relevance(one), wanted, rtol=1e-9)
    assert np.ptp(wanted) > 0.001


@pytest.mark.parametrize(
    ("side", "spans"), [(8, [(0, 8)]), (5, [(0, 5)]), (9, [(0, 8), (4, 9)]), (12, [(0, 8), (4, 12)])]
)
def test_patches_reach_the_border_and_go_no_further(side: int, spans: list[tuple[int, int]]) -> None:
    assert [(one.start, one.stop) for one in occlusion.spans(side, 8, 4)] == spans


def test_occlusion_of_a_linear_network_is_what_the_patch_contributes() -> None:
    """Patches side by side: the sum of VGatt at raw pixels in each."""
    one = case(linear(), options=(3, 3))
    parts = F.avg_pool2d(vgatt_raw.relevance(one)[None], 3)[0] * 9
    found = occlusion.relevance(one)
    torch.testing.assert_close(found[1::3, 1::3], parts)
    torch.testing.assert_close(found, parts.repeat_interleave(3, 0).repeat_interleave(3, 1))


def test_grad_cam_is_read_where_its_cells_lie() -> None:
    """With odd kernels cell i lies at pixel 2 i; the mean over the cells is the score."""
    model = tiny.chain(nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.ReLU(), channels=5, stride=2)
    one = case(model)
    found = grad_cam.relevance(one)
    assert found.shape == (9, 12)
    cells = found[::2, ::2]
    assert float(cells.mean()) == pytest.approx(score(model, one.picture))
    torch.testing.assert_close(found[1:8:2, ::2], (cells[:-1] + cells[1:]) / 2)


def test_random_hangs_on_seed_and_picture_alone() -> None:
    model = linear()
    first, again, other = (random.relevance(case(model, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (9, 12) and len(first.unique()) == 108
