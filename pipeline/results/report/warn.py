"""What a reader must be told first: results that are nearly all background, classes that nobody learns."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.results import data_set
from pipeline.results.data_set import DataSet
from pipeline.results.scores import Rung
from stages.evaluation.emptiness import sample, words
from stages.evaluation.rungs import rung as rung_of

SHOWN = 8  # names that a sentence lists


def warnings(root: Path, data: DataSet, rungs: Iterable[Rung]) -> list[str]:
    """Sentences, the gravest first; `rungs` are those whose results are of this run."""
    found = []
    for rung in rungs:
        if rung.results and not (read := rung_of(rung.results, root)).maps:
            named = {
                p["id"]: [data.classes.index(label) for label in data_set.labels(p)]
                for p in data.pictures
                if p["split"] == rung.split and p["labels"]
            }
            found += words(rung.name, sample(named, read), data.classes)
    for split in data_set.SPLITS:
        counts = data_set.counts(data)
        if none := [row["class"] for row in counts if row[split] == "0"]:
            found.append(f"no picture of {split} shows {listed(none)}: {MEANS[split]}")
    return found


MEANS = {
    "train": "the classifier cannot learn it",
    "val": "its score says nothing",
}


def listed(names: list[str]) -> str:
    """At most SHOWN names."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
