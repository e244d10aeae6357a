"""A sweep's outcome as tables: points.csv for programs, summary.md for people, the end of a command."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.engine import terminal
from pipeline.project.root import write_whole
from pipeline.project.tables import markdown
from pipeline.project.words import clock
from pipeline.results.explanation import WORDS
from pipeline.results.scores import text
from pipeline.sweep.definition import Sweep, folder
from pipeline.sweep.effects import factors
from pipeline.sweep.grid import Values, word, words
from pipeline.sweep.outcome import Outcome, Point
from pipeline.sweep.trials import FINISHED
from stages.common.artifacts import as_text
from stages.explanation.names import BETTER

EXPLAINED = (
    "How well the seeds explain the classifier, the mean over the classes in percent; high or low is the "
    "better end. Average Drop (AD) alone is a trap: of a map that keeps all it is 0."
)


def write(root: Path, outcome: Outcome) -> None:
    """points.csv, a row per run, and summary.md, a row per point, in the sweep's folder."""
    place = folder(root, outcome.sweep.name)
    place.mkdir(parents=True, exist_ok=True)
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(_table(outcome))
    write_whole(place / "points.csv", lines.getvalue())
    write_whole(place / "summary.md", to_markdown(outcome))


def _table(outcome: Outcome) -> Iterator[list[str]]:
    keys = list(outcome.sweep.points[0])
    rungs = [f"{rung}.miou" for rung in outcome.rungs]
    rungs += [f"explanation.{metric}" for metric in outcome.explained]
    yield ["run", "point", "seed", *keys, *rungs, "minutes", "ran", "restored", "outcome", "why"]
    for point in outcome.points:
        for row in point.rows:
            seed = "" if row.trial.seed is None else str(row.trial.seed)
            values = [as_text(word(point.values[key])) for key in keys]
            miou = [text(row.miou[rung]) if rung in row.miou else "" for rung in outcome.rungs]
            miou += [text(row.explained[key]) if key in row.explained else "" for key in outcome.explained]
            cost = [f"{row.cost.seconds / 60:.2f}", str(row.cost.ran), str(row.cost.restored)]
            yield [row.trial.name, point.name, seed, *values, *miou, *cost, row.outcome, as_text(row.why)]


def to_markdown(outcome: Outcome) -> str:
    """A row per point: mean and standard deviation over its seeds per rung, the best in bold, the minutes."""
    keys = varying(outcome.sweep.points)
    header = ["point", *keys, *outcome.rungs, "minutes", "runs"]
    best = {rung: outcome.best(rung) for rung in outcome.rungs}
    rows = []
    for point in outcome.points:
        miou = [_bold(spread(point, rung), point in best[rung]) for rung in outcome.rungs]
        minutes = f"{point.seconds / 60:.1f}"
        rows.append([point.name, *(word(point.values[key]) for key in keys), *miou, minutes, state(point)])
    right = range(1 + len(keys), len(header) - 1)
    shown = f"# Sweep {outcome.sweep.name}\n\n{about(outcome)}\n\n{markdown(header, rows, right)}"
    if explained_rows := explained(outcome):
        head, *lines = explained_rows
        shown += f"\n{EXPLAINED}\n\n{markdown(head, lines, range(1 + len(keys), len(head)))}"
    return shown


def explained(outcome: Outcome) -> list[list[str]]:
    """The explanation metrics as text: a header, a row per point; empty where no run has any."""
    keys, metrics = varying(outcome.sweep.points), outcome.explained
    header = ["point", *short(keys), *(f"{WORDS[metric].short} ({BETTER[metric]})" for metric in metrics)]
    rows = [
        [
            point.name,
            *(word(point.values[key]) for key in keys),
            *(_text(point.explained(m)) for m in metrics),
        ]
        for point in outcome.points
    ]
    return [header, *rows] if metrics else []


def varying(points: Sequence[Values]) -> list[str]:
    """The keys that differ between points; all of a single one's."""
    return [key for factor in factors(points) for key in factor.keys] or list(points[0])


