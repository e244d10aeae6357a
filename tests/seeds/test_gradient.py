"""Gradients by the pixels, and their mean over noisy pictures."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stages.seeds import gradient, smooth_grad
from stages.seeds.params import SmoothGrad
from tests.seeds.tiny import chain, classifier, pictures

CLASSES = torch.tensor([[0, 3], [2, 2]])


def test_of_a_linear_network_it_is_the_size_of_the_weights():
    """One 1x1 convolution and the mean over 4 x 6 pixels: the largest |head . kernel| of the colours."""
    model = chain(nn.Conv2d(3, 5, 1), channels=5, stride=2)
    found = gradient.attribution(model, torch.randn(2, 3, 4, 6).double(), CLASSES, "input")
    rows = (model.head.weight.flatten(1) @ model.encoder[0].weight.flatten(1)).abs().amax(1)
    torch.testing.assert_close(found, rows[CLASSES][:, :, None, None].expand(2, 2, 2, 3))


def test_finite_differences():
    """Every colour of every pixel, up and down."""
    model, x, step = classifier(), pictures(16), 1e-6
    for row in range(2):
        moved = torch.eye(3 * 16 * 16).double().view(-1, 3, 16, 16) * step
        with torch.no_grad():
            slopes = (model(x[row] + moved) - model(x[row] - moved)) / (2 * step)
        for k, c in enumerate(CLASSES[row].tolist()):
            largest = slopes[:, c].view(3, 16, 16).abs().amax(0)
            by_cell = F.avg_pool2d(largest[None], 8)[0] * 256
            found = gradient.attribution(model, x, CLASSES, "input")[row, k]
            assert found.min() > 0
            torch.testing.assert_close(found, by_cell, rtol=1e-5, atol=1e-8)


def test_without_noise_smooth_grad_is_the_gradient():
    model, x = classifier(), pictures(24)
    wanted = gradient.attribution(model, x, CLASSES, "input")
    found = smooth_grad.attribution(model, x, CLASSES, "input", SmoothGrad(samples=3, noise=0.0))
    torch.testing.assert_close(found, wanted)


def test_smooth_grad_is_the_mean_of_the_maps_of_noisy_pictures():
    """One picture, class and sample at a time, with noise as wide as a share of the picture's range."""
    model, x = classifier(), pictures(24) * torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    found = smooth_grad.attribution(model, x, CLASSES, "input", SmoothGrad(samples=4, noise=0.2))
    source = torch.Generator().manual_seed(smooth_grad.SEED)
    noise = [torch.randn(3, 24, 24, generator=source).double() for _ in range(4)]
    for row in range(2):
        wide = 0.2 * (x[row].max() - x[row].min())
        for k, c in enumerate(CLASSES[row].tolist()):
            total = torch.zeros(3, 3).double()
            for one in noise:
                noisy = (x[row] + wide * one).requires_grad_()
                (slope,) = torch.autograd.grad(model(noisy[None])[0, c], noisy)
                total += F.avg_pool2d(slope.abs().amax(0)[None], 8)[0] * 24 * 24
            torch.testing.assert_close(found[row, k], total / 4)
    plain = gradient.attribution(model, x, CLASSES, "input")
    assert (found - plain).abs().max() > 0.1 * plain.max()


def test_the_noise_is_the_same_whenever_and_beside_whatever_a_picture_comes():
    model, x, options = classifier().float(), pictures(24).float(), SmoothGrad(samples=2, noise=0.2)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = smooth_grad.attribution(model, x, CLASSES, "input", options)
    assert torch.equal(torch.get_rng_state(), state)  # no random number of the process is drawn
    torch.manual_seed(2)
    assert torch.equal(smooth_grad.attribution(model, x, CLASSES, "input", options), first)
    for row in range(2):
        one = slice(row, row + 1)
        alone = smooth_grad.attribution(model, x[one], CLASSES[one], "input", options)
        torch.testing.assert_close(alone, first[one], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_more_samples_begin_with_the_same(samples):
    model, x = classifier(), pictures(24)

    def mean(count):
        return smooth_grad.attribution(model, x, CLASSES, "input", SmoothGrad(samples=count, noise=0.3))

    assert not torch.allclose(mean(samples + 1) * (samples + 1), mean(samples) * samples)
    assert (mean(samples + 1) * (samples + 1) - mean(samples) * samples).min() > 0  # one more map >= 0
