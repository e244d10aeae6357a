"""The diagnosis of a run's classifier as numbers to compare. None of them has a better end."""

from collections.abc import Iterator

from pipeline.results import diagnosis
from pipeline.results.diagnosis import WORDS
from pipeline.results.scores import Scores

BIAS = "bias / score, median"
COLUMNS = {"accuracy": "accuracy", "change_median": "change of the score, median"}
Cells = dict[tuple[str, str], float]


def cells(found: Scores) -> Cells:
    """By layer or method, and what the number is; those of a method are means over the shares."""
    known = diagnosis.read(found)
    if known is None or not known.rung.good:
        return {}
    numbers, before = known.rung.numbers, "bias_"
    layers = [key.removeprefix(before) for key in numbers if key.startswith(before)]
    of_layers = {(layer, BIAS): numbers[before + layer] for layer in layers}
    return of_layers | {
        (words.name, said): numbers[f"{column}_{method}"]
        for method, words in WORDS.items()
        for column, said in COLUMNS.items()
        if f"{column}_{method}" in numbers
    }


def notes(scores: tuple[Scores, Scores]) -> Iterator[str]:
    """A diagnosis that is not a side's, or that one side has alone."""
    known = [diagnosis.read(one) for one in scores]
    for one, found in zip(scores, known, strict=True):
        if found and not found.rung.good:
            yield f"{one.run.name}: the diagnosis is {found.rung.standing}"
    has = [one.run.name for one, found in zip(scores, known, strict=True) if found and found.rung.good]
    if len(has) == 1:
        yield f"only {has[0]} has a diagnosis"
