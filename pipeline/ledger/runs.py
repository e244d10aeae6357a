"""The rows of a set as a sweep: what its runs are called, and which of them are there."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.engine import worktrees
from pipeline.ledger.points import Point
from pipeline.project import git
from pipeline.results.diff.parting import is_stamp
from pipeline.results.snapshot import digest, hashes, open_run
from pipeline.results.standing import Standings
from pipeline.sweep.definition import Sweep, Trial, base_values, with_values
from stages.common import stamps

CODE = ("stages", "dvc.yaml")  # what makes the numbers, beside the parameters; of stages/ what stamps name


@dataclass(frozen=True)
class Rows(Sweep):
    """A sweep whose points have names, and ends of their own: a run is called ledger-SET-ROW-sSEED."""

    names: tuple[str, ...] = ()
    stops: tuple[tuple[str, ...], ...] = ()

    def point(self, index: int) -> str:
        return f"{self.name}-{self.names[index]}"

    def ends(self, index: int) -> tuple[str, ...]:
        return self.stops[index]


def sweep(name: str, revision: str, seeds: int, points: Sequence[Point]) -> Rows:
    """What each run took is asked of project.ledger by its results, so it does not matter when it began."""
    return Rows(
        f"ledger-{name}", revision, seeds, tuple(point.overrides for point in points), started="",
        names=tuple(point.row.name for point in points), stops=tuple(point.to for point in points),
    )  # fmt: skip


@dataclass(frozen=True)
class There:
    """The runs that have a branch."""

    finished: frozenset[str]  # of the row's parameters and stages, by the code of the revision
    stale: frozenset[str]  # of others: to be made again


def there(root: Path, rows: Rows, trials: Sequence[Trial], base: Mapping[str, Any]) -> There:
    """Which runs are there. A commit makes those stale whose parameters, graph or code it changes."""
    known = set(git.branches(root))
    finished, stale = set[str](), set[str]()
    for trial in trials:
        if trial.name in known:
            branch = f"refs/heads/{git.BRANCH}{trial.name}"
            same = (
                worktrees.kept_to(root, branch) == trial.to
                and base_values(root, branch) == with_values(base, trial.overrides)
                and is_of_code(root, git.resolve(root, branch), rows.revision, trial.to)
            )
            (finished if same else stale).add(trial.name)
    return There(frozenset(finished), frozenset(stale))


def forget(root: Path, names: Sequence[str]) -> None:
    """Remove the branches of stale runs; their results stay in the cache."""
    if names:
        git.run(root, "branch", "-D", *(git.BRANCH + name for name in names))


def is_of_code(root: Path, run: str, revision: str, ends: Sequence[str]) -> bool:
    """Whether a revision has the graph of a run's commit, and the code of all that its ends stem from."""
    if git.run(root, "ls-tree", revision, "--", *CODE) == git.run(root, "ls-tree", run, "--", *CODE):
        return True
    if git.run(root, "ls-tree", revision, "--", CODE[1]) != git.run(root, "ls-tree", run, "--", CODE[1]):
        return False
    found, read = open_run(root, run), _reader(root, revision)
    standings = Standings(found)
    above = {stage for end in ends for stage in standings.above(end)} & found.lock.keys()
    deps = {dep for stage in above for dep in hashes(found.lock[stage], "deps").items()}
    return all(
        digest(stamps.stamp(PurePosixPath(path).name, found.params, read).encode()) == value
        for path, value in deps
        if is_stamp(path)
    )


@functools.lru_cache(maxsize=1)  # of the revision that is run; it reads all of stages/
def _reader(root: Path, revision: str) -> stamps.Read:
    return git.reader(root, revision)
