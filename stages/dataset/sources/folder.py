"""Somebody's own pictures: images/, labels.csv, and optionally masks/ and classes.txt."""

import unicodedata
from collections import Counter
from pathlib import Path

from stages.dataset.files import Finder, stem
from stages.dataset.labels import NO_CLASS, Cells, check_count, problem_of, spellings
from stages.dataset.layouts import looks_like
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source, read_classes, read_text
from stages.dataset.table import read_table

ABOUT = "about.txt"  # what whoever sees results must know of the labels, a line each; `wsss import` writes it
OTHER_SPLITS = ("val", "valid", "validation", "dev", "eval", "test", "testing")


def read(root: Path, params: Dataset) -> Source:
    """The set at `root`. A picture's identifier is its path in images/ without suffix, / as __."""
    table = read_table(root / "labels.csv")
    if not (root / "images").is_dir():
        raise ValueError(f"{root / 'images'} is missing, the folder of the pictures: {looks_like(root)}")
    named = root / "classes.txt"
    masks = root / "masks"
    if not named.exists() and params.truth != "none" and masks.is_dir():
        raise ValueError(f"{named} is missing: with masks it must name their indices, one class per line")
    classes = read_classes(named) if named.exists() else None
    source = Source(classes or [], root / "images", masks)
    if (root / ABOUT).is_file():
        source.warnings += filter(None, read_text(root / ABOUT).split("\n"))
    cells = Cells((row["labels"] for _, row in table.rows), classes, table.separator != ",")
    finder = Finder(root / "images")
    counts: Counter[str] = Counter()
    for line, row in table.rows:
        where = f"labels.csv:{line}"
        labels, unclear = cells.split(row["labels"])
        split, file, problem = _split(row["split"], params), *_locate(row["file"], finder)
        if wrong := [text for text in (unclear, "" if split else _other(row["split"], params)) if text]:
            source.problems += [(where, text) for text in wrong]
        if problem:
            source.problems.append((f"images/{row['file']}", problem))
        counts.update(labels)
        if unclear or problem or not split:
            source.partial = True
            continue
        short = stem(file)
        identifier = short if _unsafe(file) else unicodedata.normalize("NFC", short).replace("/", "__")
        mask = None if params.truth == "none" else masks / f"{identifier}.png"
        source.records.append(Record(identifier, root / "images" / file, split, labels, mask))
    if classes is None:
        source.classes = _found(counts, source)
    return source


def _split(value: str, params: Dataset) -> str:
    """train or val; an empty text for any other value. Case does not count."""
    splits = {params.val.casefold(): "val", params.train.casefold(): "train"}
    exact = {params.val: "val", params.train: "train"}
    return exact.get(value) or splits.get(value.casefold(), "")


def _other(value: str, params: Dataset) -> str:
    wanted = f"split is {value!r}, not {params.train} or {params.val}"
    if value.casefold() not in OTHER_SPLITS:
        return f"{wanted}: write one of these, or leave the row out"
    return f"{wanted}: write {params.val}, or set dataset.val to {value}, or leave the rows out"


def _found(counts: Counter[str], source: Source) -> list[str]:
    """The classes that the rows name. One class under several names is a problem, not several classes."""
    before = len(source.problems)
    for name in counts:
        if name.casefold() in NO_CLASS:
            text = f"label {name!r} is no class: leave the cell empty instead"
            source.problems.append(("labels.csv", text))
        elif problem := problem_of(name):
            source.problems.append(("labels.csv", f"label {name!r} {problem}"))
    for line in spellings(counts):
        text = f"one class in several spellings: {line}; write one of them, or list all in classes.txt"
        source.problems.append(("labels.csv", text))
    source.partial |= len(source.problems) > before
    names = sorted(counts)
    check_count(names, "labels.csv")
    return names


def _locate(file: str, finder: Finder) -> tuple[str, str]:
    """The path in images/ that a row means, and a problem where there are none or several.

    What comes before images/ is left away: images/a.jpg, a whole path, a path of Windows.
    """
    file = file.removeprefix("./")
    path = "/" + file.replace("\\", "/").removeprefix("./")
    tails = [path[at + 8 :] for at in range(len(path)) if path.startswith("/images/", at)]
    for name in (file, path[1:], *tails):
        if name.startswith("/"):
            continue
        found = finder.find(name)
        if len(found) == 1:
            return found[0], ""
        if found:
            return "", f"could be {', '.join(found[:3])}: write the one that is meant"
    hint = "" if _unsafe(file) else finder.hint(file)
    return file, f"is missing{hint}" if hint else ""


def _unsafe(file: str) -> bool:
    return file.startswith("/") or "\\" in file or ".." in file.split("/")
