"""The edge network: its size, what it sees, and the samples and the loss that it learns by."""

import numpy as np
import pytest
import torch

from stages.common.training.augment import augment
from stages.segmenter import edge_network
from stages.segmenter.edge_network import EdgeNet, EdgeSamples, look, still, training
from stages.segmenter.edges import known_edges
from stages.segmenter.structure import onehot
from stages.segmenter.terms import Task
from tests.segmenter import scenes


@pytest.fixture
def task(tmp_path, monkeypatch) -> Task:
    monkeypatch.chdir(tmp_path)
    return scenes.task(tmp_path / "set")


def test_its_weights_are_the_thesis_s_ten_thousand():
    """Of 21 classes: (21 9 + 1) 16 + (16 9 + 1) 32 + (32 9 + 1) 2."""
    assert sum(p.numel() for p in EdgeNet(21).parameters()) == 190 * 16 + 145 * 32 + 289 * 2 == 8258


def test_its_layers_see_3_5_and_7_pixels():
    torch.manual_seed(0)
    network, maps = EdgeNet(2), torch.rand(1, 2, 15, 15, requires_grad=True)
    for reach, layer in enumerate(network(maps), 1):
        maps.grad = None
        (layer[0, :, 7, 7] * torch.arange(1, layer.shape[1] + 1)).sum().backward(retain_graph=True)
        seen = maps.grad[0].abs().sum(0).nonzero()
        assert seen.min() == 7 - reach and seen.max() == 7 + reach
    assert len(network(maps, 2)) == 2


def test_its_layers_end_in_relu_relu_and_softmax():
    torch.manual_seed(0)
    first, second, last = EdgeNet(2)(torch.randn(2, 2, 9, 9))
    for layer in (first, second):
        assert layer.min() == 0 and layer.max() > 0
    torch.testing.assert_close(last.sum(1), torch.ones(2, 9, 9))
    assert first.shape[1:] == (16, 9, 9) and second.shape[1:] == (32, 9, 9) and 0 < last.min() < 0.5


def test_the_loss_is_the_mean_over_known_edges():
    wanted = torch.tensor([[[0, 1], [255, 1]]])
    psi = torch.rand(1, 2, 2, 2).softmax(1)
    found = edge_network.loss({"main": lambda _: (0, 0, psi)}, (torch.zeros(1), wanted), 0.0)["loss"]
    right = torch.stack([psi[0, 0, 0, 0], psi[0, 1, 0, 1], psi[0, 1, 1, 1]])
    torch.testing.assert_close(found, -right.log().mean())
    networks = {"main": lambda _: (0, 0, psi)}
    nothing, alone = torch.full_like(wanted, 255), torch.tensor([[[255, 1], [255, 255]]])
    assert edge_network.loss(networks, (torch.zeros(1), nothing), 0.0)["loss"] == 0
    found = edge_network.loss(networks, (torch.zeros(1), alone), 0.0)["loss"]
    torch.testing.assert_close(found, -right[1].log())


def test_shares_and_the_hash_of_labels():
    masks = [np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8)]
    masks[1][0, 0] = 255
    found = look(masks, 1)
    assert (found.known, found.compared) == (47 / 48, 44 / 48)
    assert look(masks, 2).compared == 39 / 48
    assert look(masks, 2).digest == found.digest != look(masks[:1], 1).digest
    assert look([m.reshape(6, 4) for m in masks], 1).digest != found.digest


def test_samples_are_crops_of_labels_and_their_edges(task):
    samples = EdgeSamples(task, scenes.semeda())
    assert len(samples) == 8 * 12
    maps, wanted = samples.sample(11, np.random.default_rng(9))
    blank = np.zeros((72, 72, 3), np.uint8)
    crop = augment(
        blank, scenes.rectangles(3), still(task.params), task.samples.fill, np.random.default_rng(9)
    )
    assert torch.equal(maps, onehot(torch.from_numpy(crop[1].astype(np.int64))[None], 4)[0])
    np.testing.assert_array_equal(wanted, known_edges(crop[1]))
    noisy, again = EdgeSamples(task, scenes.semeda(noise=1.0)).sample(11, np.random.default_rng(9))
    known = torch.from_numpy(crop[1] != 255)
    assert not known.all() and wanted.dtype == again.dtype == torch.int64
    assert torch.equal(wanted, again)
    torch.testing.assert_close(noisy.sum(0), known.float())
    assert 0.01 < (noisy.argmax(0) != maps.argmax(0))[known].float().mean() < 0.6


def test_it_is_trained_by_adam_at_one_rate():
    found = training(scenes.params(), scenes.semeda(lr=0.02))
    optimizer = found.optimizer
    assert (optimizer.name, optimizer.lr, optimizer.weight_decay) == ("adamw", 0.02, 0)
    assert (optimizer.poly_power, optimizer.warmup, optimizer.head_multiple) == (0, 0, 1)
    assert (found.batch, found.epochs, found.precision) == (8, 1, "fp32")