def short(keys: Sequence[str]) -> list[str]:
    """The keys' last parts, where those differ from each other; else the keys."""
    last = [key.rpartition(".")[2] for key in keys]
    return last if len(set(last)) == len(last) else list(keys)


def spread(point: Point, rung: str) -> str:
    """Mean and standard deviation in percent, of a single run its value, of none nothing."""
    return _text(point.spread(rung))


def _text(found: tuple[float, float | None] | None) -> str:
    if found is None:
        return ""
    return text(found[0]) + ("" if found[1] is None else f" ± {text(found[1])}")


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if text and best else text


def state(point: Point) -> str:
    """`finished`, or how many of its runs are, and what became of the others."""
    bad = [row for row in point.rows if row.outcome != FINISHED]
    if not bad:
        return FINISHED
    if len(point.rows) == 1:
        return bad[0].outcome
    outcomes = ", ".join(dict.fromkeys(row.outcome for row in bad))
    return f"{len(point.rows) - len(bad)} of {len(point.rows)} finished, others {outcomes}"


def about(outcome: Outcome) -> str:
    """One line: what it was, how much is done, what it took."""
    sweep, rows = outcome.sweep, outcome.rows
    done = sum(row.outcome == FINISHED for row in rows)
    ran, restored = sum(row.cost.ran for row in rows), sum(row.cost.restored for row in rows)
    return (
        f"{size(sweep)} at commit {sweep.revision[:10]}: {done} of {len(rows)} runs finished, {ran} stages"
        f" computed and {restored} restored, {clock(sum(row.cost.seconds for row in rows))} of work;"
        f" mIoU in percent{', mean ± standard deviation over the seeds' if sweep.seeds else ''}."
    )


def size(sweep: Sweep) -> str:
    points = f"{len(sweep.points)} point{'s' * (len(sweep.points) > 1)}"
    seeds = f" x {sweep.seeds} seed{'s' * (sweep.seeds > 1)}" if sweep.seeds else ""
    return points + seeds + (f" to {', '.join(sweep.to)}" if sweep.to else "")


def again(sweep: Sweep, point: Point) -> str:
    """The command that makes a point anew by itself, of the same commit, as a sweep of this one point."""
    options = [f"--seeds {sweep.seeds}"] if sweep.seeds else []
    options += [f"--to {stage}" for stage in sweep.to]
    options += [f"--revision {sweep.revision[:10]}", f"--name {point.name}-again"]
    axes = [f"'{words({key: value})}'" for key, value in point.values.items()]
    return " ".join(["wsss sweep", *axes, *options])


def show(outcome: Outcome, place: Path) -> None:
    """The points as a table, what failed and why, and where the page is."""
    from rich.console import Console
    from rich.table import Table

    from pipeline.project.words import escape
    from stages.common.door import visible

    keys = varying(outcome.sweep.points)
    best = {rung: outcome.best(rung) for rung in outcome.rungs}
    table = Table(box=None, pad_edge=False)
    for column in ("point", *short(keys), *outcome.rungs, "runs"):
        table.add_column(escape(column), justify="right" if column in outcome.rungs else "left")
    for point in outcome.points:
        miou = [
            f"[bold]{spread(point, r)}[/]" if point in best[r] else spread(point, r) for r in outcome.rungs
        ]
        values = [escape(word(point.values[key])) for key in keys]
        table.add_row(escape(point.name), *values, *miou, escape(state(point)))
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=terminal.WIDE)
    console.print(table)
    if lines := explained(outcome):
        console.print(f"\n{EXPLAINED}")
        table = Table(box=None, pad_edge=False)
        for number, column in enumerate(lines[0]):
            table.add_column(escape(column), justify="right" if number > len(keys) else "left")
        for line in lines[1:]:
            table.add_row(*map(escape, line))
        console.print(table)
    for row in outcome.rows:
        if row.why:
            print(visible(f"{row.trial.name}: {row.why}"))
    for log in sorted((place / "logs").glob("*/*")):
        print(f"the output of a failed stage: {log}")
    print(about(outcome))
