"""SEMEDA's loss on an edge network of seeded weights: by loops, and what must not matter."""

import numpy as np
import pytest
import torch

from stages.segmenter.edge_network import EdgeNet
from stages.segmenter.loss_params import Semeda
from stages.segmenter.structure import onehot
from stages.segmenter.terms import Task, View
from stages.segmenter.terms.semeda import build, loss
from tests.segmenter import scenes

VALUES = {"steps": 1, "lr": 0.01, "noise": 0, "warmup": 0}


def options(*weights: float, **more: float) -> Semeda:
    return Semeda.model_validate({**VALUES, "weights": list(weights), **more})


@pytest.fixture
def network() -> EdgeNet:
    torch.manual_seed(0)
    return EdgeNet(3).requires_grad_(False)


def batch(side: int = 9):
    torch.manual_seed(1)
    labels = torch.randint(0, 3, (2, side, side))
    labels[0, 0, :2] = 255
    return torch.randn(2, 3, side, side, requires_grad=True), labels


def view(network, scores, labels, done=0.5):
    return View(scores, labels, torch.zeros(len(labels), 3, *labels.shape[1:]), done, network, labels >= 0)


def layers_by_hand(network, maps: torch.Tensor) -> list[np.ndarray]:
    """Of one picture's maps [C, H, W]: the layers by numpy alone."""
    found, x = [], maps.double().numpy()
    for at, layer in enumerate(network.layers):
        wide = np.pad(x, ((0, 0), (1, 1), (1, 1)), "edge")
        windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), (1, 2))
        x = np.einsum("chwij,kcij->khw", windows, layer.weight.double().numpy())
        x = x + layer.bias.double().numpy()[:, None, None]
        x = np.exp(x) / np.exp(x).sum(0) if at == 2 else np.maximum(x, 0)
        found.append(x)
    return found


def test_the_sum_over_layers_by_numpy(network):
    scores, labels = batch()
    weights, sums, counts = (2, 4, 3), np.zeros(3), np.zeros(3)
    for b in range(2):
        known = (labels[b] != 255).float()
        mine = layers_by_hand(network, scores[b].detach().softmax(0) * known)
        theirs = layers_by_hand(network, onehot(labels[b : b + 1], 3)[0])
        for at in range(3):
            for i, j in np.ndindex(9, 9):
                around = labels[b, max(0, i - at - 1) : i + at + 2, max(0, j - at - 1) : j + at + 2]
                if not (around == 255).any():
                    sums[at] += np.abs(mine[at][:, i, j] - theirs[at][:, i, j]).sum()
                    counts[at] += len(mine[at])
    found = loss(options(*weights), view(network, scores, labels))
    np.testing.assert_allclose(found["semeda"].detach(), (weights * sums / counts).sum(), rtol=1e-5)
    one = loss(options(0, 4, 0), view(network, scores, labels))["semeda"].detach()
    np.testing.assert_allclose(one, 4 * sums[1] / counts[1], rtol=1e-5)


def test_right_results_cost_nothing(network):
    _, labels = batch()
    scores = (200 * onehot(labels, 3)).requires_grad_()
    found = loss(options(2, 4, 1), view(network, scores, labels))["semeda"]
    found.backward()
    assert found < 1e-6 and scores.grad.abs().max() < 1e-6


@pytest.mark.parametrize("weights", [(2, 4, 0), (1, 0, 0), (0, 0, 5)])
def test_nothing_under_unknown_pixels_matters(network, weights):
    scores, labels = batch(12)
    first = loss(options(*weights), view(network, scores, labels))
    first["semeda"].backward()
    under = (labels == 255)[:, None].expand_as(scores)
    assert not scores.grad[under].any() and scores.grad[~under].any()
    changed = torch.where(under, 9 * torch.randn(scores.shape), scores.detach())
    again = loss(options(*weights), view(network, changed, labels))
    torch.testing.assert_close(again, {name: value.detach() for name, value in first.items()})


def test_a_batch_of_unknown_pixels(network):
    scores, labels = batch()
    found = loss(options(2, 4, 1), view(network, scores, torch.full_like(labels, 255)))
    found["semeda"].backward()
    assert found["semeda"] == 0 and found["ground"] == 0 and not scores.grad.any()


def test_the_gradient_is_the_slope(network):
    scores, labels = batch()
    line = torch.randn_like(scores)
    loss(options(2, 4, 1), view(network, scores, labels))["semeda"].backward()
    with torch.no_grad():
        high, low = (
            loss(options(2, 4, 1), view(network, scores + s * line, labels))["semeda"] for s in (1e-3, -1e-3)
        )
    torch.testing.assert_close((scores.grad * line).sum(), (high - low) / 2e-3, rtol=2e-2, atol=2e-3)


def test_it_comes_up_over_the_warm_up(network):
    scores, labels = batch()
    full = loss(options(2, 4, 0), view(network, scores, labels, 0.0))["semeda"]
    for done, share in ((0.0, 0.0), (0.1, 0.25), (0.4, 1.0), (0.9, 1.0)):
        found = loss(options(2, 4, 0, warmup=0.4), view(network, scores, labels, done))["semeda"]
        torch.testing.assert_close(found, share * full)


def test_the_share_of_predicted_background_is_told(network):
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    labels[0, 0] = 255
    scores = torch.zeros(1, 3, 4, 4)
    scores[0, 0, :, 0] = scores[0, 1, :, 1:] = 5
    found = loss(options(2, 4, 0), view(network, scores, labels))
    assert found["ground"] == 25


def test_labels_of_which_too_few_are_known_are_refused(tmp_path):
    chosen = scenes.params(terms={"semeda": scenes.SEMEDA})
    samples = scenes.samples(tmp_path, chosen, 1)
    sparse = np.full((20, 40), 255, np.uint8)
    sparse[0:6, 0:5] = 1  # 30 of 800 are known; 6 have none within 3 that is not
    samples.mask = lambda picture: sparse
    with pytest.raises(ValueError) as error:
        build(options(0, 0, 1), Task("a", chosen, 4, samples))
    assert str(error.value) == (
        "segmenter.terms.semeda: 0.75 % of the pixels have no unknown one within 3, so that it could compare "
        "them, and 1 % must; 3.75 % are known: take denser labels, or leave semeda out of segmenter.terms"
    )


def test_semeda_is_float32_in_a_training_that_is_not(network):
    scores, labels = batch()
    wanted = loss(options(2, 4, 1), view(network, scores, labels))
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(options(2, 4, 1), view(network, scores, labels))
    assert torch.equal(found["semeda"], wanted["semeda"])


def test_semeda_is_float32_whatever_the_scores_are(network):
    scores, labels = batch()
    rough = scores.detach().bfloat16()
    found = loss(options(2, 4, 1), view(network, rough, labels))
    assert found["semeda"].dtype == torch.float32
    torch.testing.assert_close(found, loss(options(2, 4, 1), view(network, rough.float(), labels)))
