"""A picture as a graph, against loops over pairs of cells."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from stages.affinity.network import affinities, build_affinity_net
from stages.affinity.offsets import forward_offsets
from stages.common.labels import upsample
from stages.graph import nodes
from tests.affinity.test_network import ENCODER


def offsets(radius: int) -> list[tuple[int, int]]:
    return [(int(dy), int(dx)) for dy, dx in forward_offsets(radius)]


@pytest.mark.parametrize(("height", "width", "radius"), [(4, 6, 3), (2, 7, 5), (5, 1, 2)])
def test_edges_are_the_stored_affinities_by_a_double_loop(height: int, width: int, radius: int) -> None:
    """Of each pair within the radius in either direction, window cut at edges; 1 of a node with itself."""
    near = offsets(radius)
    values = torch.rand(len(near), height, width, generator=torch.Generator().manual_seed(0))
    values[0, 0, 0], values[1, 0, 0] = 1e-3, 1.1e-3  # one is no edge, the other is
    found = nodes.edges(values, near)
    assert torch.equal(found, found.T) and nodes.edges(values.half(), near).dtype == torch.float32
    for i in range(height * width):
        for j in range(height * width):
            (y, x), (v, u) = divmod(i, width), divmod(j, width)
            if i == j:
                wanted = 1.0
            elif (v - y, u - x) in near:
                wanted = values[near.index((v - y, u - x)), y, x].item()
            elif (y - v, x - u) in near:
                wanted = values[near.index((y - v, x - u)), v, u].item()
            else:
                wanted = 0.0
            assert found[i, j] == (wanted if np.float32(wanted) > np.float32(1e-3) else 0), (i, j)


def test_nodes_are_the_encoder_s_levels_as_shares_of_their_sum() -> None:
    """At the grid, twice as fine, then pooled over 4 x 4 cells, the last ones cut."""
    torch.manual_seed(0)
    net = build_affinity_net(ENCODER, [3, 5], [4, 6], 4).eval()
    picture = torch.randn(1, 3, 40, 56)
    with torch.no_grad():
        found = nodes.picture_graph(net, picture, offsets(2), 4, None)
        levels, compared = net.encoder(picture), net(picture)
    assert found.grid == (3, 4) and found.cell == 16 and found.nodes.shape[0] == 12
    joined = torch.cat([F.interpolate(levels[n], (10, 14), mode="bilinear") for n in (3, 5)], 1)[0]
    for i in range(12):
        y, x = divmod(i, 4)
        mean = joined[:, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean((1, 2))
        torch.testing.assert_close(found.nodes[i], mean / mean.abs().sum(), rtol=1e-4, atol=1e-7)
    assert (found.nodes.abs().sum(1) - 1).abs().max() < 1e-5
    one = compared[0, :, 0:4, 0:4].mean((1, 2)), compared[0, :, 8:10, 12:14].mean((1, 2))
    other = compared[0, :, 0:4, 4:8].mean((1, 2)), compared[0, :, 4:8, 12:14].mean((1, 2))
    for at, (a, b) in zip([(0, 1), (11, 7)], zip(one, other, strict=True), strict=True):
        assert found.edges[at].item() == pytest.approx(math.exp(-(a - b).abs().mean()), rel=1e-4)
    assert found.edges[0, 2] == 0  # radius 2 is of neighbours alone


def test_without_pooling_the_edges_are_those_that_were_stored() -> None:
    torch.manual_seed(0)
    net = build_affinity_net(ENCODER, [3, 5], [4, 6], 8).eval()
    picture = torch.randn(1, 3, 40, 56)
    with torch.no_grad():
        stored = affinities(net(picture), offsets(3))[0][0].half()
        found = nodes.picture_graph(net, picture, offsets(3), 1, stored)
        again = nodes.picture_graph(net, picture, offsets(3), 1, None)
    assert torch.equal(found.edges, nodes.edges(stored, offsets(3))) and found.cell == 8
    torch.testing.assert_close(found.edges, again.edges, atol=1e-3, rtol=0)


def test_a_row_of_zeros_has_no_shares() -> None:
    found = nodes.shares(torch.tensor([[0.0, 0.0], [1.0, -3.0]]))
    assert found.tolist() == [[0.0, 0.0], [0.25, -0.75]]


@pytest.mark.parametrize("size", [(8, 131080), (131080, 8)])
def test_too_many_nodes_are_told_before_they_fill_the_memory(size: tuple[int, int]) -> None:
    net = build_affinity_net(ENCODER, [3], [4], 8).eval()
    with pytest.raises(
        ValueError, match=rf"graph\.pool: 1 makes 16385 nodes of a picture of {size[1]} x {size[0]} p"
    ):
        nodes.picture_graph(net, torch.zeros(1, 3, *size), offsets(2), 1, None)


def test_pixels_are_read_bilinearly_and_nothing_is_stretched() -> None:
    """Against OpenCV's, of the grid with its last cells whole; then what lies beyond the picture is cut."""
    maps = np.random.default_rng(0).random((2, 3, 5)).astype(np.float32)
    rows, columns = nodes.interpolation(3, 8, 21), nodes.interpolation(5, 8, 40)
    found = rows @ torch.from_numpy(maps) @ columns.T
    np.testing.assert_allclose(found.numpy(), upsample(maps, (24, 40))[:, :21], atol=1e-6)
    assert rows.shape == (21, 3) and (rows.sum(1) - 1).abs().max() < 1e-6
