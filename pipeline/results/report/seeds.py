"""How far seeds scatter: the finished runs NAME-s0, NAME-s1, ... of the present parameters, code and data."""

import re
import statistics
from collections import defaultdict
from collections.abc import Mapping

from pipeline.project import git
from pipeline.project.changes import between
from pipeline.results import scores, snapshot
from pipeline.results.diff.parting import partings
from pipeline.results.diff.sides import seeds
from pipeline.results.scores import Scores
from pipeline.results.snapshot import Snapshot

Values = dict[str, dict[object, float]]  # percent by name (a rung, a class) and run


def like(found: Scores) -> list[Scores]:
    """The runs of the largest group of two seeds or more that differs from `found` in seeds only."""
    try:
        names = git.branches(found.run.root)
    except ValueError:  # no git
        return []
    groups = defaultdict(list)
    for name in names:
        if match := re.fullmatch(r"(.+)-s\d+", name):
            groups[match[1]].append(name)
    alike = [_alike(group, found.run) for group in groups.values() if len(group) > 1]
    largest = max(alike, key=len, default=[])
    return [scores.read(run) for run in largest] if len(largest) > 1 else []


def numbers(runs: list[Scores], key: str = "miou") -> Values:
    """A number by rung, such as the mIoU."""
    found: Values = defaultdict(dict)
    for run in runs:
        for rung in run.good:
            if key in rung.numbers:
                found[rung.name][run.run.name] = rung.numbers[key]
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


def _alike(group: list[str], here: Snapshot) -> list[Snapshot]:
    """Those of one point's runs that are like `here`; none if its first is not, for they are equal."""
    found: list[Snapshot] = []
    for name in group:
        try:
            run = snapshot.open_run(here.root, name)
        except ValueError:  # a branch that somebody has broken
            continue
        if _is_like(run, here):
            found.append(run)
        elif not found:
            break
    return found


def _is_like(run: Snapshot, here: Snapshot) -> bool:
    """Whether parameters, code and raw data are the same, seeds aside; another data set is no other seed."""
    ours = seeds(run.params)
    same = all(key in ours for key, _, _ in between(run.params, here.params))
    parts = partings(run.lock, here.lock) if same else []
    return same and not any(part.data or set(part.code) - {"params.yaml"} for part in parts)
