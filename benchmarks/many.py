"""What many pictures cost: the recipe `threshold` on 1,000, 10,000 and 100,000 made pictures of 32 pixels.

In a clone of the project for each number: the steps that go over all pictures, as the run itself counts their
seconds and their largest process; what the whole run took beside them, which is DVC's hashing and keeping of
the files; then the plan and a run with nothing to do, the plan and the step `dataset` after ten new pictures,
and the maps made again where all are known. Last, per number, what each costs per 1,000 pictures, and the
power of the number by which it grows from the smallest set to the largest: 1 is linear, 0 does not grow.

    python -m benchmarks.many [NUMBER ...]

A fifth of the pictures are of val. It writes benchmarks/results/many.csv.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common import save
from pipeline.engine.supervisor import peak
from pipeline.project import presets

SIZES = (1_000, 10_000, 100_000)
SIDE, CLASSES, NEW, VAL = 32, ("red", "green", "blue"), 10, 5  # every fifth is of val
COLOURS = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200]])  # RGB
STEPS = ("dataset", "classifier", "seeds", "pseudo_labels", "evaluation@seeds", "evaluation@pseudo_labels")
PLAN, NOTHING = "wsss plan", "wsss run, nothing to do"
GOALS = {PLAN: "< 10", NOTHING: "< 20"}  # seconds, at 100,000
VALUES: dict[str, Any] = {
    "generate.of": [],
    "dataset.source": "folder",
    "dataset.name": "many",
    "classifier.augment.crop": SIDE,
    "classifier.epochs": 1,
    "evaluation.rungs": {"seeds": "seeds", "pseudo_labels": "pseudo_labels"},
}
Cost = tuple[float, float]  # seconds, and MB of the largest process


def main() -> None:
    sizes = [int(number) for number in sys.argv[1:]] or list(SIZES)
    found = {size: measure(size) for size in sizes}
    rows: list[tuple[Any, ...]] = [
        ("what", "pictures", "seconds", "goal", "seconds_per_1000", "mb", "power_of_seconds", "power_of_mb")
    ]
    for what in found[sizes[0]]:
        costs = [found[size][what] for size in sizes]
        for size, (seconds, mb) in zip(sizes, costs, strict=True):
            last = size == sizes[-1] and len(sizes) > 1
            powers = [f"{power(sizes, [cost[i] for cost in costs]):.2f}" if last else "" for i in (0, 1)]
            goal = GOALS.get(what, "") if size == SIZES[-1] else ""
            rows.append(
                (what, size, f"{seconds:.1f}", goal, f"{1000 * seconds / size:.2f}", f"{mb:.0f}", *powers)
            )
    save("many", rows)


def power(sizes: list[int], costs: list[float]) -> float:
    """p of the line through the logarithms: cost = c * size ** p. The smallest cost that is told is 0.1."""
    logs = [math.log(max(cost, 0.1)) for cost in costs]
    return float(np.polyfit([math.log(size) for size in sizes], logs, 1)[0])


def measure(size: int) -> dict[str, Cost]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        subprocess.run(["git", "clone", "-q", str(Path.cwd()), str(root)], check=True)
        presets.apply(root, "threshold")
        presets.set_values(root, VALUES)
        draw(root / "data" / "raw" / "many", range(size))
        costs: dict[str, Cost] = {}
        whole = timed(root, "run", *STEPS[-2:])
        told = ledger(root)
        costs |= {step: told[step] for step in STEPS}
        costs["the rest of the run"] = (whole[0] - sum(seconds for seconds, _ in told.values()), whole[1])
        costs[PLAN] = timed(root, "plan", *STEPS[-2:])
        costs[NOTHING] = timed(root, "run", *STEPS[-2:])
        timed(root, "run", "--force", "seeds", "seeds")
        costs["seeds, all known"] = ledger(root)["seeds"]
        draw(root / "data" / "raw" / "many", range(size, size + NEW))
        costs[f"wsss plan, {NEW} new"] = timed(root, "plan", "dataset")
        timed(root, "run", "dataset")
        costs[f"dataset, {NEW} new"] = ledger(root)["dataset"]
    for what, (seconds, mb) in costs.items():
        print(f"{size:7} {what:25} {seconds:8.1f} s {mb:6.0f} MB", file=sys.stderr, flush=True)
    return costs


def draw(folder: Path, numbers: range) -> None:
    """Pictures of a coloured rectangle on grey noise, their masks, and their rows of labels.csv."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    table = folder / "labels.csv"
    lines = [] if table.exists() else ["file,split,labels"]
    for number in numbers:
        drawn = np.random.default_rng(number)
        picture = drawn.integers(90, 160, (SIDE, SIDE, 3), np.uint8)
        top, left = drawn.integers(0, SIDE // 2, 2)
        height, width = drawn.integers(8, SIDE // 2, 2)
        label = number % len(CLASSES)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[top : top + height, left : left + width] = label + 1
        picture[mask > 0] = COLOURS[label]
        cv2.imwrite(str(folder / "images" / f"{number:06}.png"), picture[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{number:06}.png"), mask)
        lines.append(f"{number:06}.png,{'val' if number % VAL == 0 else 'train'},{CLASSES[label]}")
    with table.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))


def timed(root: Path, *arguments: str) -> Cost:
    """Of a `wsss` command, the start of Python included."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(root), "DVC_NO_ANALYTICS": "1"}
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise ValueError(f"wsss {' '.join(arguments)}:\n{said[-3000:]}")
    return time.perf_counter() - begin, peak(usage) / 2**20


def ledger(root: Path) -> dict[str, Cost]:
    """Of each stage its last run."""
    found: dict[str, Cost] = defaultdict(lambda: (0.0, 0.0))
    for line in (root / ".scratch" / "ledger.jsonl").read_text().splitlines():
        row = json.loads(line)
        found[row["stage"]] = (row["seconds"], row["memory"] / 2**20)
    return found


if __name__ == "__main__":
    main()
