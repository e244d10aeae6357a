"""A tiled prediction against the whole picture: peak memory, time, and the share of labels that differ.

The demo's network (DeepLabV3+ on the encoder `small`), 21 classes, random weights, one scale, no flip, one
thread of a CPU. Each way runs in a process of its own; `peak_mb` is what the prediction adds to the process
that has its network and picture. The last line is 24 megapixels: whole they are not tried.

    python -m benchmarks.tiles
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import said, save, start
from pipeline.engine.supervisor import peak

WHOLE, LARGE = (800, 1200), (4000, 6000)  # height, width: the first fits whole too
WAYS = {  # tile (null: whole), overlap, merge
    "whole": (None, 0, "ramp"),
    "ramp": (512, 64, "ramp"),
    "inner": (512, 64, "inner"),
}
HEADER = (
    "width",
    "height",
    "way",
    "tile",
    "overlap",
    "peak_mb",
    "memory_of_whole",
    "seconds",
    "labels_differ",
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = [(WHOLE, way, measure(WHOLE, way, Path(folder))) for way in WAYS]
        whole = np.load(Path(folder) / "whole.npy")
        rows: list[tuple[Any, ...]] = [HEADER]
        for size, way, found in made:
            share = f"{found['bytes'] / made[0][2]['bytes']:.2f}"
            differ = f"{(np.load(Path(folder) / f'{way}.npy') != whole).mean():.4f}"
            rows.append(row(size, way, found, share, differ))
        save("tiles", rows)
        rows.append(row(LARGE, "ramp", measure(LARGE, "ramp", Path(folder)), "", ""))
    save("tiles", rows)


def row(size: tuple[int, int], way: str, found: dict[str, float], share: str, differ: str) -> tuple[Any, ...]:
    tile, overlap, _ = WAYS[way]
    peak, seconds = f"{found['bytes'] / 1e6:.0f}", f"{found['seconds']:.1f}"
    return size[1], size[0], way, tile or "", overlap, peak, share, seconds, differ


def measure(size: tuple[int, int], way: str, folder: Path) -> dict[str, float]:
    found = said(start("tiles", way, *map(str, size), str(folder)))
    print(way, size, found, flush=True)
    return found


def predict(way: str, size: tuple[int, int], folder: Path) -> dict[str, float]:
    """Bytes that the labelling adds at its peak, and seconds; the labels go to `folder`."""
    import resource

    import cv2
    import torch

    from stages.common.networks import store
    from stages.predictions.labeller import Labeller
    from stages.predictions.params import Predictions
    from stages.segmenter.network import rebuild_segmenter

    torch.set_num_threads(1)
    torch.manual_seed(0)
    mean = [0.5] * 3
    config: dict[str, Any] = {
        "classes": ["background", *(f"class {n}" for n in range(20))], "network": "deeplabv3plus",
        "options": {"decoder_channels": 48, "decoder_atrous_rates": [12, 24, 36]},
        "encoder": {
            "name": "small", "output_stride": 8, "mean": mean, "std": mean, "freeze": [],
            "weights": {"source": "none", "name": "", "sha256": ""}, "batch_norm": "frozen",
        },
    }  # fmt: skip
    store.save_network(folder / "model", rebuild_segmenter(config).eval(), config, [{"loss": 1.0}])
    tile, overlap, merge = WAYS[way]
    crf = dict.fromkeys(("smooth_sxy", "smooth_compat", "color_sxy", "color_srgb", "color_compat"), 3.0)
    params = Predictions.model_validate({
        "scales": [1.0], "flip": False, "fuse": "mean", "tile": tile, "overlap": overlap, "merge": merge,
        "crf": False, "dense_crf": {"iterations": 1, **crf}, "entropy": False, "precision": "fp32",
    })  # fmt: skip
    labeller = Labeller(folder / "model", params, "cpu")
    labeller.prepare()
    coarse = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    picture = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    before, start = peak(resource.getrusage(resource.RUSAGE_SELF)), time.perf_counter()
    labels = labeller.labels([picture])[0]
    seconds = time.perf_counter() - start
    np.save(folder / f"{way}.npy", labels)
    return {"bytes": peak(resource.getrusage(resource.RUSAGE_SELF)) - before, "seconds": seconds}


if __name__ == "__main__":
    if len(sys.argv) == 5:
        print(json.dumps(predict(sys.argv[1], (int(sys.argv[2]), int(sys.argv[3])), Path(sys.argv[4]))))
    else:
        main()
