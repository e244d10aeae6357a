"""What each run of a set gave: those that are made here, and of others what is kept of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.ledger import numbers
from pipeline.ledger.numbers import Cost, Costs, Numbers
from pipeline.ledger.record import Kept
from pipeline.project import git, processor
from pipeline.sweep.definition import Trial


@dataclass(frozen=True)
class Result:
    """Of a run."""

    scores: Mapping[str, float]  # by rung or metric, in percent
    cost: Cost
    machine: str
    kept: bool  # not made here
    earlier: str = ""  # the commit whose code made it, where that is another now


def made(root: Path, trials: Iterable[Trial], plain: str) -> dict[str, Result]:
    """Of finished runs, by name; `plain` is the point that a run's own cost is beyond."""
    costs, found = Costs(root), [(trial, _read(root, trial)) for trial in trials]
    plains = {trial.seed: run for trial, run in found if trial.point == plain}
    return {
        trial.name: Result(
            dict(run.scores), costs.of(run, plains.get(trial.seed)), _machine(costs.devices(run)), kept=False
        )
        for trial, run in found
    }


def kept(runs: Mapping[str, Kept], earlier: Mapping[str, Kept]) -> dict[str, Result]:
    """`earlier` are those of other code."""
    return {
        name: Result(
            one.scores, one.cost, one.machine, kept=True, earlier=one.commit if name in earlier else ""
        )
        for name, one in {**runs, **earlier}.items()
    }


def _read(root: Path, trial: Trial) -> Numbers:
    commit = git.resolve(root, f"refs/heads/{git.BRANCH}{trial.name}")
    return numbers.read(root, commit, trial.to)


def _machine(devices: Sequence[str]) -> str:
    """This one, with the accelerators that the run used."""
    return ", ".join([processor.described(), *devices])
