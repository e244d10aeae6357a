"""The explanation metrics of a run as numbers to compare, and what is said where there are none."""

from collections.abc import Iterator

from pipeline.results import explanation
from pipeline.results.explanation import MICRO, WORDS
from pipeline.results.scores import Scores

CLASSES, PAIRS = "mean of classes", "all pairs"  # what a mean is over
Cells = dict[tuple[str, str], float]


def means(found: Scores) -> Cells:
    """Percent, by what it is the mean of, and metric."""
    rung = explanation.read(found)
    numbers = rung.numbers if rung and rung.good else {}
    both = ((CLASSES, ""), (PAIRS, MICRO))
    return {
        (over, key): numbers[before + key]
        for key in WORDS
        for over, before in both
        if before + key in numbers
    }


def by_class(found: Scores) -> Cells:
    """Percent, by metric and class."""
    rows = explanation.classes(found)
    return {(key, row["class"]): float(row[key]) for row in rows for key in WORDS if row.get(key)}


def notes(scores: tuple[Scores, Scores]) -> Iterator[str]:
    """Metrics that are not a side's, or that one side has alone."""
    rungs = [explanation.read(one) for one in scores]
    for one, rung in zip(scores, rungs, strict=True):
        if rung and not rung.good:
            yield f"{one.run.name}: the explanation metrics are {rung.standing}"
        elif rung and not explanation.classes(one):
            why = f" ({'; '.join(one.run.problems)})" if one.run.problems else ""
            yield f"{one.run.name} has no explanation metrics by class{why}"
    has = [one.run.name for one, rung in zip(scores, rungs, strict=True) if rung and rung.good]
    if len(has) == 1:
        yield f"only {has[0]} has explanation metrics"
