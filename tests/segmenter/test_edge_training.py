"""The edge network learns from labels alone, and nobody notices its training."""

import numpy as np
import pytest
import torch

from stages.segmenter.edge_network import train
from stages.segmenter.edges import known_edges
from stages.segmenter.structure import onehot
from stages.segmenter.terms import Task, View, semeda
from tests.segmenter import scenes


@pytest.fixture
def task(tmp_path, monkeypatch) -> Task:
    monkeypatch.chdir(tmp_path)
    return scenes.task(tmp_path / "set")


def test_it_finds_the_edges_of_other_labels_and_is_taken_aback_by_soft_ones(task):
    """F1 on labels that it has not seen. CHEN's g saw masks alone: what is right with 90 % confidence then
    costs more than labels that are a pixel off.
    """
    network = train(task, scenes.semeda(steps=120), "x")
    labels = np.stack([scenes.rectangles(seed) for seed in range(100, 104)])
    maps = onehot(torch.from_numpy(labels.astype(np.int64)), 4)
    found = network(maps)[2][:, 1] > 0.5
    wanted = torch.from_numpy(np.stack([known_edges(one) for one in labels]))
    found, wanted = found[wanted != 255], wanted[wanted != 255] == 1
    f1 = 2 * (found & wanted).sum() / (found.sum() + wanted.sum())
    assert f1 > 0.9
    known = torch.from_numpy(np.where(labels == 255, 0, labels).astype(np.int64))
    soft = (0.9 * onehot(known, 4) + 0.1 / 4).log()
    moved = 200 * onehot(known, 4).roll(1, 3)
    seen = [View(scores, known, maps, 0.5, network, known >= 0) for scores in (soft, moved)]
    costs = [semeda.loss(scenes.semeda(), view)["semeda"] for view in seen]
    assert costs[0] > costs[1] > 0


def test_nobody_notices_its_training(task):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    network = train(task, scenes.semeda(), "x")
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(p.requires_grad for p in network.parameters()) and not network.training
    torch.manual_seed(4)
    again = train(task, scenes.semeda(), "another key")
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
