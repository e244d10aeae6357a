"""Grad-CAM++ against derivatives of exp(S) by nested autograd, and the library on large scores."""

import numpy as np
import pytest
import torch
from torch import nn

from stages.seeds import grad_cam_pp
from tests.seeds.tiny import chain, classifier, pictures

CLASSES = torch.tensor([[0, 3, 1], [2, 1, 2]])


def toy():
    """Piece-wise linear above encoder.1, whose values are >= 0."""
    conv = nn.Conv2d(4, 5, 3, padding=1)
    return chain(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), conv, nn.ReLU(), channels=5)


def test_weights_are_those_of_the_derivatives_of_the_exponential():
    """alpha = d2Y / (2 d2Y + sum A d3Y) at each value by itself, with Y = exp(S); weights of Y / Y."""
    model, x = toy(), pictures(5)[:1]
    values = model.encoder[1](model.encoder[0](x)).detach()
    wanted, channels, sides = [], values.shape[1], values.shape[2] * values.shape[3]
    for c in CLASSES[0].tolist():
        flat = values.flatten().requires_grad_()
        score = model.pool(model.encoder[3](model.encoder[2](flat.view(values.shape))))[0, c]
        (first,) = torch.autograd.grad(score.exp(), flat, create_graph=True)
        weights = torch.zeros(channels).double()
        for n in range(len(flat)):
            if first[n] > 0:
                (second,) = torch.autograd.grad(first[n], flat, create_graph=True)
                (third,) = torch.autograd.grad(second[n], flat, retain_graph=True)
                total = values.flatten(2).sum(2)[0, n // sides]
                alpha = second[n] / (2 * second[n] + total * third[n])
                weights[n // sides] += (alpha * first[n] / score.exp()).detach()
        assert weights.count_nonzero() > 1
        wanted.append((weights[:, None, None] * values[0]).sum(0))
    found = grad_cam_pp.attribution(model, x, CLASSES[:1], "encoder.1")
    torch.testing.assert_close(found[0], torch.stack(wanted), rtol=1e-8, atol=1e-12)


def test_the_library_agrees_where_its_epsilon_is_small():
    """It adds 1e-6 to a denominator of the order of the squared slope; scores are multiplied by 1e5."""
    from pytorch_grad_cam import GradCAMPlusPlus
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model, x = toy(), pictures(12)
    model.head.weight *= 1e5
    found = grad_cam_pp.attribution(model, x, CLASSES, "encoder.1")
    with GradCAMPlusPlus(model=model.requires_grad_(), target_layers=[model.encoder[1]]) as library:
        for k in range(2):
            library(input_tensor=x, targets=[ClassifierOutputTarget(int(c)) for c in CLASSES[:, k]])
            values, slopes = (
                getattr(library.activations_and_grads, name)[0].detach().numpy()
                for name in ("activations", "gradients")
            )
            weights = library.get_cam_weights(x, None, None, values, slopes)
            wanted = np.einsum("bd,bdhw->bhw", weights, values)
            assert wanted.max() > 0
            np.testing.assert_allclose(found[:, k].numpy(), wanted, rtol=1e-4, atol=1e-6 * wanted.max())


def test_the_map_depends_on_the_size_of_the_score():
    """Weights are w / 2 of small scores, and 1 / GAP(A), whatever w is, of large ones."""
    model, x = classifier(), pictures()
    model.head.weight.abs_()
    values = model.features(x)
    model.head.weight *= 1e-9
    rows = model.head.weight.flatten(1)[CLASSES]
    small = torch.einsum("bkd,bdhw->bkhw", rows / 2, values)
    torch.testing.assert_close(grad_cam_pp.attribution(model, x, CLASSES, "last"), small, rtol=1e-6, atol=0)
    model.head.weight *= 1e24
    means = values.mean((2, 3), keepdim=True)
    large = torch.where(means > 0, values / means, 0).sum(1)[:, None].expand(small.shape)
    found = grad_cam_pp.attribution(model, x, CLASSES, "last")
    torch.testing.assert_close(found, large, rtol=1e-6, atol=1e-9)


def test_a_negative_sum_does_not_turn_the_sign_of_a_weight():
    """Values -10 and slopes 1: the denominator is 2 - 40, and counts as a tiny one."""
    values, slope = torch.full((1, 1, 2, 2), -10.0), torch.ones(1, 1, 2, 2)
    found = grad_cam_pp.of_class(values, slope)
    torch.testing.assert_close(found, torch.full((1, 2, 2), -10 * 4 / grad_cam_pp.TINY))
    assert torch.equal(grad_cam_pp.of_class(values, -slope), torch.zeros(1, 2, 2))


@pytest.mark.parametrize(("times_sum", "wanted"), [(0.0, 0.5), (2.0, 0.25), (-1.5, 2.0), (-3.0, 1e6)])
def test_alpha_by_hand(times_sum, wanted):
    assert grad_cam_pp.alpha(torch.tensor(times_sum)).item() == pytest.approx(wanted)
