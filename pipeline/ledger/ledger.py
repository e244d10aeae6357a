"""The rows of a set at a commit: which there are, which are made or kept, which could be."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.ledger import points, record, results, rows, runs, table, work
from pipeline.ledger.points import Point
from pipeline.ledger.record import Kept
from pipeline.ledger.results import Result
from pipeline.ledger.runs import Rows
from pipeline.ledger.table import Table
from pipeline.ledger.work import Keys
from pipeline.project import git
from pipeline.sweep import definition, trials
from pipeline.sweep.definition import Trial
from pipeline.sweep.trials import FAILED, FINISHED, Ended


class Ledger:
    def __init__(self, root: Path, name: str, seeds: int) -> None:
        self.root, self.name, self.seeds = root, name, seeds
        self.all = rows.read(root)
        self.kinds = self.all.of(name)
        self.revision = git.resolve(root, "HEAD")
        self.points: list[Point] = points.make(root, self.revision, self.kinds, name, self.all.sets[name])
        self.rows: Rows = runs.sweep(name, self.revision, seeds, self.points)
        self.base = definition.base_values(root, self.revision)
        self.trials = self.rows.trials(self.base)
        self.there = runs.there(root, self.rows, self.trials, self.base)
        self._read()
        lacks = {f"{self.rows.name}-{point.row.name}": points.missing(root, point) for point in self.points}
        self.missing: dict[str, list[str]] = {name: lines for name, lines in lacks.items() if lines}
        self.before = [ended for trial in self.trials if (ended := self._before(trial))]
        self.ended: list[Ended] = []

    def _read(self) -> None:
        self.record = record.read(self.root, self.name)
        self.kept: dict[str, Kept] = {}  # of what would be made now
        self.earlier: dict[str, Kept] = {}  # of the same parameters, by code that has changed since
        for trial in self.trials:
            found = self.record.get(self._place(trial))
            if found is None:
                continue
            keys = self._keys(trial)
            if found.asked == keys.asked:
                (self.kept if found.work == keys.work else self.earlier)[trial.name] = found

    def _before(self, trial: Trial) -> Ended | None:
        """What is known of a run that is not there: it is of something else, or its last attempt failed."""
        if trial.name in self.there.stale:
            return Ended(trial, "made with other parameters, stages or code")
        log = trials.logs(self.root, self.rows) / trial.name
        if trial.name in self.there.finished or not log.is_dir():
            return None
        return Ended(trial, FAILED, f"what it said is in {log.relative_to(self.root)}")

    def _place(self, trial: Trial) -> tuple[str, int]:
        return trial.point.removeprefix(f"{self.rows.name}-"), trial.seed or 0

    def _keys(self, trial: Trial) -> Keys:
        values = definition.with_values(self.base, trial.overrides)
        return work.keys(self.root, self.revision, values, trial.to)

    def open(self, only: Sequence[str], new: bool = False, seed: int | None = None) -> list[Trial]:
        """The runs of the chosen rows that are not made and lack nothing; `new`: of which nothing is kept.

        The plain row's are among them where others of their seed are: it tells what those cost beyond it.
        `seed`: of all seeds this one; ValueError where there is no such seed.
        """
        wanted = {f"{self.rows.name}-{row.name}" for row in rows.chosen(self.kinds, only)} - {*self.missing}
        found = [
            trial for trial in self._of(seed)
            if trial.point in wanted and trial.name not in self.there.finished
        ]  # fmt: skip
        known = {*self.kept, *self.earlier}
        unknown = {trial.seed for trial in found if trial.name not in known}
        beside = {trial.name for trial in found if trial.point == self.plain and trial.seed in unknown}
        left_out = known - beside if new else set[str]()
        return [trial for trial in found if trial.name not in left_out]

    def recorded(self, open_: Sequence[Trial]) -> dict[str, float]:
        """The usual seconds of a run by point, as the record has them, whatever it was made of.

        Beyond the plain row's where that is there or is made as well.
        """
        made = [trial for trial in self.trials if trial.name in self.there.finished]
        shared = any(trial.point == self.plain for trial in [*made, *open_])
        plain = self.plain.removeprefix(f"{self.rows.name}-")
        times = record.seconds(self.record.values(), plain if shared else None)
        return {f"{self.rows.name}-{row}": seconds for row, seconds in times.items()}

    @property
    def plain(self) -> str:
        return next(f"{self.rows.name}-{point.row.name}" for point in self.points if point.is_plain)

    def made(self) -> dict[str, Result]:
        """What the runs of this clone gave."""
        now = {one.trial.name for one in self.ended if one.outcome == FINISHED}
        done = [trial for trial in self.trials if trial.name in self.there.finished | now]
        return results.made(self.root, done, self.plain)

    def compared(self, trial: Trial) -> str:
        """How a run that was made stands to what is kept of it, in words."""
        old = self.kept.get(trial.name) or self.earlier.get(trial.name)
        if old is None:
            return ""
        new, code = self.made()[trial.name], f" by the code of {old.commit}" * (trial.name in self.earlier)
        changed = record.differences(old, new.scores)
        if not changed:
            return f", as kept{code}"
        where = f" of {old.machine}" if old.machine != new.machine else ""
        return f", otherwise than kept{where}{code}: {'; '.join(changed)}"

    @property
    def gone(self) -> list[str]:
        """The rows of the record that the set does not have."""
        there = {point.row.name for point in self.points}
        return list(dict.fromkeys(row for row, _ in self.record if row not in there))

    def keep(self) -> Path:
        """Write what the runs of this clone gave into the record; a line that says the same stays."""
        found, kept = self.made(), dict(self.record)
        for trial in self.trials:
            result, old = found.get(trial.name), self.kept.get(trial.name)
            if result and not (old and not record.differences(old, result.scores)):
                row, seed = self._place(trial)
                kept[row, seed] = Kept(
                    row=row, seed=seed, **vars(self._keys(trial)), commit=self.revision[:10],
                    machine=result.machine, **vars(result.cost),
                    scores={label: round(value, 4) for label, value in result.scores.items()},
                )  # fmt: skip
        place = record.write(self.root, self.name, kept.values(), [point.row.name for point in self.points])
        self._read()
        return place

    def of_record(self) -> Table:
        """What is kept, by earlier code too, whatever is made in this clone.

        What a row lacks is told where the plain row lacks nothing: else it tells of this machine alone.
        """
        missing = {} if self.plain in self.missing else self.missing
        return self._table(results.kept(self.kept, self.earlier), [], missing)

    def table(self, seed: int | None = None) -> Table:
        """`seed`: of that seed alone; ValueError where there is no such seed."""
        bad = {one.trial.name for one in self.ended if one.outcome != FINISHED}
        found = results.kept(self.kept, self.earlier) | self.made()
        found = {name: one for name, one in found.items() if name not in bad}
        return self._table(found, [*self.before, *self.ended], self.missing, seed)

    def _table(
        self,
        found: Mapping[str, Result],
        ended: Sequence[Ended],
        missing: Mapping[str, Sequence[str]],
        seed: int | None = None,
    ) -> Table:
        everywhere = [line for line, rows in table.lacking(missing).items() if len(rows) == len(self.points)]
        own = {name: [line for line in lines if line not in everywhere] for name, lines in missing.items()}
        made = table.lines(self.rows, self.points, self._of(seed), found, ended, own)
        title = self.all.sets[self.name].title
        others = self.all.elsewhere(self.name)
        seeds = self.seeds if seed is None else 1
        return Table(self.name, title, self.revision, seeds, made, others, self.all.systems, seed, everywhere)

    def _of(self, seed: int | None) -> list[Trial]:
        if seed is not None and seed >= self.seeds:
            raise ValueError(f"--seed {seed}: --seeds {self.seeds} has 0 to {self.seeds - 1}")
        return [trial for trial in self.trials if seed is None or seed == (trial.seed or 0)]
