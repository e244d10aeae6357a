"""A training step of the segmenter with each loss and each structure term against plain cross-entropy's time.

The demo's sizes: the shipped section, soft noise for pictures of 128 pixels, four rectangles of six classes
in each. Each way runs in a process of its own, in turns. The edge network's own training is told apart.

    python -m benchmarks.losses
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import BatchClock, said, save, start

SEMEDA: dict[str, Any] = {"weights": [2, 4, 0], "steps": 20, "lr": 0.01, "noise": 0, "warmup": 0}
ENERGY = {"weight": 1, "scale": 0.5, "sigma_xy": 100, "sigma_rgb": 15}
EDGES = {"w0": 10, "sigma": 5, "bands": [], "balance": "none"}
WAYS: dict[str, dict[str, Any]] = {
    "cross_entropy": {},
    "cross_entropy, balance inverse": {"cross_entropy": {"balance": "inverse"}},
    "cross_entropy, balance sides": {"cross_entropy": {"balance": "sides"}},
    "focal": {"loss": "focal"},
    "edge_weighted, unet": {"loss": "edge_weighted", "edge_weighted": {"form": "unet", **EDGES}},
    "edge_weighted, caliva": {"loss": "edge_weighted", "edge_weighted": {"form": "caliva", **EDGES}},
    "dice": {"loss": "dice"},
    "lovasz": {"loss": "lovasz"},
    "cross_entropy + sobel": {"terms": {"sobel": {"weight": 4}}},
    "cross_entropy + semeda": {"terms": {"semeda": SEMEDA}},
    **{
        f"cross_entropy + dense_energy, {method}": {"terms": {"dense_energy": ENERGY | {"method": method}}}
        for method in ("lattice", "exact")
    },
}
STEPS, TURNS, CLASSES = 12, 2, 7  # the first two steps of a process are not counted


def main() -> None:
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(TURNS):
        for way in WAYS:
            found[way].append(said(start("losses", way)))
    seconds = {way: statistics.median(s for run in runs for s in run["steps"]) for way, runs in found.items()}
    rows: list[tuple[Any, ...]] = [("loss", "ms_a_step", "time_of_cross_entropy", "ms_an_edge_step")]
    for way, runs in found.items():
        edges = [s for run in runs for s in run["edge_steps"]]
        of_edges = f"{1000 * statistics.median(edges):.0f}" if edges else ""
        ratio = seconds[way] / seconds["cross_entropy"]
        rows.append((way, f"{1000 * seconds[way]:.0f}", f"{ratio:.2f}", of_edges))
    save("losses", rows)


def train(way: str) -> dict[str, Any]:
    """Seconds of each step, the drawing of its batch included: of the segmenter, and of the edge network."""
    import cv2
    import numpy as np
    import torch

    import stages  # noqa: F401  # before torchvision
    from stages.common.params import check, read_yaml
    from stages.common.pictures import Picture
    from stages.common.training.loop import fit
    from stages.common.training.samples import MaskedSamples
    from stages.segmenter.params import Segmenter
    from stages.segmenter.training import prepare

    section = read_yaml(Path("params.yaml"))["segmenter"] | {"epochs": STEPS + 1} | WAYS[way]
    params = check(Segmenter, section, "params.yaml, section segmenter")
    clock = BatchClock(params.batch)

    class Noise(MaskedSamples):
        """As many pictures as a batch has."""

        def __init__(self) -> None:
            place = Path("noise.png")
            pictures = [Picture(str(n), place, "train", side, side, (1,)) for n in range(params.batch)]
            super().__init__(pictures, params)

        def mask(self, picture: Picture) -> np.ndarray:
            rng = np.random.default_rng(int(picture.id))
            labels = np.zeros((side, side), np.uint8)
            for _ in range(4):
                top, left = rng.integers(0, side // 2, 2)
                labels[top : top + side // 3, left : left + side // 4] = rng.integers(1, CLASSES)
            return labels

        def sample(self, index: int, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
            return self.placed(index, rng)[:2]

        def placed(
            self, index: int, rng: np.random.Generator
        ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            clock.tick()
            noise = cv2.GaussianBlur(rng.standard_normal((side, side, 3), np.float32), (0, 0), side / 16)
            picture = torch.from_numpy(np.ascontiguousarray((noise / noise.std()).transpose(2, 0, 1)))
            labels = torch.from_numpy(self.mask(self.pictures[index]).astype(np.int64))
            return picture, labels, torch.ones(side, side, dtype=torch.bool)

    side = params.augment.crop
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # for its checkpoints
        torch.manual_seed(0)
        before = time.perf_counter()
        made = prepare("segmenter", params, CLASSES, Noise())
        prepared = time.perf_counter() - before
        fit("segmenter", made.strategy, made.samples, params, "key")
    steps = clock.seconds()[2:]
    edge_steps = [prepared / SEMEDA["steps"]] if "semeda" in params.terms.on() else []
    return {"steps": steps, "edge_steps": edge_steps}


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(train(sys.argv[1])))
    else:
        main()
