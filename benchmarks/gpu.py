"""How well a GPU is used: pictures per second by stage, against a plain loop over the same pictures.

Made JPEGs, random weights, the recipe's own code with its files. Each stage and each way has a process of its
own, whose largest memory is told: of the GPU, or on a CPU of the largest process.

- classifier, segmenter: steps of a training. Plain, one process draws the batch's pictures one by one, in
  float32. `classifier` sees each picture once, as in a first epoch; `classifier, kept` sees a batch of them
  over and over, as in later epochs of a set that fits into the loader's memory.
- seeds: CAM at several scales with flips. Plain, picture by picture, each scale and flip alone, in float32,
  all classes at the picture's size.
- affinity: AffinityNet's maps. Plain, picture by picture.
- walk: 256 steps on these affinities, from these seeds; a CPU's work here, in processes. Plain, as published:
  a dense matrix on the device, squared 8 times.

`waits` is the share of time in which a training waits for its next batch, each step having waited for the
device before; of seeds and affinity, what is spent outside of their `compute`: pictures are read, results are
stored. Packing a result counts as work. It is empty where processes share the work. The first batches, which
the loader draws ahead, are not counted.

    python -m benchmarks.gpu [KEY=VALUE ...]      keys and defaults: OPTIONS below; out=FILE for another table

It writes benchmarks/results/gpu.csv. Without a GPU it measures only where an option is given: the dense walk
of 128 pictures alone would take a CPU hours. The stages are in gpu_stages.py.
"""

import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import said, save, start
from pipeline.engine.supervisor import peak
from pipeline.project import gpus
from pipeline.results import provenance

OPTIONS: dict[str, Any] = {
    "steps": 50,  # of a training that are counted
    "pictures": 128,  # of the other stages
    "width": 500,
    "height": 375,
    "crop": 448,
    "batch": 16,
    "classes": 20,
    "encoder": "resnet50",
    "precision": "bf16",
    "grid": 4,  # pixels of a cell of affinities
    "out": "gpu",
}
STAGES = ("classifier", "classifier, kept", "seeds", "affinity", "walk", "segmenter")
WAYS = ("ours", "plain")
MEASURES = ("pictures_per_second", "plain", "times_as_fast", "peak_mb", "plain_peak_mb", "waits")
SMALL = "steps=4 pictures=4 width=96 height=64 crop=64 batch=2 encoder=small precision=fp32"


def main(arguments: list[str]) -> None:
    options = given(arguments)
    if not arguments and not gpus.devices():
        print(f"no GPU here: give sizes that a CPU can do, as {SMALL}")
        return
    with tempfile.TemporaryDirectory() as folder:
        rows: list[tuple[Any, ...]] = [("stage", *MEASURES, "device")]
        for stage in STAGES:  # the walk reads what the two before it wrote
            ours, plain = (said(start("gpu", stage, way, folder, json.dumps(options))) for way in WAYS)
            rows.append((*row(stage, ours, plain), provenance.machine()))
            print(*rows[-1], flush=True)
    save(options["out"], rows)


def given(arguments: list[str]) -> dict[str, Any]:
    """The options. ValueError for what is none."""
    found = dict(OPTIONS)
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in OPTIONS:
            raise ValueError(f"{argument}: give KEY=VALUE, with one of {', '.join(OPTIONS)}")
        found[key] = type(OPTIONS[key])(value)
    return found


def row(stage: str, ours: dict[str, Any], plain: dict[str, Any]) -> tuple[Any, ...]:
    speeds = [found["pictures"] / found["seconds"] for found in (ours, plain)]
    memory = [f"{found['bytes'] / 1e6:.0f}" for found in (ours, plain)]
    waits = "" if ours["waits"] is None else f"{ours['waits']:.2f}"
    return (stage, *(f"{speed:.2f}" for speed in speeds), f"{speeds[0] / speeds[1]:.2f}", *memory, waits)


def measure(stage: str, way: str, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Pictures, their seconds, the largest memory in bytes, and the share of time that the device waits."""
    import torch

    from benchmarks import gpu_stages
    from stages.common.device import device
    from stages.common.params import read_yaml

    place, sections = device(), read_yaml(Path("params.yaml"))
    os.chdir(folder)
    torch.manual_seed(0)
    work = getattr(gpu_stages, f"{way}_{stage.partition(',')[0]}")
    pictures, seconds, waits = work(gpu_stages.Setting(stage, options, sections, place))
    if place.type == "cuda":
        largest = torch.cuda.max_memory_allocated(place)
    else:
        largest = max(map(peak, map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))))
    return {"pictures": pictures, "seconds": seconds, "bytes": largest, "waits": waits}


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[2] in WAYS:
        print(json.dumps(measure(sys.argv[1], sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4]))))
    else:
        main(sys.argv[1:])
