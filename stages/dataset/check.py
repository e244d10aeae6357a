"""What can be wrong with a set, found without opening a picture: names, splits, labels."""

import difflib
import unicodedata
from collections import Counter

from stages.dataset.labels import NO_CLASS, fold, shown
from stages.dataset.records import Record, Source
from stages.dataset.words import few

LONGEST = 200  # bytes of an identifier: file names end at 255, and get suffixes

QUOTES = "'\""

Problems = list[tuple[str, str]]


def check_names(records: list[Record]) -> Problems:
    """Identifiers become file names: each must be safe, and different from all others."""
    problems = [(_named(r), reason) for r in records if (reason := unsafe(r.id))]
    splits: dict[str, list[str]] = {}
    files: dict[str, dict[str, None]] = {}
    for record in records:
        splits.setdefault(record.id, []).append(record.split)
        files.setdefault(record.id, {})[record.path.name] = None
    folded: dict[str, str] = {}
    for identifier, found in splits.items():
        if len(files[identifier]) > 1:
            alike = f"is the name of {' and '.join(files[identifier])}: results are named so, rename one"
            problems.append((identifier, alike))
        elif len(set(found)) > 1:
            problems.append((identifier, "is in both splits, train and val"))
        elif len(found) > 1:
            times = f"is there {len(found)} times: one row per picture, with all its labels"
            problems.append((identifier, times))
        other = folded.setdefault(identifier.casefold(), identifier)
        if other != identifier:
            problems.append((identifier, f"differs from {other} only by case: one file on some systems"))
    return problems


def unsafe(identifier: str) -> str:
    """Why the identifier cannot be a file name, or an empty text."""
    if not identifier or identifier in (".", ".."):
        return "the identifier is empty or a dot"
    if "/" in identifier or "\\" in identifier or identifier.startswith((".", "~")) or ".." in identifier:
        return "unsafe identifier: no path but the one inside the folder of pictures, no leading dot, no '..'"
    if any(unicodedata.category(sign) == "Cc" or sign in '<>:"|?*' for sign in identifier):
        return "unsafe identifier: control or reserved characters"
    too_long = len(identifier.encode()) > LONGEST
    return f"unsafe identifier: longer than {LONGEST} bytes" if too_long else ""


def check_labels(source: Source, records: list[Record]) -> Problems:
    """All labels are known, and a training picture has one. A picture without any shows no class."""
    problems: Problems = []
    hints: dict[str, str] = {}
    if records and not source.partial and not source.problems and not any(r.labels for r in records):
        problems.append(("labels", "no picture has any: the classes are learnt from them"))
    for record in records:
        for label in record.labels:
            if label not in source.classes:
                if label not in hints:
                    hints[label] = _hint(label, source.classes)
                problems.append((_named(record), f"label {label!r} is not in the class list{hints[label]}"))
    return problems


def _hint(label: str, classes: list[str]) -> str:
    if label.casefold() in NO_CLASS:
        return "; leave the cell empty instead"
    near = [name for name in classes if fold(name) == fold(label)]
    near = near or difflib.get_close_matches(label, classes, n=1)
    return f"; did you mean {shown(near[0], [label, near[0]]).strip(QUOTES)}?" if near else ""


def check_coverage(source: Source, records: list[Record]) -> Problems:
    """No empty split, no class of a picture that training never sees. For what is left after bad ones went.

    A class of classes.txt that no picture has is no problem: it keeps its index, which masks may have.
    """
    problems: Problems = []
    if source.partial:
        return problems
    splits = Counter(record.split for record in records)
    for split in ("train", "val"):
        if not splits[split]:
            other = f": all pictures are {max(splits)}; make some {split}, a fifth say" if splits else ""
            problems.append((split, f"the split is empty{other}"))
    train = {label for record in records if record.split == "train" for label in record.labels}
    listed = {label for record in source.records for label in record.labels}
    lacking = [name for name in source.classes if name in listed and name not in train]
    if lacking and not source.problems:  # else they may be in what could not be read
        many = f"{len(lacking)} classes have" if len(lacking) > 1 else "the class has"
        text = f"{many} no training picture: move a picture to train, or take the label out"
        problems.append((few(lacking, 10), text))
    return problems


def _named(record: Record) -> str:
    return record.id or str(record.path)
