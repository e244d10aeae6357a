"""The rows of a set as a sweep: what its runs are called, and which of them are there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engine import worktrees
from pipeline.ledger import work
from pipeline.ledger.points import Point
from pipeline.project import git
from pipeline.sweep.definition import Sweep, Trial, base_values, with_values


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
    """Which runs are there. A commit makes those stale that read what it changes."""
    known = set(git.branches(root))
    finished, stale = set[str](), set[str]()
    for trial in trials:
        if trial.name in known:
            branch = f"refs/heads/{git.BRANCH}{trial.name}"
            run, params = git.resolve(root, branch), with_values(base, trial.overrides)
            same = worktrees.kept_to(root, branch) == trial.to
            same = same and is_of(root, run, rows.revision, params, trial.to)
            (finished if same else stale).add(trial.name)
    return There(frozenset(finished), frozenset(stale))


def forget(root: Path, names: Sequence[str]) -> None:
    """Remove the branches of stale runs; their results stay in the cache."""
    if names:
        git.run(root, "branch", "-D", *(git.BRANCH + name for name in names))


def is_of(root: Path, run: str, revision: str, params: dict[str, Any], ends: Sequence[str]) -> bool:
    """Whether a run's results are what a revision's graph and code make with these parameters.

    Both are commits. Only what its ends stem from is asked: a parameter that none of it reads may differ.
    """
    return work.keys(root, run, base_values(root, run), ends) == work.keys(root, revision, params, ends)
