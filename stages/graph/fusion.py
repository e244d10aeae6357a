"""What the network says and what a random walk says, as one (ZHANG 3.6; of image labels and points)."""

import numpy as np

from stages.common.labels import alpha_scores, upsample
from stages.graph.params import Walk
from stages.pseudo_labels.random_walk import resize, transition, walk


def fused(
    probabilities: np.ndarray, maps: np.ndarray, affinity: dict[str, np.ndarray], params: Walk
) -> np.ndarray:
    """p + share * m over its sum, float32 [K + 1, H, W].

    m are the seeds' `maps` [K, h', w'], of which what is negative counts as 0, and their background after the
    walk, at full size. As published, they need not sum to 1 where p does. `affinity` holds `affinities` and
    `offsets`.
    """
    matrix = transition(affinity["affinities"], affinity["offsets"], params.beta)
    seeds = alpha_scores(resize(maps, affinity["affinities"].shape[1:]), params.alpha)
    walked = walk(matrix, seeds, params.steps)
    height, width = probabilities.shape[1:]
    total = probabilities + np.float32(params.share) * upsample(walked, (height, width))
    return np.asarray(total / total.sum(0), np.float32)
