"""Gated CRF by double loops over all pixels of a cell grid, and what does not count in it."""

import math

import pytest
import torch
from torch.nn import functional as F

from stages.segmenter.loss_params import GatedCrf
from stages.segmenter.terms.gated_crf import loss
from tests.segmenter.terms.views import CELL, ENCODER, cells, near, noise

OPTIONS = GatedCrf(weight=0.3, cell=CELL, radius=2, sigma_xy=1.5, sigma_rgb=60)


def value(view, options=OPTIONS):
    told = loss(options, ENCODER, view)
    assert list(told) == ["gated_crf"]
    return told["gated_crf"]


def test_by_a_double_loop():
    view = noise()
    p, rgb, inside = cells(view)
    total = 0.0
    for b, i, j in near(2, inside):
        far = ((i[0] - j[0]) ** 2 + (i[1] - j[1]) ** 2) / (2 * 1.5**2)
        unlike = (rgb[(b, slice(None), *i)] - rgb[(b, slice(None), *j)]).square().sum() / (2 * 60**2)
        alike = p[(b, slice(None), *i)] @ p[(b, slice(None), *j)]
        total += math.exp(-far - unlike) * (1 - alike)
    assert inside.sum() == 36 + 24
    torch.testing.assert_close(value(view), 0.3 * total / 60, rtol=1e-5, atol=0)


def test_one_class_everywhere_costs_nothing_and_two_in_like_colours_do():
    scores = torch.zeros(2, 3, 12, 12)
    scores[:, 1] = 100
    view = noise(scores=scores)
    assert abs(value(view)) < 1e-6
    halves = scores.clone()
    halves[:, :, :, 6:] = scores.roll(1, 1)[:, :, :, 6:]
    grey = torch.zeros(2, 3, 12, 12)
    # Of 30 + 20 cells: in each row 2 x 1 pairs reach 1 over the border, 2 x 2 reach 2, and so on, by hand.
    rows = {0: 6, 1: 5, 2: 4}  # rows of cells that have one so far above
    crossing = sum(
        2 * (1 if dy == 0 else 2) * rows[dy] * dx * math.exp(-(dy * dy + dx * dx) / (2 * 1.5**2))
        for dy in rows
        for dx in (1, 2)
    )
    whole = torch.ones(2, 12, 12, dtype=torch.bool)
    found = value(view._replace(scores=halves, pictures=grey, inside=whole))
    assert found.item() == pytest.approx(0.3 * crossing / 36, rel=1e-5)


def test_padding_changes_nothing():
    """A view with a border outside of the picture costs what the cut view costs."""
    view = noise(inside=torch.ones(2, 12, 12, dtype=torch.bool))
    wide = {name: F.pad(getattr(view, name), (4, 0, 2, 6), value=2.0) for name in ("scores", "pictures")}
    padded = view._replace(inside=F.pad(view.inside, (4, 0, 2, 6)), **wide)
    torch.testing.assert_close(value(padded), value(view))
    outside = view._replace(inside=torch.zeros_like(view.inside))
    assert value(outside) == 0


def test_only_the_scores_inside_move():
    view = noise()
    view.scores.requires_grad_()
    view.pictures.requires_grad_()
    value(view).backward()
    assert view.pictures.grad is None
    moved = view.scores.grad.abs().sum(1) > 0
    assert moved[0].all() and moved[1, :, 4:].all() and not moved[1, :, :4].any()


def test_the_slope_is_that_of_differences():
    view, line = noise(), torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(3))
    view.scores.requires_grad_()
    value(view).backward()
    with torch.no_grad():
        high, low = (value(view._replace(scores=view.scores + s * line)) for s in (1e-2, -1e-2))
    torch.testing.assert_close((view.scores.grad * line).sum(), (high - low) / 2e-2, rtol=1e-2, atol=1e-4)


def test_float32_whatever_the_scores_are():
    view = noise()
    rough = value(view._replace(scores=view.scores.bfloat16()))
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, value(view._replace(scores=view.scores.bfloat16().float())))
