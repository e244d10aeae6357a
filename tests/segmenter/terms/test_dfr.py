"""The dynamic feature regularised loss: double loops, whose gradients go where, and its limits."""

import math

import pytest
import torch
from torch import nn

from stages.segmenter.loss_params import Dfr, GatedCrf
from stages.segmenter.terms import Task, dfr, gated_crf
from stages.segmenter.terms.dfr import confident, consistency_head, loss
from tests.segmenter import scenes
from tests.segmenter.terms.views import CELL, CHANNELS, ENCODER, cells, near, noise

OPTIONS = Dfr(
    weight=0.3, feature_weight=0.7, radius=2, sigma_xy=1.5, sigma_rgb=60, sigma_features=2, channels=CHANNELS,
    confidence=0.6,
)  # fmt: skip


def told(view, **changes):
    return loss(OPTIONS.model_copy(update=changes), ENCODER, view)


def test_each_part_by_a_double_loop():
    view = noise()
    p, rgb, inside = cells(view)
    f, counted = view.features, inside.sum()
    pairs = fr = 0.0
    sums, counts = dict.fromkeys("bfd", 0.0), dict.fromkeys("bfd", 0)
    for b, i, j in near(2, inside):
        first, second = (b, slice(None), *i), (b, slice(None), *j)
        far = ((i[0] - j[0]) ** 2 + (i[1] - j[1]) ** 2) / (2 * 1.5**2)
        unlike = (rgb[first] - rgb[second]).square().sum() / (2 * 60**2)
        apart = (f[first] - f[second]).abs().sum() / CHANNELS
        deep = (f[first] - f[second]).square().sum() / (2 * 2**2)
        pairs += math.exp(-far - unlike - deep) * (1 - p[first] @ p[second])
        fr += math.exp(-far - unlike) * apart
        (top, label), (other_top, other) = p[first].max(0), p[second].max(0)
        if top > 0.6 and other_top > 0.6:
            kind = "d" if label != other else "f" if label else "b"
            sums[kind] += -apart if kind != "d" else math.log(1 - math.exp(-apart))
            counts[kind] += 1
    assert min(counts.values()) > 5
    fd = -sums["b"] / counts["b"] - sums["f"] / counts["f"] - 2 * sums["d"] / counts["d"]
    shares = {"pairs": 0.3 * pairs / counted, "fd": 0.7 * fd, "fr": 0.7 * fr / counted}
    wanted = {"dfr": sum(shares.values()), **shares}
    torch.testing.assert_close(told(view), wanted, rtol=1e-5, atol=1e-6)


def slopes(name, view):
    view.scores.requires_grad_()
    view.features.requires_grad_()
    told(view)[name].backward()
    return view.scores.grad, view.features.grad


def test_the_kernel_has_no_gradient_and_the_labels_of_the_head_have_none():
    for name in ("fd", "fr"):
        scores, features = slopes(name, noise())
        assert scores is None or not scores.any()
        assert features.any()
    scores, features = slopes("pairs", noise())
    assert scores.any() and (features is None or not features.any())


def test_features_outside_of_the_picture_do_not_move():
    _, features = slopes("dfr", noise())
    assert features[0].any() and not features[1, :, :, :2].any() and features[1, :, :, 2:].any()


def test_without_a_difference_of_features_it_is_gated_crf():
    view = noise(features=torch.ones(2, CHANNELS, 6, 6))
    plain = GatedCrf(weight=0.3, cell=CELL, radius=2, sigma_xy=1.5, sigma_rgb=60)
    assert told(view)["pairs"] == gated_crf.loss(plain, ENCODER, view)["gated_crf"]
    assert told(view)["fr"] == 0
    assert told(noise())["pairs"] < told(view)["pairs"]


def test_where_nothing_is_sure_enough_the_head_learns_from_no_label():
    view = noise()
    assert told(view, confidence=1)["fd"] == 0
    view.features.requires_grad_()
    told(view, confidence=1)["dfr"].backward()
    assert view.features.grad.isfinite().all() and view.features.grad.any()  # L_fr asks for no label


def test_confident_labels_by_hand():
    p = torch.tensor([[[0.5, 0.99, 0.01]], [[0.5, 0.01, 0.98]], [[0.0, 0.0, 0.01]]])[None]
    assert confident(p.requires_grad_(), 0.98).tolist() == [[[255, 0, 255]]]


def test_the_head_is_a_convolution_of_one_cell_and_a_relu():
    torch.manual_seed(0)
    head, x = consistency_head(4, 3), torch.randn(2, 3, 5, 6)
    conv = next(m for m in head.modules() if isinstance(m, nn.Conv2d))
    wanted = torch.einsum("dc,bchw->bdhw", conv.weight[:, :, 0, 0], x) + conv.bias[:, None, None]
    torch.testing.assert_close(head(x), wanted.clamp_min(0))


@pytest.mark.parametrize("name", ["dfr", "gated_crf"])
def test_a_term_knows_how_the_colours_were_normalised(name, tmp_path):
    """Built for a training, it costs what it costs with the encoder of that training."""
    chosen = scenes.params()
    task = Task("segmenter", chosen, 3, scenes.samples(tmp_path, chosen))
    module, options = (
        (dfr, OPTIONS)
        if name == "dfr"
        else (gated_crf, GatedCrf(weight=0.3, cell=CELL, radius=2, sigma_xy=1.5, sigma_rgb=60))
    )
    term, view = module.build(options, task), noise()
    assert term.loss(view)[name] == module.loss(options, chosen.encoder, view)[name]
    assert term.loss(view)[name] != module.loss(options, ENCODER, view)[name]
    assert (term.head is not None) == (name == "dfr") and term.network is None
    if term.head:
        assert term.head(7)[0].weight.shape == (CHANNELS, 7, 1, 1)
