"""Networks on a CPU in a process that keeps what it frees, against glibc as it comes.

A training step: DeepLabV3+ on MobileNetV2 as `voc-mobilenet` has it, 16 pictures of 320 x 320 pixels, told by
`stages.common.training.memory`. Maps: CAM by the demo's classifier of 16 pictures of 192 x 192, told by the
environment that a run gives its stages. All in float32; each way runs in a process of its own, in turns;
losses and maps must be equal to the bit.

    python -m benchmarks.memory
"""

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.common import save
from pipeline.engine.supervisor import peak
from pipeline.project import children

STEPS, TURNS, PICTURES = 6, 2, 16
WAYS = ("as it comes", "kept")
KEPT = {name: value for name, value in children.defaults().items() if name.startswith("MALLOC_")}


def main() -> None:
    rows: list[tuple[Any, ...]] = [("what", "against", "times_as_fast", "memory", "equal_to_the_bit")]
    for what, title in (("train", "a training step, memory kept"), ("read", "maps, memory kept")):
        rows.append((title, WAYS[0], *compare(what), True))
    save("memory", rows)


def compare(what: str) -> tuple[str, str]:
    """How many times as fast the process is that keeps its memory, and as large."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    plain_environment = {name: value for name, value in os.environ.items() if name not in KEPT}
    for _ in range(TURNS):
        for way in WAYS:
            environment = plain_environment | (KEPT if (what, way) == ("read", "kept") else {})
            command = [sys.executable, "-m", "benchmarks.memory", what, way]
            done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=environment)
            found[way].append(json.loads(done.stdout))
    values = [one["values"] for of_way in found.values() for one in of_way]
    assert all(one == values[0] for one in values)
    plain, kept = ([seconds for one in found[way] for seconds in one["seconds"][1:]] for way in WAYS)
    size = max(one["bytes"] for one in found["kept"]) / max(one["bytes"] for one in found["as it comes"])
    return f"{statistics.median(plain) / statistics.median(kept):.2f}", f"{size:.2f}"


def read() -> dict[str, Any]:
    """Seconds and sum of the maps of each pass over the pictures, and the largest size of the process."""
    import torch

    from benchmarks.attribution import CLASSES, classifier, maps_by

    torch.set_num_threads(1)  # as a worker of the step
    network, classes = classifier("small", 8), CLASSES.expand(PICTURES, -1)
    pictures = torch.randn(PICTURES, 3, 192, 192)
    seconds, values = [], []
    with torch.inference_mode():
        for _ in range(STEPS):
            start = time.perf_counter()
            maps = maps_by("cam", network, pictures, "last", classes)
            seconds.append(time.perf_counter() - start)
            values.append(maps.double().sum().item())
    return measured(seconds, values)


def train(way: str) -> dict[str, Any]:
    """Seconds and loss of each step, and the largest size of the process."""
    import torch

    from stages.common.training import memory
    from stages.common.training.params import Encoder
    from stages.segmenter.network import build_segmenter

    if way == "kept":
        assert memory.keep()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    encoder = Encoder.model_validate({
        "name": "mobilenet_v2", "output_stride": 16, "weights": {"source": "none", "name": "", "sha256": ""},
        "mean": [0.5] * 3, "std": [0.5] * 3, "freeze": [], "batch_norm": "frozen",
    })  # fmt: skip
    network = build_segmenter("deeplabv3plus", encoder, 21, {"decoder_channels": 128})
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    pictures = torch.randn(16, 3, 320, 320).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 21, (16, 320, 320))
    seconds, losses = [], []
    for _ in range(STEPS):
        start = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(network(pictures), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item())
    return measured(seconds, losses)


def measured(seconds: list[float], values: list[float]) -> dict[str, Any]:
    import resource

    return {
        "seconds": seconds,
        "values": values,
        "bytes": peak(resource.getrusage(resource.RUSAGE_SELF)),
    }


if __name__ == "__main__":
    if len(sys.argv) == 3:
        what, way = sys.argv[1:]
        print(json.dumps(train(way) if what == "train" else read()))
    else:
        main()
