"""The training of one picture's network."""

import pytest
import torch
from torch import Tensor

from stages.affinity.offsets import forward_offsets
from stages.common.annotations import Box
from stages.graph.a2gnn import Known, Training, probabilities
from stages.graph.losses import cross_entropy, multi_point, regularised, touched
from stages.graph.nodes import PictureGraph, edges, shares
from tests.graph.tiny import params

GRID, CELL, SIZE = (6, 8), 4, (23, 32)
LEFT = torch.arange(GRID[1]) < 3


def graph(parts: bool = True) -> PictureGraph:
    """Two halves without an edge between them; all nodes look alike but for noise."""
    draws = torch.Generator().manual_seed(0)
    near = [(int(dy), int(dx)) for dy, dx in forward_offsets(3)]
    found = edges(0.5 + 0.4 * torch.rand(len(near), *GRID, generator=draws), near)
    side = LEFT.repeat(GRID[0])
    found = found * (side[:, None] == side) if parts else found
    return PictureGraph(shares(torch.rand(GRID[0] * GRID[1], 12, generator=draws)), found, GRID, CELL)


def known(labels: Tensor, boxes: list[tuple[Box, int]] | None = None) -> Known:
    colours = torch.zeros(3, *GRID)
    colours[:, :, ~LEFT] = 200
    return Known(2, labels, boxes or [], colours)


def scribbles() -> Tensor:
    """A short stroke of background on the left, of the class on the right, and all else unknown."""
    labels = torch.full(SIZE, 255)
    labels[8:12, 4:7], labels[8:12, 20:24] = 0, 1
    return labels


@pytest.mark.parametrize(("weight", "least"), [(0.0, 0.97), (0.3, 1.0)])
def test_labels_fill_their_part_and_not_the_other(weight: float, least: float) -> None:
    """Of nodes that look alike; without the regularised loss some pixels at a corner may not be reached."""
    own = params(epochs=[60, 40], hidden=64, regularised__weight=weight)
    found = probabilities(graph(), known(scribbles()), own, 0)
    assert found.shape == (2, *SIZE)
    assert (found.sum(0) - 1).abs().max() < 1e-5
    labels = found.argmax(0)
    assert (labels[:, : 3 * CELL - 2] == 0).float().mean() >= least
    assert (labels[:, 3 * CELL + 2 :] == 1).float().mean() >= least
    assert found[0, :, :8].mean() > 0.9 and found[1, :, 20:].mean() > 0.9


def test_a_part_without_a_label_says_what_no_label_taught_it() -> None:
    """The other part's labels reach it through the shared weights alone: changing them across is no label."""
    own = params(epochs=[10, 0], regularised__weight=0.0, dropout=0.0)
    one, other = graph(), graph()
    moved = other.edges.clone()
    side = LEFT.repeat(GRID[0])
    moved[~side[:, None] & ~side] = torch.eye(len(side))[~side[:, None] & ~side]
    labels = scribbles()
    labels[labels == 1] = 255  # the left part alone is labelled
    first = probabilities(one, known(labels), own, 0)
    again = probabilities(other._replace(edges=moved), known(labels), own, 0)
    torch.testing.assert_close(first[:, :, : 2 * CELL], again[:, :, : 2 * CELL])


def test_equal_seeds_draw_the_same_and_nothing_else_is_drawn() -> None:
    own = params(epochs=[3, 3])
    first = probabilities(graph(), known(scribbles()), own, 5)
    torch.rand(3)
    again = probabilities(graph(), known(scribbles()), own, 5)
    other = probabilities(graph(), known(scribbles()), own, 6)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_nothing_to_learn_from_leaves_all_alike() -> None:
    nothing = torch.full(SIZE, 255)
    own = params(multi_point=0.0)
    assert (probabilities(graph(), known(nothing), own, 0) == 0.5).all()
    assert (probabilities(graph(), known(nothing), params(multi_point=1.0), 0) == 0.5).all()
    box = [(Box(0, 1, 14, 0, 32, 23), 1)]
    assert (probabilities(graph(), known(nothing, box), own, 0) == 0.5).all()  # its weight is 0
    one = known(torch.zeros(SIZE, dtype=torch.int64))._replace(classes=1)
    assert (probabilities(graph(), one, own, 0) == 1).all()
    own = params(multi_point=1.0, epochs=[20, 0], regularised__weight=0.0)
    found = probabilities(graph(), known(nothing, box), own, 0)
    assert found[1, :, 16:].mean() > 0.7


