"""Parameters of the step `graph`."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stages.common.crf_params import Crf
from stages.common.params import Count, Positive, Section, Seed

Weight = Annotated[float, Field(ge=0)]  # 0: without
Epochs = Annotated[int, Field(ge=0, le=10_000)]
Phases = Annotated[list[Epochs], Field(min_length=2, max_length=2)]  # without and with `regularised`


class Regularised(Section):
    """Cells that lie near each other and have like colours get like labels (ZHANG 3.13, 3.22)."""

    weight: Weight
    radius: Annotated[int, Field(ge=1, le=10)]  # cells, of a square
    sigma_xy: Positive  # cells
    sigma_rgb: Positive  # grey values


class Walk(Section):
    """The seeds after a random walk on the raw affinities, added to what the network says."""

    share: Weight  # of it, against 1 of the network
    alpha: Positive  # of the background (1 - max) ** alpha, which walks too
    beta: Positive  # W ** beta
    steps: Count


class Graph(Section):
    of: Annotated[list[Literal["a2gnn"]], Field(max_length=1)] | None = None  # empty: no such stage
    hidden: Count  # features of a node
    layers: Annotated[int, Field(ge=1, le=20)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    edge_weight: Weight  # beta of ZHANG 3.18
    pool: Annotated[int, Field(ge=1, le=64)]  # a node has so many cells of the affinity grid a side
    epochs: Phases
    lr: Positive
    weight_decay: Weight
    multi_point: Weight
    regularised: Regularised
    consistent_above: Annotated[float, Field(ge=0, lt=1)] | None  # a cosine; null: no label is dropped
    walk: Walk
    crf: Crf
    seed: Seed

    @model_validator(mode="after")
    def _phases(self) -> "Graph":
        if not sum(self.epochs):
            raise ValueError("epochs: [0, 0] trains nothing")
        late = {"regularised.weight": self.regularised.weight, "consistent_above": self.consistent_above}
        for key, value in late.items():
            if value and not self.epochs[1]:
                raise ValueError(
                    f"epochs: the second must be 1 or more, for {key} {value:g} acts there alone"
                )
        return self

    def together(self, p: Any) -> list[str]:
        """The graph networks are there where their masks are read, and have what they read."""
        own, drawn, method = self, p.dataset.annotations, p.affinity_labels.method
        rungs = p.evaluation.rungs or {}
        readers = ["segmenter.labels"] * (p.segmenter.labels == "graph")
        readers += [f"evaluation.rungs.{name}" for name, folder in rungs.items() if folder == "graph"]
        made, boxes = bool(own.of), drawn == "boxes"
        checks = [
            (own.of is None, "graph.of: missing"),
            (own.of == [] and bool(readers),
             f"graph.of: must be [a2gnn], for it is read by {', '.join(readers)}"),
            (made and not readers, "graph.of: must be [], for neither segmenter.labels nor a rung reads it"),
            (made and not p.affinity.of, "affinity.of: must be [affinity_labels], for graph reads it"),
            (made and p.affinity.method != "affinity_net",
             "affinity.method: must be affinity_net, for graph reads the features of its network, found "
             f"{p.affinity.method!r}"),
            (made and method != "confident",
             f"affinity_labels.method: must be confident, whose node labels graph reads, found {method!r}"),
            (made and bool(own.multi_point) and not boxes,
             f"graph.multi_point: must be 0, for dataset.annotations is {drawn}: there are no boxes"),
            (made and own.consistent_above is not None and not boxes,
             f"graph.consistent_above: must be null, for dataset.annotations is {drawn}: there are no boxes"),
        ]  # fmt: skip
        return [problem for wrong, problem in checks if wrong] + [
            f"evaluation.rungs.{name}: must be graph, found {folder!r}"
            for name, folder in rungs.items()
            if folder.startswith("graph/")
        ]
