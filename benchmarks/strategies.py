"""A training step of each strategy of the classifier against plain's: time, and the memory of the process.

The demo's sizes: the shipped section, noise for pictures of 128 pixels, two labels of six in each. Each way
runs in a process of its own, in turns. EADER's blocks are one step long: a step is the mean of both kinds.
Last, two of plain at once on the same cores: with threads that sleep while they wait, as `wsss` runs a step,
and with OpenMP's own way.

    python -m benchmarks.strategies
"""

import importlib
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import SLEEP, BatchClock, said, save, start
from pipeline.engine.supervisor import peak

METHODS = ("plain", "puzzle", "oc_cse", "p_oc", "p_noc", "eader")
STEPS, TURNS, CLASSES = 12, 2, 6  # the first two steps of a process are not counted


def main() -> None:
    found: dict[str, list[dict[str, Any]]] = {method: [] for method in METHODS}
    for _ in range(TURNS):
        for method in METHODS:
            found[method].append(said(start("strategies", method)))
    seconds = {method: step_seconds(runs) for method, runs in found.items()}
    memory = {method: max(run["bytes"] for run in runs) for method, runs in found.items()}
    rows: list[tuple[Any, ...]] = [("strategy", "time_of_plain", "memory_of_plain")]
    for method in METHODS:
        times, bytes_ = seconds[method] / seconds["plain"], memory[method] / memory["plain"]
        rows.append((method, f"{times:.2f}", f"{bytes_:.2f}"))
    for how, waiting in (("threads sleep", SLEEP), ("OpenMP's own way", {})):
        both = [start("strategies", "plain", waiting=waiting) for _ in range(2)]
        times = step_seconds([said(one) for one in both]) / seconds["plain"]
        rows.append((f"two of plain at once: {how}", f"{times:.2f}", ""))
    save("strategies", rows)


def step_seconds(runs: list[dict[str, Any]]) -> float:
    """The mean of the medians of even and of odd steps."""
    kinds = [[s for run in runs for s in run["seconds"][2 + odd :: 2]] for odd in (0, 1)]
    return statistics.mean(map(statistics.median, kinds))


def train(method: str) -> dict[str, Any]:
    """Seconds of each step, the drawing of its batch included, and the largest size of the process."""
    import resource

    import numpy as np
    import torch

    import stages  # noqa: F401  # before torchvision
    from stages.classifier.network import build_classifier
    from stages.classifier.ordinary import Ordinary
    from stages.classifier.params import Classifier
    from stages.common.params import check, read_yaml
    from stages.common.training.loop import fit
    from stages.common.training.samples import LabelledSamples

    section = read_yaml(Path("params.yaml"))["classifier"] | {"method": method, "epochs": STEPS + 1}
    section["eader"] |= {"block": 1}
    params = check(Classifier, section, "params.yaml, section classifier")
    module = importlib.import_module(f"stages.classifier.{method}")
    clock = BatchClock(params.batch)

    class Noise(getattr(module, "Samples", LabelledSamples)):  # type: ignore[misc]
        """As many pictures as a batch has."""

        def __init__(self) -> None:
            self.targets = torch.zeros(params.batch, CLASSES)
            for row in range(params.batch):
                self.targets[row, [row % CLASSES, (row + 1) % CLASSES]] = 1

        def __len__(self) -> int:
            return params.batch

        def view(self, index: int, rng: np.random.Generator) -> tuple[torch.Tensor, None]:
            clock.tick()
            side = params.augment.crop
            return torch.from_numpy(rng.standard_normal((3, side, side), np.float32)), None

    def network(seed: int) -> Any:
        torch.manual_seed(seed)
        net = build_classifier(params.encoder, CLASSES)
        torch.nn.init.normal_(net.head.weight, std=0.1)
        return net

    helpers = [Ordinary(network(1), params.encoder)] if params.needs_ordinary() else []
    strategy = module.strategy(params, CLASSES, *helpers)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # for its checkpoints
        fit("classifier", strategy, Noise(), params, "key")
    seconds = clock.seconds()
    return {"seconds": seconds, "bytes": peak(resource.getrusage(resource.RUSAGE_SELF))}


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(train(sys.argv[1])))
    else:
        main()
