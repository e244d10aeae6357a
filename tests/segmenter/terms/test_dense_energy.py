"""The dense energy as a term: what of a view it sees."""

import numpy as np
import pytest
import torch

from stages.common.dense_energy import dense_energy
from stages.common.dense_energy_params import DenseEnergy
from stages.common.training.augment import normalise
from stages.segmenter.terms import View
from stages.segmenter.terms.dense_energy import build, loss
from tests.common.scenes import pictures
from tests.segmenter import scenes

ENCODER = scenes.params().encoder
GENTLE = DenseEnergy.model_validate(scenes.ENERGY | {"weight": 0.5, "method": "exact"})


def view(rgb: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor, inside: torch.Tensor) -> View:
    """Of pictures in grey values."""
    uint8 = rgb.movedim(1, 3).numpy().astype(np.uint8)
    x = torch.from_numpy(np.stack([normalise(one, ENCODER.mean, ENCODER.std) for one in uint8]))
    return View(scores, labels, x, 0.5, None, inside)


@pytest.fixture
def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    labels = torch.randint(0, 4, (2, 16, 18))
    labels[:, :6] = 255
    inside = torch.ones(2, 16, 18, dtype=torch.bool)
    inside[1, :, 14:], labels[1, :, 14:] = False, 255
    return pictures(2, 16, 18), torch.randn(2, 4, 16, 18), labels, inside


def test_what_is_unknown_and_what_is_outside_are_told_apart(scene):
    rgb, scores, labels, inside = scene
    found = loss(GENTLE, ENCODER, view(*scene))
    assert list(found) == ["dense_energy"]
    wanted = dense_energy(scores.softmax(1), rgb, labels < 4, inside, GENTLE)
    torch.testing.assert_close(found["dense_energy"], 0.5 * wanted)
    sure = loss(GENTLE, ENCODER, view(rgb, scores, torch.where(inside, 0, 255), inside))["dense_energy"]
    assert sure < found["dense_energy"]  # the unknown ones have no gate
    everywhere = view(rgb, scores, labels, torch.ones_like(inside))
    assert loss(GENTLE, ENCODER, everywhere)["dense_energy"] != found["dense_energy"]


def test_no_gradient_reaches_what_is_outside(scene):
    rgb, scores, labels, inside = scene
    scores.requires_grad_()
    loss(GENTLE, ENCODER, view(rgb, scores, labels, inside))["dense_energy"].backward()
    outside = ~inside[:, None].expand_as(scores)
    assert not scores.grad[outside].any() and scores.grad[~outside].any()


def test_it_is_float32_whatever_the_scores_are(scene):
    rgb, scores, labels, inside = scene
    rough = view(rgb, scores.bfloat16(), labels, inside)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(GENTLE, ENCODER, rough)["dense_energy"]
    wanted = loss(GENTLE, ENCODER, view(rgb, scores.bfloat16().float(), labels, inside))["dense_energy"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize("method", ["lattice", "exact"])
def test_scores_that_follow_it_become_of_one_class_within_a_colour(method, tmp_path):
    """Two halves of two colours; in scores of noise each half has a class that is a little ahead."""
    options = DenseEnergy.model_validate(scenes.ENERGY | {"method": method, "scale": 1})
    term = build(options, scenes.task(tmp_path))
    rgb = torch.full((1, 3, 16, 16), 60.0)
    rgb[..., 8:] = 180
    wanted = (torch.arange(16) >= 8).long().expand(1, 16, 16)
    torch.manual_seed(0)
    scores = torch.randn(1, 2, 16, 16) + 0.6 * torch.eye(2)[wanted].movedim(3, 1)
    before = (scores.argmax(1) == wanted).float().mean()
    unknown, inside = torch.full((1, 16, 16), 255), torch.ones(1, 16, 16, dtype=torch.bool)
    scores.requires_grad_()
    for _ in range(60):
        (slope,) = torch.autograd.grad(term.loss(view(rgb, scores, unknown, inside))["dense_energy"], scores)
        with torch.no_grad():
            scores -= 200 * slope
    assert before < 0.8 and (scores.argmax(1) == wanted).all()
    assert term.network is None and not term.files
