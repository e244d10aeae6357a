"""What must be known before the numbers of a comparison are read, in sentences: nothing else says it."""

from collections.abc import Iterator, Mapping

from pipeline.changes import between
from pipeline.diff import parting
from pipeline.diff.sides import Pair, Side, pair_of, seeds
from pipeline.snapshot import WORKSPACE, Snapshot, hashes
from pipeline.tables import Table

DATASET = "dataset"  # the stage that makes pictures and masks
NAMED = 4  # of a list, at most


def before(a: Side, b: Side) -> list[str]:
    """Other classes or pictures on the two sides, parameters that were not run, results that are missing."""
    pair = pair_of(a, b)
    lines = [*_classes(pair), *_dataset(pair), *_rungs(pair)]
    for one in (a, b):
        lines += [line for run in one.runs.values() for line in _of_run(run)]
        lines += _unlike(one)
    if len(a.runs) > 1 or len(b.runs) > 1:
        names = f"{pair[0].name} and {pair[1].name}"
        lines.append(f"numbers are means over runs; stages and pictures are those of {names}")
    return list(dict.fromkeys(lines))


def missing(pair: Pair, scores: Mapping[str, tuple[Table, Table]]) -> list[str]:
    """Whose scores of pictures cannot be had, and why; asked last, for what was missing before counts too."""
    lines = []
    for run, which in zip(pair, (0, 1), strict=True):
        gone = [rung for rung, tables in scores.items() if not tables[which]]
        if gone:
            why = f" ({'; '.join(run.problems)})" if run.problems else ""
            lines.append(
                f"{run.name} has no scores of single pictures at {some(gone)}{why}: none are compared there"
            )
    return lines


def _classes(pair: Pair) -> Iterator[str]:
    first, second = ([row["class"] for row in run.table("reports/per_class.csv")] for run in pair)
    if first and second and first != second:
        gone = [name for name in first if name not in second]
        new = [name for name in second if name not in first]
        parts = [f"{some(gone)} only in {pair[0].name}"] * bool(gone)
        parts += [f"{some(new)} only in {pair[1].name}"] * bool(new)
        yield f"the classes differ ({'; '.join(parts) or 'their order'}): means are over different classes"


def _dataset(pair: Pair) -> Iterator[str]:
    first, second = (hashes(run.lock.get(DATASET, {}), "outs") for run in pair)
    if first and second and (changed := [path for path in first if first[path] != second.get(path)]):
        yield f"the data sets differ ({some(changed)}): the numbers are not of the same pictures"


def _rungs(pair: Pair) -> Iterator[str]:
    tables = [{row["rung"]: row for row in run.table("reports/ladder.csv")} for run in pair]
    if not all(tables):
        return
    for run, one, other in zip(pair, tables, tables[::-1], strict=True):
        if only := [rung for rung in one if rung not in other]:
            yield f"only {run.name} has the rung {some(only)}"
    for rung, row in tables[0].items():
        images = row.get("images"), tables[1].get(rung, row).get("images")
        if images[0] != images[1]:
            yield f"{rung} is scored on {images[0]} pictures in {pair[0].name}, {images[1]} in {pair[1].name}"


def _of_run(run: Snapshot) -> Iterator[str]:
    if not run.lock:
        yield f"{run.name} has no dvc.lock: nothing was run there"
    if not run.table("reports/ladder.csv"):
        yield f"{run.name} has no reports/ladder.csv: it has no numbers to compare"
    if run.lock and (keys := [key for key, _, _ in parting.not_run(run.params, run.lock)]):
        todo = ": `wsss run`" if run.name == WORKSPACE else ""
        yield f"{run.name} was not run with its {some(keys)}; its numbers are of the values before{todo}"


def _unlike(one: Side) -> Iterator[str]:
    """The runs of a point differ in their seeds and in nothing else; who made some by hand is told."""
    for run in one.runs.values():
        changes = [key for key, _, _ in between(one.first.params, run.params) if key not in seeds(run.params)]
        if changes:
            yield f"{one.first.name} and {run.name} differ in more than their seeds: {some(changes)}"


def some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
