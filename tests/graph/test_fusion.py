"""Network and walk as one."""

import numpy as np

from stages.affinity.offsets import forward_offsets
from stages.common.labels import upsample
from stages.graph.fusion import fused
from tests.graph.tiny import params


def test_the_walk_is_added_by_its_share() -> None:
    """By a dense transition matrix, W^beta divided by its rows' sums, applied `steps` times."""
    rng = np.random.default_rng(0)
    height, width = 3, 4
    offsets = forward_offsets(2)
    values = rng.random((len(offsets), height, width)).astype(np.float16)
    maps = rng.uniform(-0.5, 1, (2, height, width)).astype(np.float32)
    weights = np.eye(height * width)
    for at, (dy, dx) in enumerate(offsets):
        for y in range(height):
            for x in range(width):
                if y + dy < height and 0 <= x + dx < width:
                    i, j = y * width + x, (y + dy) * width + x + dx
                    weights[i, j] = weights[j, i] = float(values[at, y, x]) ** 8
    step = np.linalg.matrix_power(weights / weights.sum(1, keepdims=True), 5)
    high = np.maximum(maps, 0)
    scores = np.concatenate([(1 - high.max(0, keepdims=True)) ** 6, high]).reshape(3, -1)
    walked = upsample((scores @ step.T).reshape(3, height, width), (12, 15))
    own = rng.dirichlet(np.ones(3), (12, 15)).transpose(2, 0, 1).astype(np.float32)
    walk = params(walk__share=3.0, walk__alpha=6.0, walk__beta=8.0, walk__steps=5).walk
    found = fused(own, maps, {"affinities": values, "offsets": offsets}, walk)
    wanted = own + 3 * walked
    np.testing.assert_allclose(found, wanted / wanted.sum(0), rtol=2e-3)
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-5)


def test_a_picture_without_a_class_is_background() -> None:
    offsets = forward_offsets(2)
    affinity = {"affinities": np.ones((len(offsets), 2, 2), np.float16), "offsets": offsets}
    found = fused(np.ones((1, 8, 8), np.float32), np.zeros((0, 2, 2), np.float32), affinity, params().walk)
    np.testing.assert_allclose(found, 1)
