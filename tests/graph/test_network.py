"""A2GNN against loops over its formula."""

import math

import pytest
import torch
from torch import Tensor

from benchmarks import graph as benchmark
from stages.affinity.offsets import forward_offsets
from stages.graph.network import A2gnn, propagation
from stages.graph.nodes import edges

GRID = (4, 5)


def graph(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features [N, 6] and edges [N, N] of a grid."""
    draws = torch.Generator().manual_seed(seed)
    near = [(int(dy), int(dx)) for dy, dx in forward_offsets(3)]
    values = torch.rand(len(near), *GRID, generator=draws)
    values[values < 0.2] = 0
    return torch.rand(GRID[0] * GRID[1], 6, generator=draws) - 0.3, edges(values, near)


def made(layers: int = 3, edge_weight: float = 10, dropout: float = 0.5) -> A2gnn:
    return A2gnn((6, 7, 3), layers, edge_weight, dropout, torch.Generator().manual_seed(1))


def looped(hidden: list[list[float]], near: Tensor, weight: float, edge_weight: float) -> list[list[float]]:
    """ZHANG 3.17 and 3.18, node by node: the sum over its neighbours S(i) alone."""
    found = []
    for i, own in enumerate(hidden):
        there = [j for j in range(len(hidden)) if near[i, j] > 0]
        assert i in there
        powers = []
        for j in there:
            size = math.sqrt(sum(a * a for a in own)) * math.sqrt(sum(b * b for b in hidden[j]))
            cosine = sum(a * b for a, b in zip(own, hidden[j], strict=True)) / size if size else 0.0
            pull = edge_weight * near[i, j].item() if cosine > 0 else 0
            powers.append(math.exp(weight * cosine + pull))
        parts = [power / sum(powers) for power in powers]
        found.append([sum(p * hidden[j][d] for p, j in zip(parts, there, strict=True)) for d in range(7)])
    return found


@pytest.mark.parametrize("edge_weight", [10.0, 0.0, 2.5])
def test_the_network_is_its_formula_node_by_node(edge_weight: float) -> None:
    nodes, near = graph()
    network = made(edge_weight=edge_weight)
    scores, features = network(nodes, near)
    hidden = (nodes @ network.embed).relu().tolist()
    for weight in network.attention.tolist():
        hidden = looped(hidden, near, weight, edge_weight)
    torch.testing.assert_close(features, torch.tensor(hidden), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scores, torch.tensor(hidden) @ network.out, rtol=1e-4, atol=1e-5)


def test_features_that_are_unlike_are_not_pulled_by_their_edge() -> None:
    """[cos > 0]: an affinity counts between features that agree, so not at a right angle."""
    hidden = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    pull = 4 * torch.ones(3, 3)
    found = propagation(hidden, pull, torch.zeros(3, 3, dtype=torch.bool), torch.tensor(0.5))
    powers = [math.exp(0.5 + 4), math.exp(0), math.exp(0.5 / math.sqrt(2) + 4)]
    torch.testing.assert_close(found[0], torch.tensor([power / sum(powers) for power in powers]))


def test_rows_sum_to_one_and_without_weights_are_the_window_s_mean() -> None:
    nodes, near = graph()
    hidden, far = nodes.relu(), near == 0
    found = propagation(hidden, 10 * near, far, torch.tensor(0.7))
    assert (found.sum(1) - 1).abs().max() < 1e-6 and not found[far].any() and (found[~far] > 0).all()
    flat = propagation(hidden, 0 * near, far, torch.tensor(0.0))
    torch.testing.assert_close(flat, (~far).float() / (~far).sum(1, keepdim=True))


def test_gathering_neighbours_and_shifting_the_grid_say_the_same() -> None:
    """Two other ways to the same features and their gradient, of a grid that cuts the window."""
    near = [(int(dy), int(dx)) for dy, dx in forward_offsets(benchmark.RADIUS)]
    values = torch.rand(len(near), *GRID, generator=torch.Generator().manual_seed(3))
    values[values < 0.3] = 0
    nodes = torch.rand(GRID[0] * GRID[1], 6, generator=torch.Generator().manual_seed(4))
    found = {name: benchmark.epoch(layer, nodes) for name, layer in benchmark.ways(values, near).items()}
    for name in ("gathers", "shifts"):
        for one, other in zip(found[name], found["dense"], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_other_numbers_of_the_nodes_permute_what_comes_out() -> None:
    nodes, near = graph()
    network, order = made(), torch.randperm(len(nodes), generator=torch.Generator().manual_seed(2))
    scores, features = network(nodes, near)
    again = network(nodes[order], near[order][:, order])
    torch.testing.assert_close(again[0], scores[order])
    torch.testing.assert_close(again[1], features[order])
    assert not torch.allclose(scores, scores[order])


def test_dropped_features_are_zero_and_the_others_twice_as_large() -> None:
    nodes, near = graph()
    network = made(layers=0)
    whole, keep = network(nodes, near)[1], torch.zeros(len(nodes), 7)
    keep[:, :3] = 1
    dropped = network(nodes, near, keep)[1]
    assert not dropped[:, 3:].any()
    torch.testing.assert_close(dropped[:, :3], 2 * whole[:, :3])


def test_first_weights_are_drawn_as_published() -> None:
    """Xavier's uniform range, +- sqrt(6 / (in + out)), and 0 to 1; equal seeds, equal networks."""
    draws = torch.Generator().manual_seed(0)
    network = A2gnn((300, 200, 3), 500, 10, 0.5, draws)
    most = math.sqrt(6 / 500)
    assert 0.99 * most < network.embed.abs().max() <= most and network.embed.mean().abs() < 1e-3
    assert network.attention.min() >= 0 and 0.98 < network.attention.max() < 1
    torch.rand(3)
    again = A2gnn((300, 200, 3), 500, 10, 0.5, torch.Generator().manual_seed(0))
    assert torch.equal(again.out, network.out) and torch.equal(again.attention, network.attention)


def test_labels_never_cross_to_a_part_without_an_edge() -> None:
    """What a node says does not change when nodes change that no path leads to."""
    nodes, near = graph()
    parts = torch.arange(len(nodes)) % GRID[1] < 2
    near = near * (parts[:, None] == parts)
    network = made()
    before = network(nodes, near)[0]
    changed = torch.where(parts[:, None], nodes, nodes.flip(0) + 1)
    after = network(changed, near)[0]
    assert torch.equal(before[parts], after[parts]) and not torch.isclose(before[~parts], after[~parts]).all()
