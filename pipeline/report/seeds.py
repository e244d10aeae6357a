"""How far seeds scatter: the finished runs NAME-s0, NAME-s1, ... whose parameters are the present ones."""

import re
import statistics
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import snapshot, worktrees
from pipeline.changes import between
from pipeline.tables import Table

Values = dict[str, dict[object, float]]  # percent by name (a rung, a class) and run


def like(root: Path, params: Mapping[str, Any]) -> list[snapshot.Snapshot]:
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
    return max(found, key=len, default=[])


def miou(runs: list[snapshot.Snapshot]) -> Values:
    """mIoU by rung."""
    return _values({run.name: (run.table("reports/ladder.csv"), "rung", "miou") for run in runs})


def iou(runs: list[snapshot.Snapshot], rung: str) -> Values:
    """IoU by class at a rung."""
    return _values({run.name: (run.table("reports/per_class.csv"), "class", rung) for run in runs})


def spread(values: Mapping[object, float]) -> tuple[float, float] | None:
    """Mean and sample standard deviation; None of fewer than two runs."""
    if len(values) < 2:
        return None
    return statistics.fmean(values.values()), statistics.stdev(values.values())


def _values(tables: Mapping[str, tuple[Table, str, str]]) -> Values:
    found: Values = defaultdict(dict)
    for name, (rows, key, column) in tables.items():
        for row in rows:
            if row.get(column):
                found[row[key]][name] = float(row[column])
    return found


def _is_like(run: snapshot.Snapshot, params: Mapping[str, Any]) -> bool:
    return all(key.rpartition(".")[2] == "seed" for key, _, _ in between(run.params, params))
