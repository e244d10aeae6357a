"""What must be known before the numbers of a comparison are read, in sentences: nothing else says it."""

from collections.abc import Iterator, Mapping, Sequence

from pipeline.project.changes import between
from pipeline.project.tables import Table
from pipeline.results import provenance
from pipeline.results.diff import parting
from pipeline.results.diff.parting import Parting
from pipeline.results.diff.sides import Pair, Side, pair_of, seeds
from pipeline.results.scores import Scores
from pipeline.results.snapshot import WORKSPACE, Snapshot, hashes

DATASET = "dataset"  # the stage that makes pictures and masks
NAMED = 4  # of a list, at most


def before(a: Side, b: Side, scores: tuple[Scores, Scores], stages: Sequence[Parting]) -> list[str]:
    """What the two sides do not share: classes, pictures, machines; parameters that were not run, and
    results that are missing."""
    pair = pair_of(a, b)
    lines = [*_classes(scores), *_dataset(pair), *_rungs(scores), *_machines(scores, stages)]
    lines += [line for one in scores for line in _unscored(one)]
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


def _classes(scores: tuple[Scores, Scores]) -> Iterator[str]:
    first, second = ({name for rung in one.good for name in rung.classes} for one in scores)
    if first and second and first != second:
        gone, new = sorted(first - second), sorted(second - first)
        parts = [f"{some(gone)} only in {scores[0].run.name}"] * bool(gone)
        parts += [f"{some(new)} only in {scores[1].run.name}"] * bool(new)
        yield f"the classes differ ({'; '.join(parts)}): means are over different classes"


def _machines(scores: tuple[Scores, Scores], stages: Sequence[Parting]) -> Iterator[str]:
    """Equal inputs that gave other results: most often another processor did."""
    parted = [stage.stage for stage in stages if stage.causes == ("chance",)]
    if not parted:
        return
    a, b = (one.run for one in scores)
    line = f"{some(parted)}: equal inputs gave other results, so {a.name} and {b.name} were made on different"
    line += f" machines ({'; '.join(f'{one.run.name}: {_machine(one)}' for one in scores)}), or by chance;"
    line += " differences below may be the machine's"
    if b.name == WORKSPACE and a.commit is not None:
        line += ". To compare with this machine's own: `git commit -am baseline` before the change you try"
    yield line


def _machine(scores: Scores) -> str:
    """Where a side's numbers were made, as far as reports/provenance.json says it."""
    made = provenance.read(scores.run)
    hashes = {rung.name: scores.run.hash(f"{rung.folder}/metrics.json") for rung in scores.good}
    known = [
        made[name].machine for name, value in hashes.items() if name in made and made[name].metrics == value
    ]
    return some(list(dict.fromkeys(known))) or "not noted"


def _unscored(scores: Scores) -> Iterator[str]:
    """Rungs without numbers; nothing of a run that has none at all, that is said already."""
    if scores.run.lock:
        bad = {rung.name: rung.standing for rung in scores.rungs if not rung.good}
        for standing in dict.fromkeys(bad.values()):
            names = [name for name, text in bad.items() if text == standing]
            yield f"{scores.run.name}: {', '.join(names)} {'are' if len(names) > 1 else 'is'} {standing}"


def _dataset(pair: Pair) -> Iterator[str]:
    first, second = (hashes(run.lock.get(DATASET, {}), "outs") for run in pair)
    if first and second and (changed := [path for path in first if first[path] != second.get(path)]):
        yield f"the data sets differ ({some(changed)}): the numbers are not of the same pictures"


def _rungs(scores: tuple[Scores, Scores]) -> Iterator[str]:
    if not all(one.rungs for one in scores):
        return
    for one, other in (scores, scores[::-1]):
        if only := [rung.name for rung in one.rungs if other.rung(rung.name) is None]:
            yield f"only {one.run.name} has the rung {some(only)}"
    for rung in scores[0].good:
        other_rung = scores[1].rung(rung.name)
        if other_rung and other_rung.good and rung.images != other_rung.images:
            a, b = (one.run.name for one in scores)
            yield f"{rung.name} is scored on {rung.images} pictures in {a}, {other_rung.images} in {b}"


def _of_run(run: Snapshot) -> Iterator[str]:
    if not run.lock:
        yield f"{run.name} has no dvc.lock: nothing was run there"
    if run.lock and (keys := [key for key, _, _ in parting.not_run(run.params, run.lock)]):
        todo = ": `wsss run`" if run.name == WORKSPACE else ""
        yield f"{run.name} was not run with its {some(keys)}{todo}"


def _unlike(one: Side) -> Iterator[str]:
    """The runs of a point differ in their seeds and in nothing else; who made some by hand is told."""
    for run in one.runs.values():
        changes = [key for key, _, _ in between(one.first.params, run.params) if key not in seeds(run.params)]
        if changes:
            yield f"{one.first.name} and {run.name} differ in more than their seeds: {some(changes)}"


def some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
