"""A network for each picture, trained from nothing on its node labels (ZHANG, Alg. 1)."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from stages.common.annotations import Box
from stages.common.artifacts import UNKNOWN
from stages.common.pairs import gaussian, square_offsets
from stages.graph.losses import consistent, cross_entropy, multi_point, regularised, touched
from stages.graph.network import A2gnn
from stages.graph.nodes import PictureGraph, both_ways, interpolation
from stages.graph.params import Graph


class Known(NamedTuple):
    """What is known of a picture. Positions are those of [background, *its classes]."""

    classes: int  # how many positions there are
    labels: Tensor  # positions [H, W], int64, 255 unknown
    boxes: list[tuple[Box, int]]  # and the position of its class
    colours: Tensor  # [3, h, w] in grey values, the mean of each node


def probabilities(graph: PictureGraph, known: Known, params: Graph, seed: int) -> Tensor:
    """[classes, H, W], which sum to 1, of the picture's own network after its training.

    Nothing is drawn but from `seed`. Where there is nothing to learn, all are alike.
    """
    labelled = bool((known.labels != UNKNOWN).any()) or bool(known.boxes and params.multi_point)
    if known.classes == 1 or not labelled:
        return torch.full((known.classes, *known.labels.shape), 1 / known.classes)
    training = Training(graph, known, params, seed)
    for epoch in range(sum(params.epochs)):
        training.step(late=epoch >= params.epochs[0])
    with torch.no_grad():
        return training.full_size(training.network(graph.nodes, graph.edges)[0]).softmax(0)


class Training:
    """Of one picture: a step is an epoch."""

    def __init__(self, graph: PictureGraph, known: Known, params: Graph, seed: int) -> None:
        self.graph, self.known, self.params = graph, known, params
        self.place, self.draws = graph.nodes.device, Generator().manual_seed(seed)
        sizes = graph.nodes.shape[1], params.hidden, known.classes
        made = A2gnn(sizes, params.layers, params.edge_weight, params.dropout, self.draws)
        self.network = made.to(self.place)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), params.lr, weight_decay=params.weight_decay
        )
        self.rows, self.columns = (
            interpolation(cells, graph.cell, pixels).to(self.place)
            for cells, pixels in zip(graph.grid, known.labels.shape, strict=True)
        )
        own = params.regularised
        offsets = square_offsets(own.radius)
        self.kernel = both_ways(
            gaussian(known.colours[None], offsets, own.sigma_xy, own.sigma_rgb)[0], offsets
        )

    def step(self, late: bool) -> None:
        shape = len(self.graph.nodes), self.params.hidden
        keep = torch.empty(shape).bernoulli_(1 - self.params.dropout, generator=self.draws).to(self.place)
        scores, features = self.network(self.graph.nodes, self.graph.edges, keep)
        self.optimiser.zero_grad()
        self.loss(scores, features, late).backward()
        self.optimiser.step()

    def loss(self, scores: Tensor, features: Tensor, late: bool) -> Tensor:
        """ZHANG 3.20, of scores [N, classes] and features [N, hidden]; the second phase has all of it."""
        params, known = self.params, self.known
        full, labels = self.full_size(scores), known.labels
        total = full.new_zeros(())
        places = [touched(full[at], box) for box, at in known.boxes]
        read = [self.read(features, *place) for place in places]
        if params.multi_point and places:
            of_places = [full[:, y, x].T for y, x in places]
            own = multi_point(of_places, read, [at for _, at in known.boxes])
            total = total + params.multi_point * own
        if late and params.consistent_above is not None:
            for (box, at), chosen in zip(known.boxes, read, strict=True):
                alike = self.alike(features, chosen.mean(0))
                labels = consistent(labels, box, at, alike, params.consistent_above)
        if late and params.regularised.weight:
            total = total + params.regularised.weight * regularised(scores, self.kernel)
        return total + cross_entropy(full, labels)

    def full_size(self, scores: Tensor) -> Tensor:
        """Scores [N, C] of the nodes at the picture's size, [C, H, W], bilinearly."""
        return self.rows @ scores.T.unflatten(1, self.graph.grid) @ self.columns.T

    def read(self, features: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Features [places, D] at pixels, bilinearly, of those of the nodes, [N, D]."""
        weights = self.rows[y][:, :, None] * self.columns[x][:, None, :]
        return weights.flatten(1) @ features

    def alike(self, features: Tensor, mean: Tensor) -> Tensor:
        """The cosine [H, W] of the features of each pixel's node with `mean` [D]."""
        cosines = F.cosine_similarity(features, mean[None]).unflatten(0, self.graph.grid)
        y, x = (torch.arange(side, device=self.place) // self.graph.cell for side in self.known.labels.shape)
        return cosines[y][:, x]
