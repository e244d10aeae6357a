"""A training step on a CPU whose process keeps what it frees, against glibc as it comes.

DeepLabV3+ on MobileNetV2 as `voc-mobilenet` has it, 16 pictures of 320 x 320 pixels, float32. Each way runs
in a process of its own, in turns; the losses must be equal to the bit.

    python -m benchmarks.memory
"""

import json
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.common import save
from pipeline.engine.supervisor import peak

STEPS, TURNS = 6, 2
WAYS = ("as it comes", "kept")


def main() -> None:
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(TURNS):
        for way in WAYS:
            command = [sys.executable, "-m", "benchmarks.memory", way]
            done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
            found[way].append(json.loads(done.stdout))
    losses = [one["losses"] for of_way in found.values() for one in of_way]
    assert all(one == losses[0] for one in losses)
    plain, kept = ([seconds for one in found[way] for seconds in one["seconds"][1:]] for way in WAYS)
    size = max(one["bytes"] for one in found["kept"]) / max(one["bytes"] for one in found["as it comes"])
    ratio = statistics.median(plain) / statistics.median(kept)
    rows = [("what", "against", "times_as_fast", "memory", "equal_to_the_bit")]
    save("memory", [*rows, ("memory kept", WAYS[0], f"{ratio:.2f}", f"{size:.2f}", True)])


def train(way: str) -> dict[str, Any]:
    """Seconds and loss of each step, and the largest size of the process."""
    import resource

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
    return {
        "seconds": seconds,
        "losses": losses,
        "bytes": peak(resource.getrusage(resource.RUSAGE_SELF)),
    }


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(train(sys.argv[1])))
    else:
        main()
