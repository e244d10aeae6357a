"""The bilateral filter: our lattice against all pairs and against pydensecrf's own, and what the term costs.

On a photograph at several sizes, three channels of soft labels, one core, CPU seconds:

- `lattice_ms`: building it, and one filter; then the same of pydensecrf, whose filter is a step of its mean
  field with one label more. `times_pydensecrf` is ours over its, both together and of the filter alone;
- `times_exact`: how many times as long all pairs take as building the lattice and filtering once;
- `correlation` of both filters, `mass`: what the lattice adds up to, of the exact sum; `differs`: the largest
  relative difference from pydensecrf's.

The second table is of a training step of the segmenter with the term and without (benchmarks/losses.py).

    python -m benchmarks.bilateral [most pixels; then without the second table]
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np
import skimage.data
import torch
from pydensecrf.densecrf import DIAG_KERNEL, NO_NORMALIZATION, DenseCRF2D

from benchmarks.common import said, save, start
from stages.common.bilateral import Exact, Kernel
from stages.common.permutohedral import Lattice
from stages.common.training import memory

T = TypeVar("T")
SIZES = ((28, 36), (48, 64), (64, 64), (90, 120), (120, 160))  # height, width
SIGMA_XY, SIGMA_RGB, CHANNELS, TIMES = 50.0, 15.0, 3, 9
COMPAT = 0.05  # of the step: its exponential stays within float32
WAYS = ("cross_entropy", "cross_entropy + dense_energy, lattice", "cross_entropy + dense_energy, exact")


def main() -> None:
    torch.set_num_threads(1)
    memory.keep()  # as a training does
    most = int(sys.argv[1]) if len(sys.argv) > 1 else None
    rows: list[tuple[Any, ...]] = [
        (
            *("pixels", "vertices", "lattice_ms", "filter_ms", "pydensecrf_ms", "its_filter_ms"),
            *("times_pydensecrf", "of_the_filter", "times_exact", "correlation", "mass", "differs"),
        )
    ]
    for size in SIZES:
        if most is None or size[0] * size[1] <= most:
            rows.append(compared(*size))
    save("bilateral", rows)
    if most is None:
        found = [1000 * statistics.median(said(start("losses", way))["steps"]) for way in WAYS]
        steps = [(way, f"{ms:.0f}", f"{ms / found[0]:.2f}") for way, ms in zip(WAYS, found, strict=True)]
        save("bilateral_step", [("loss", "ms_a_step", "time_of_cross_entropy"), *steps])


def compared(height: int, width: int) -> tuple[Any, ...]:
    picture = cv2.resize(skimage.data.astronaut(), (width, height), interpolation=cv2.INTER_AREA)
    p = np.random.default_rng(0).dirichlet(np.ones(CHANNELS), height * width).astype(np.float32)
    y, x = np.mgrid[:height, :width]
    places = np.stack([x, y], 2).reshape(-1, 2) / SIGMA_XY
    features = np.concatenate([places, picture.reshape(-1, 3) / SIGMA_RGB], 1)
    points, values = torch.from_numpy(features.astype(np.float32)), torch.from_numpy(p)
    owners = torch.zeros(len(points), dtype=torch.int64)
    seconds: list[list[float]] = []
    for _ in range(TIMES):
        build, lattice = timed(Lattice, points, owners)
        blur, found = timed(filtered, lattice, values)
        crf_build, crf = timed(dense_crf, picture)
        crf_blur, theirs = step(crf, p)
        seconds.append([build, blur, crf_build, crf_blur])
    build, blur, crf_build, crf_blur = (statistics.median(column) for column in zip(*seconds, strict=True))
    pairs, wanted = timed(filtered, Exact(points, owners), values)
    return (
        len(points), len(lattice.starts),
        *(f"{1000 * s:.2f}" for s in (build, blur, crf_build, crf_blur)),
        f"{(build + blur) / (crf_build + crf_blur):.2f}", f"{blur / crf_blur:.2f}",
        f"{pairs / (build + blur):.0f}",
        f"{np.corrcoef(found.ravel(), wanted.ravel())[0, 1]:.4f}", f"{found.sum() / wanted.sum():.3f}",
        f"{(abs(found - theirs) / theirs).max():.1e}",
    )  # fmt: skip


def timed(work: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    """CPU seconds, which others on the machine do not add to."""
    before = time.process_time()
    result = work(*arguments)
    return time.process_time() - before, result


def filtered(kernel: Kernel, values: torch.Tensor) -> np.ndarray:
    return np.asarray(kernel(values).numpy())


def dense_crf(picture: np.ndarray) -> Any:
    """With its lattice, and a label more than there are channels."""
    crf = DenseCRF2D(picture.shape[1], picture.shape[0], CHANNELS + 1)
    crf.addPairwiseBilateral(
        sxy=SIGMA_XY, srgb=SIGMA_RGB, rgbim=np.ascontiguousarray(picture), compat=COMPAT, kernel=DIAG_KERNEL,
        normalization=NO_NORMALIZATION,
    )  # fmt: skip
    return crf


def step(crf: Any, p: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds of one step of the mean field from p [N, K], and A p, which it shows (tests/common)."""
    energies = np.full((CHANNELS + 1, len(p)), 200, np.float32)
    energies[:-1] = -np.log(np.maximum(p.T, 1e-30))
    crf.setUnaryEnergy(energies)
    state = crf.startInference()
    crf.setUnaryEnergy(np.zeros_like(energies))
    seconds, _ = timed(crf.stepInference, *state)
    logs = np.log(np.array(state[0], np.float64))
    return seconds, ((logs[:-1] - logs[-1]) / COMPAT).T


if __name__ == "__main__":
    main()
