"""How far seeds scatter: the finished runs NAME-s0, NAME-s1, ... whose parameters are the present ones."""

import re
import statistics
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import scores, snapshot, worktrees
from pipeline.changes import between
from pipeline.scores import Scores

Values = dict[str, dict[object, float]]  # percent by name (a rung, a class) and run


def like(root: Path, params: Mapping[str, Any]) -> list[Scores]:
    """The runs of the largest group of two seeds or more that differs from `params` in seeds only."""
    try:
        names = worktrees.branches(root)
    except ValueError:  # no git
        return []
    groups = defaultdict(list)
    for name in names:
        if match := re.fullmatch(r"(.+)-s\d+", name):
            groups[match[1]].append(name)
    found: list[list[snapshot.Snapshot]] = []
    for group in groups.values():
        if len(group) > 1 and _is_like(first := snapshot.open_run(root, group[0]), params):
            rest = [snapshot.open_run(root, name) for name in group[1:]]
            found.append([first, *(run for run in rest if _is_like(run, params))])
    largest = max(found, key=len, default=[])
    return [scores.read(run) for run in largest] if len(largest) > 1 else []


def miou(runs: list[Scores]) -> Values:
    """mIoU by rung."""
    found: Values = defaultdict(dict)
    for run in runs:
        for rung in run.good:
            if "miou" in rung.numbers:
                found[rung.name][run.run.name] = rung.numbers["miou"]
    return dict(found)


def iou(runs: list[Scores], name: str) -> Values:
    """IoU by class at a rung."""
    found: Values = defaultdict(dict)
    for run in runs:
        rung = run.rung(name)
        for one, value in rung.classes.items() if rung else ():
            found[one][run.run.name] = value
    return dict(found)


def spread(values: Mapping[object, float]) -> tuple[float, float] | None:
    """Mean and sample standard deviation; None of fewer than two runs."""
    if len(values) < 2:
        return None
    return statistics.fmean(values.values()), statistics.stdev(values.values())


def _is_like(run: snapshot.Snapshot, params: Mapping[str, Any]) -> bool:
    return all(key.rpartition(".")[2] == "seed" for key, _, _ in between(run.params, params))
