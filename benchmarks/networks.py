"""Networks of the segmenter beside deeplabv3plus: weights, and the time of a training step.

The demo's sizes: the shipped section, noise for pictures of 128 pixels. `small` is the encoder, dilated to
stride 8 where the network asks for it; segnet takes small_pool, which is `small` with poolings. Options are
the published ones where the demo's grid of 16 x 16 cells and a CPU leave room, else DEMO. Each network runs
in a process of its own, in turns.

    python -m benchmarks.networks
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, get_args

from benchmarks.common import BatchClock, said, save, start
from stages.segmenter.network_params import FITS, Network, published

FIRST = "deeplabv3plus"
NETWORKS = (FIRST, *(name for name in get_args(Network) if name != FIRST))
ENCODERS = {"segnet": "small_pool", "resunet": "resunet"}
DEMO: dict[str, dict[str, Any]] = {
    "deeplabv3plus": {"decoder_channels": 48},
    "deeplabv2": {"rates": [3, 6, 9, 12], "msc": []},
    "fcn": {"finest": 8, "hidden": 0},
    "resunet": {"width": 16},
}
MORE = {"deeplabv2 with msc": ("deeplabv2", {"rates": [3, 6, 9, 12], "msc": [0.5, 0.75]})}
STEPS, TURNS, CLASSES = 8, 2, 7  # the first two steps of a process are not counted


def cases() -> dict[str, tuple[str, dict[str, Any]]]:
    """The network and its options of each row."""
    return {**{name: (name, DEMO.get(name, published(name))) for name in NETWORKS}, **MORE}


def main() -> None:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in cases()}
    for _ in range(TURNS):
        for name in found:
            found[name].append(said(start("networks", name)))
    seconds = {
        name: statistics.median(s for run in runs for s in run["seconds"]) for name, runs in found.items()
    }
    weights = {name: runs[0]["weights"] for name, runs in found.items()}
    rows: list[tuple[Any, ...]] = [("network", "options", "weights", "weights_of_first", "time_of_first")]
    for name, (_, options) in cases().items():
        shares = (weights[name] / weights[FIRST], seconds[name] / seconds[FIRST])
        shown = "; ".join(f"{key} {value}" for key, value in options.items())
        rows.append((name, shown, weights[name], *(f"{share:.2f}" for share in shares)))
    save("networks", rows)


def train(network: str, options: dict[str, Any]) -> dict[str, Any]:
    """Seconds of each counted step, the drawing of its batch included, and the number of weights."""
    import numpy as np
    import torch

    import stages  # noqa: F401  # before torchvision
    from stages.common.params import check, read_yaml
    from stages.common.training.loop import fit
    from stages.common.training.strategy import MAIN
    from stages.segmenter.params import Segmenter
    from stages.segmenter.strategy import strategy

    section = read_yaml(Path("params.yaml"))["segmenter"]
    section |= {"network": network, "options": options, "epochs": STEPS + 1}
    stride = 8 if 8 in FITS[network].strides else 32
    section["encoder"] |= {"name": ENCODERS.get(network, "small"), "output_stride": stride}
    params = check(Segmenter, section, "params.yaml, section segmenter")
    clock = BatchClock(params.batch)

    class Noise:
        """As many pictures as a batch has."""

        def __len__(self) -> int:
            return params.batch

        def sample(self, index: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
            clock.tick()
            side = params.augment.crop
            picture = rng.standard_normal((3, side, side), np.float32)
            return torch.from_numpy(picture), torch.from_numpy(rng.integers(0, CLASSES, (side, side)))

    torch.manual_seed(0)
    learning = strategy(params, CLASSES)
    weights = sum(p.numel() for p in learning.networks[MAIN].parameters())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # for its checkpoints
        fit("segmenter", learning, Noise(), params, "key")
    return {
        "seconds": clock.seconds()[2:],
        "weights": weights,
    }


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(train(*cases()[sys.argv[1]])))
    else:
        main()
