"""The affinity attention graph network, A2GNN (ZHANG 3.3.4): what a node is, it learns from its neighbours.

Dense: the weights of all pairs of nodes as one matrix, with a mask. Of a window of neighbours that is quicker
than gathering or shifting them (benchmarks/graph.py).
"""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F


class A2gnn(nn.Module):
    """An embedding, `layers` of attention along the edges, and a classifier of nodes; no bias anywhere."""

    def __init__(
        self,
        sizes: tuple[int, int, int],
        layers: int,
        edge_weight: float,
        dropout: float,
        generator: Generator,
    ) -> None:
        """`sizes`: features of a node, hidden ones, classes. The first weights are drawn from `generator`."""
        super().__init__()
        features, hidden, classes = sizes
        self.edge_weight, self.dropout = edge_weight, dropout
        self.embed = nn.Parameter(torch.empty(features, hidden))
        self.out = nn.Parameter(torch.empty(hidden, classes))
        for weight in (self.embed, self.out):
            nn.init.xavier_uniform_(weight, generator=generator)
        self.attention = nn.Parameter(torch.rand(layers, generator=generator))  # w of each layer

    def forward(self, nodes: Tensor, edges: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scores [N, classes] and the features [N, hidden] of the last layer, of nodes [N, D].

        `keep` [N, hidden], of 0 and 1, are the hidden features that a step of the training does not drop.
        """
        hidden = (nodes @ self.embed).relu()
        if keep is not None:
            hidden = hidden * keep / (1 - self.dropout)
        pull, far = self.edge_weight * edges, edges == 0
        for weight in self.attention:
            hidden = propagation(hidden, pull, far, weight) @ hidden
        return hidden @ self.out, hidden


def propagation(hidden: Tensor, pull: Tensor, far: Tensor, weight: Tensor) -> Tensor:
    """P [N, N] (ZHANG 3.18): the softmax over S(i), the nodes with an edge to i, and i itself, of
    w cos(h_i, h_j) + beta [cos(h_i, h_j) > 0] E_ij.

    `pull` is beta E, `far` is true of nodes without an edge; both [N, N].
    """
    unit = F.normalize(hidden, dim=1)
    cosines = unit @ unit.T
    scores = weight * cosines + torch.where(cosines > 0, pull, 0)
    return scores.masked_fill(far, -torch.inf).softmax(1)