def test_the_second_phase_follows_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    phases: list[bool] = []
    monkeypatch.setattr(Training, "step", lambda _, late: phases.append(late))
    probabilities(graph(), known(scribbles()), params(epochs=[2, 3]), 0)
    assert phases == [False, False, True, True, True]


def test_a_picture_without_a_box_has_no_multi_point_loss() -> None:
    own = Training(graph(), known(scribbles()), params(multi_point=1.0), 0)
    scores, features = own.network(own.graph.nodes, own.graph.edges)
    wanted = cross_entropy(own.full_size(scores), own.known.labels)
    assert own.loss(scores, features, late=False).item() == pytest.approx(wanted.item(), rel=1e-5)


def trained(**changes: object) -> Training:
    boxes = [(Box(0, 1, 13, 2, 30, 20), 1), (Box(1, 1, 15, 0, 20, 23), 1)]
    return Training(graph(), known(scribbles(), boxes), params(**changes), 0)


@pytest.mark.parametrize("late", [False, True])
def test_the_sum_of_the_losses_has_the_regularised_one_in_the_second_phase(late: bool) -> None:
    """By the parts, of features that are read at their places by the interpolation of the whole picture."""
    own = trained(multi_point=0.7, regularised__weight=0.2)
    scores, features = own.network(own.graph.nodes, own.graph.edges)
    full, wide = own.full_size(scores), own.full_size(features)
    places = [touched(full[1], box) for box, _ in own.known.boxes]
    wanted = cross_entropy(full, own.known.labels)
    wanted += 0.7 * multi_point(
        [full[:, y, x].T for y, x in places], [wide[:, y, x].T for y, x in places], [1, 1]
    )
    wanted += late * 0.2 * regularised(scores, own.kernel)
    assert own.loss(scores, features, late).item() == pytest.approx(wanted.item(), rel=1e-4)
    without = trained(multi_point=0.0, regularised__weight=0.0)
    assert without.loss(scores, features, late).item() == pytest.approx(
        cross_entropy(full, own.known.labels).item(), rel=1e-5
    )


def test_labels_far_from_their_box_s_places_are_left_out_in_the_second_phase() -> None:
    """One node of the box has features at a right angle to all others': its pixels do not count."""
    own = trained(multi_point=0.0, regularised__weight=0.0, consistent_above=0.5)
    count = len(own.graph.nodes)
    features = torch.zeros(count, 8)
    features[:, 0] = 1
    odd = 2 * GRID[1] + 5  # of the pixels 8 to 11 down and 20 to 23 across: those of the class
    features[odd] = torch.eye(8)[1]
    scores = torch.randn(count, 2, generator=torch.Generator().manual_seed(0))
    full = own.full_size(scores)
    assert own.alike(features, features[0])[8:12, 20:24].max() == 0
    early, late = own.loss(scores, features, False), own.loss(scores, features, True)
    assert early.item() == pytest.approx(cross_entropy(full, own.known.labels).item(), rel=1e-5)
    ground = torch.where(own.known.labels == 1, 255, own.known.labels)
    assert late.item() == pytest.approx(cross_entropy(full, ground).item(), rel=1e-5)
    assert late < early


def test_the_cosines_of_ours_are_never_negative() -> None:
    """Why consistent_above is a high cosine: features are sums of what is not negative."""
    own = trained(multi_point=0.0)
    with torch.no_grad():
        features = own.network(own.graph.nodes, own.graph.edges)[1]
    assert features.min() >= 0 and own.alike(features, features.mean(0)).min() > 0.5


def test_an_epoch_lowers_the_loss() -> None:
    own = trained(multi_point=1.0, dropout=0.0)
    before = own.loss(*own.network(own.graph.nodes, own.graph.edges), True).item()
    for _ in range(10):
        own.step(late=True)
    assert own.loss(*own.network(own.graph.nodes, own.graph.edges), True).item() < 0.8 * before
