"""Affinity labels as A2GNN takes them: the surest of the seeds, and what people drew (ZHANG, chapter 3)."""

import numpy as np

from stages.affinity_labels.drawn import NOTHING, Drawn
from stages.affinity_labels.grab_cut import object_of
from stages.affinity_labels.merging import first_known, largest_first, merged, painted
from stages.affinity_labels.params import Confident
from stages.affinity_labels.superpixels import grown, segments
from stages.common import reliable
from stages.common.crf import infer_labels, unary_from_scores
from stages.common.crf_params import Crf
from stages.common.labels import alpha_scores
from stages.common.reliable_params import Reliable


def labels(
    maps: np.ndarray,
    classes: np.ndarray,
    picture: np.ndarray,
    params: Confident,
    crf: Crf,
    drawn: Drawn = NOTHING,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Affinity labels, plain CRF labels (M_I) and labels for the nodes of a graph, uint8 [H, W] each.

    `maps` [K, H, W] in 0..1, `classes` [K], the RGB `picture` uint8 [H, W, 3].
    """
    sure = surest(maps, classes, picture, params, crf)
    (plain,) = infer_labels(
        picture, [unary_from_scores(alpha_scores(maps, params.alpha_plain))], classes, crf
    )
    affinity, nodes = combine(drawn, picture, plain, sure, params)
    return affinity, plain, nodes


def surest(
    maps: np.ndarray, classes: np.ndarray, picture: np.ndarray, params: Confident, crf: Crf
) -> np.ndarray:
    """M'_I: the reliable regions of the seeds, uint8 [H, W]."""
    rule = params.model_dump(include={"alpha_foreground", "alpha_background", "probability"})
    options = {"two_alphas": rule, "share": params.share, "floor": params.floor, "crf": crf}
    inside = np.ones(picture.shape[:2], bool)
    wanted = Reliable.model_validate({"rule": "two_alphas", **options})
    return reliable.labels(reliable.View(maps, classes, picture, inside), wanted)


def combine(
    drawn: Drawn, picture: np.ndarray, full: np.ndarray, sure: np.ndarray, params: Confident
) -> tuple[np.ndarray, np.ndarray]:
    """Labels for the affinity network and for the nodes, of M_I (`full`) and M'_I (`sure`), uint8 [H, W].

    Points teach the affinity network nothing, as published, and say nothing of the background: there and
    where they do not grow to, the nodes have M'_I. Strokes are enough for the nodes.
    """
    if drawn.kind == "boxes":
        boxes = largest_first(drawn.boxes)
        objects = [object_of(box, picture, params.grabcut) for box in boxes]
        found = merged(painted(boxes, objects, full), sure)
        return found, found
    if drawn.marks is None:
        return sure, sure
    marked = grown(drawn.marks, segments(picture, params.superpixels))
    if drawn.kind == "scribbles":
        return first_known(marked, sure), marked
    return sure, first_known(marked, sure)
