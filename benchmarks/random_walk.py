"""The sparse random walk against the dense repeated squaring of published code.

Both compute T^256 of the same affinities (random features, smooth but for a few edges), on 4 maps:

- dense: T as a dense n x n matrix in torch, fp32, all cores, squared 8 times, then one product;
- sparse: stages/pseudo_labels/random_walk.py, one core, from the affinities on (building T counts).

At 94x125 only the first of the 8 squarings is run, and its time taken 8 times; equality is then
that of T^2. Goals: 25 times as fast at 47x63; under 1 second at 94x125. Run it from the project's
root: `python -m benchmarks.random_walk`; it writes benchmarks/results/random_walk.csv.
"""

from functools import partial

import cv2
import numpy as np
import torch

from benchmarks.common import median_time, save
from stages.affinity.offsets import forward_offsets
from stages.pseudo_labels.random_walk import transition, walk

GRIDS = {(47, 63): 8, (94, 125): 1}  # cells of a 375 x 500 picture at stride 8 and 4: squarings run
MAPS, BETA, SQUARINGS = 4, 8, 8
GOAL, GOAL_SECONDS = 25, 1.0


def main() -> None:
    rows: list[tuple[object, ...]] = [
        ("grid", "maps", "squarings_run", "dense_over_sparse", "goal", "argmax_agreement", "max_difference")
    ]
    for grid, squarings in GRIDS.items():
        affinities, offsets, scores = make_input(*grid)
        matrix = transition(affinities, offsets, BETA)
        dense = torch.from_numpy(matrix.toarray())
        vectors = torch.from_numpy(scores.reshape(MAPS, -1).T.copy())
        seconds, walked = median_time(partial(walk, matrix, scores, 2**SQUARINGS), 5)
        building, _ = median_time(partial(transition, affinities, offsets, BETA), 5)
        squaring, power = median_time(partial(squared, dense, squarings), 1)
        expected = (power @ vectors).numpy().T.reshape(scores.shape)
        if squarings < SQUARINGS:
            walked = walk(matrix, scores, 2**squarings)
        agreement = (walked.argmax(0) == expected.argmax(0)).mean()
        difference = abs(walked - expected).max()
        ratio = squaring * SQUARINGS / squarings / (seconds + building)
        goal = GOAL if squarings == SQUARINGS else ""
        name = "x".join(map(str, grid))
        rows.append((name, MAPS, squarings, f"{ratio:.0f}", goal, f"{agreement:.5f}", f"{difference:.1e}"))
        verdict = "pass" if seconds + building < GOAL_SECONDS else "FAIL"
        print(f"{name}: sparse {seconds + building:.3f} s (goal < {GOAL_SECONDS} s: {verdict})")
    save("random_walk", rows)


def squared(matrix: torch.Tensor, times: int) -> torch.Tensor:
    for _ in range(times):
        matrix = matrix @ matrix
    return matrix


def make_input(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Affinities float16 [34, h, w] of made-up features, their offsets, and maps [MAPS, h, w]."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((16, height, width)).astype(np.float32)
    features = np.stack([cv2.GaussianBlur(channel, (0, 0), 4) for channel in noise])
    features /= features.std()
    for number in range(6):  # objects of their own features
        centre = int(rng.integers(width)), int(rng.integers(height))
        inside = cv2.circle(np.zeros((height, width), np.uint8), centre, height // 6, 1, -1) > 0
        features[number, inside] += 8
    offsets = forward_offsets(5)
    reach = int(offsets.max())
    wide = np.pad(features, ((0, 0), (0, reach), (reach, reach)))
    partners = [wide[:, dy : dy + height, reach + dx : reach + dx + width] for dy, dx in offsets]
    distances = np.stack([abs(features - partner).mean(0) for partner in partners])
    scores = np.stack([cv2.GaussianBlur(m, (0, 0), 6) for m in rng.random((MAPS, height, width))])
    return np.exp(-distances).astype(np.float16), offsets, scores.astype(np.float32)


if __name__ == "__main__":
    main()
