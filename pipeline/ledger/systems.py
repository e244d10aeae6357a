"""The systems that the documents define: where each one's code is, how to choose it, what its rows gave."""

from dataclasses import dataclass

from pipeline.ledger.numbers import EXPLAINED
from pipeline.ledger.rows import Row, System
from pipeline.ledger.table import Line, Table
from pipeline.results import noise
from pipeline.sweep.grid import words


@dataclass(frozen=True)
class Part:
    """A row of a system."""

    row: Row
    line: Line | None  # None: the row is of other sets
    file: str
    keys: str
    results: list[str]  # by score


@dataclass(frozen=True)
class Standing:
    """A system with its rows of this set; where there are none, with one of another set."""

    name: str
    source: str
    parts: list[Part]

    @property
    def has_result(self) -> bool:
        return any(part.results for part in self.parts)


def standings(table: Table) -> list[Standing]:
    return [Standing(one.name, one.source, list(_parts(table, one))) for one in table.systems]


def _parts(table: Table, system: System) -> list[Part]:
    here = {line.row.name: line for line in table.lines}
    known = {row.name: row for _, row in table.elsewhere} | {name: line.row for name, line in here.items()}
    shown = [name for name in system.rows if name in here] or system.rows[:1]
    return [
        _part(table, system, known[name], here.get(name), first=index == 0)
        for index, name in enumerate(shown)
    ]


def _part(table: Table, system: System, row: Row, line: Line | None, first: bool) -> Part:
    own = changes(table, row, without="evaluation.")  # what is scored chooses no method
    keys = ", ".join(filter(None, [f"preset {row.preset}" if row.preset else "", own]))
    file = system.file if first and system.file else row.file
    return Part(row, line, file, system.keys if first and system.keys else keys, _results(system, line))


def _results(system: System, line: Line | None) -> list[str]:
    """The scores that tell of the system: those it names, or all but the explanation's."""
    scores = line.scores if line else {}
    named = system.scores or [label for label in scores if label not in EXPLAINED]
    return [f"{label} {scores[label].text}{said(scores[label].change)}" for label in named if label in scores]


def changes(table: Table, row: Row, without: str = "") -> str:
    """What a row sets on this set's pictures, in words; keys that begin with `without` left out."""
    found = {**row.changes, **row.on.get(table.name, {})}
    return words({key: value for key, value in found.items() if not (without and key.startswith(without))})


def said(change: noise.Change | None) -> str:
    """The change against the plain row, in brackets."""
    if change is None or change.verdict == noise.EQUAL:
        return "" if change is None else " (equal)"
    quiet = {noise.NOISE: " noise", noise.UNKNOWN: " ?"}.get(change.verdict, "")
    return f" ({change.change:+.2f}{quiet})"
