"""What the runs of a set gave, kept in git: ledger/SET.jsonl, a line per run.

So a clone shows every number before it has computed one, what several machines made is one table, and a run
that is made again can be held against what it gave before.
"""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from pipeline.ledger.numbers import Cost
from pipeline.ledger.rows import FOLDER, Name
from pipeline.project.root import read_text, write_whole
from pipeline.results.scores import text
from stages.common.params import ParameterError, Section, check

CONFLICT = ("<<<<<<< ", "=======", ">>>>>>> ")
SAME = 0.005  # percent: what is written with two digits


class Kept(Section):
    """A run."""

    row: Name
    seed: int = Field(ge=0)
    asked: str  # the key of its commands and parameters: of others it says nothing
    work: str  # of these and of the code that made it, which a later commit may have changed
    commit: str
    machine: str
    seconds: float | None
    own: float | None  # as Cost has them
    memory: float | None
    scores: dict[str, float]  # percent

    @property
    def cost(self) -> Cost:
        return Cost(self.seconds, self.own, self.memory)


def path(root: Path, name: str) -> Path:
    return root / FOLDER / f"{name}.jsonl"


def read(root: Path, name: str) -> dict[tuple[str, int], Kept]:
    """The runs of a set by row and seed; none where nothing is kept. ValueError for a spoilt line."""
    file = path(root, name)
    where = f"{FOLDER}/{file.name}"
    lines = read_text(file, where).splitlines() if file.is_file() else []
    found: dict[tuple[str, int], Kept] = {}
    for number, line in enumerate(lines, 1):
        one = _line(line, f"{where}, line {number}")
        if (one.row, one.seed) in found:
            raise ValueError(f"{where}, line {number}: {one.row}, seed {one.seed} a second time: delete one")
        found[one.row, one.seed] = one
    return found


def write(root: Path, name: str, kept: Iterable[Kept], order: Sequence[str]) -> Path:
    """Whole, its lines by row as `order` has them, then by seed; without rows that are not in `order`."""
    known = [one for one in kept if one.row in order]
    known.sort(key=lambda one: (order.index(one.row), one.seed))
    lines = [json.dumps(one.model_dump()) + "\n" for one in known]
    write_whole(path(root, name), "".join(lines))
    return path(root, name)


def differences(kept: Kept, scores: Mapping[str, float]) -> list[str]:
    """Where a run gave something else than what is kept, a score each, in words."""
    found = []
    for label in dict.fromkeys([*kept.scores, *scores]):
        old, new = kept.scores.get(label), scores.get(label)
        if old is None or new is None or abs(old - new) > SAME:
            found.append(f"{label} {_said(old)}, now {_said(new)}")
    return found


def seconds(kept: Iterable[Kept], beyond: str | None) -> dict[str, float]:
    """What a run takes by row, the median over its seeds: of all rows but the plain one what is beyond that.

    `beyond` is the plain row's name; None: what a run takes by itself.
    """
    found: dict[str, list[float]] = {}
    for one in kept:
        time = one.seconds if beyond in (None, one.row) else one.own
        if time is not None:
            found.setdefault(one.row, []).append(time)
    return {row: statistics.median(times) for row, times in found.items()}


def _said(value: float | None) -> str:
    return "nothing" if value is None else text(value)


def _line(line: str, where: str) -> Kept:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        if line.startswith(CONFLICT):
            raise ValueError(f"{where}: a merge conflict: keep the runs of both sides") from None
        said = getattr(error, "msg", error)
        raise ValueError(f"{where} is no JSON ({said}): take the file as git has it") from None
    if not isinstance(values, dict):
        raise ValueError(f"{where}: an object is expected, take the file as git has it")
    try:
        return check(Kept, values, where)
    except ParameterError as error:
        raise ValueError(" ".join(str(error).split())) from None
