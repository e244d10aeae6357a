"""The numbers of one finished run: those of the stages that its row ends at, and of no others."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.project import ledger
from pipeline.project.outcomes import RAN
from pipeline.results import diagnosis, explanation, scores
from pipeline.results.scores import Scores
from pipeline.results.snapshot import open_run
from pipeline.sweep.outcome import pairs
from stages.episodes.names import heading, order

Outs = tuple[str, ...]  # the hashes of a stage's outputs
EXPLAINED = {words.short: key for key, words in explanation.WORDS.items()}


@dataclass(frozen=True)
class Numbers:
    """Of a run."""

    scores: tuple[tuple[str, float], ...]  # by rung or metric, in percent
    stages: tuple[tuple[str, Outs], ...]  # all that it stems from, with what they made


@functools.lru_cache(maxsize=4096)  # the page is made anew after each run
def read(root: Path, commit: str, ends: tuple[str, ...]) -> Numbers:
    """Of the commit that a run's branch holds."""
    found = scores.read(open_run(root, commit))
    above = {stage: None for end in ends for stage in found.standings.above(end)}
    lock = found.run.lock
    made = tuple((stage, tuple(ledger.hashes(lock[stage]))) for stage in above if stage in lock)
    return Numbers(tuple(_scores(found, above)), made)


def _scores(found: Scores, above: Mapping[str, None]) -> Iterator[tuple[str, float]]:
    stage_of = scores.names(found.run)
    for rung in found.good:
        if "miou" in rung.numbers and stage_of[rung.name] in above:
            yield from pairs(rung.name, rung.numbers)
    for stage in above:
        step, _, item = stage.partition("@")
        name = item if step in ("ceiling", "episodes") else step
        if step in OTHERS:
            rung = scores.extra(found, name, stage)
            yield from OTHERS[step](item, rung.numbers if rung.good else {})


def _ceiling(item: str, numbers: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """The same segmenter on the same pictures: to be compared with the plain row's predictions."""
    if "miou" in numbers:
        yield "predictions", numbers["miou"]


def _episodes(item: str, numbers: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    kinds = {key.removeprefix("miou_") for key in numbers if re.fullmatch(r"miou_(?!.*_std$).+", key)}
    for kind in sorted(kinds, key=order):
        yield f"{heading(kind)}, fold {item}", numbers[f"miou_{kind}"]


def _explanation(item: str, numbers: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    yield from ((short, numbers[key]) for short, key in EXPLAINED.items() if key in numbers)


def _diagnosis(item: str, numbers: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    if "accuracy" in numbers:
        yield "right predictions", numbers["accuracy"]
    for method, words in diagnosis.WORDS.items():
        if f"accuracy_{method}" in numbers:
            yield f"right without pixels by {words.name}", numbers[f"accuracy_{method}"]


OTHERS = {"ceiling": _ceiling, "episodes": _episodes, "explanation": _explanation, "diagnosis": _diagnosis}


def sense(label: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if label in EXPLAINED and not explanation.is_high(EXPLAINED[label]) else 1


@dataclass(frozen=True)
class Cost:
    """Of all that a run stems from, whichever run computed it; None where nobody knows."""

    seconds: float | None
    own: float | None  # of the stages that the plain run of the same seed does not share
    memory: float | None  # bytes, of the stage that needs most


class Costs:
    """What the stages of this clone's runs took, by what they made."""

    def __init__(self, root: Path) -> None:
        self.lines: dict[tuple[str, Outs], dict[str, Any]] = {
            (str(line.get("stage")), tuple(line.get("outs") or ())): line
            for line in ledger.read(root)
            if line.get("outcome") == RAN
        }

    def of(self, run: Numbers, plain: Numbers | None) -> Cost:
        shared = set(plain.stages) if plain else set[tuple[str, Outs]]()
        own = [made for made in run.stages if made not in shared]
        return Cost(
            self._sum(run.stages, "seconds"),
            self._sum(own, "seconds") if plain else None,
            max(self._each(run.stages, "memory") or [0]) or None,
        )

    def devices(self, run: Numbers) -> list[str]:
        """The accelerators that its stages ran on, as far as it is known."""
        found = [str(self.lines.get(made, {}).get("device") or "") for made in run.stages]
        return [name for name in dict.fromkeys(found) if name not in ("", "CPU")]

    def _sum(self, stages: Any, what: str) -> float | None:
        found = self._each(stages, what)
        return None if found is None else sum(found)

    def _each(self, stages: Any, what: str) -> list[float] | None:
        """A number of each stage; None if one is not known."""
        found = [self.lines.get(made, {}).get(what) for made in stages]
        return [float(value) for value in found if value is not None] if None not in found else None
