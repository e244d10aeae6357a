"""What can be wrong with a set, found without opening a picture: names, splits, labels."""

import difflib
import unicodedata
from collections import Counter
from pathlib import Path

from stages.dataset.records import Record, Source

LONGEST = 200  # bytes of an identifier: file names end at 255, and get suffixes

Problems = list[tuple[str, str]]


def check_names(records: list[Record]) -> Problems:
    """Identifiers become file names: each must be safe, and different from all others."""
    problems = [(_named(r), reason) for r in records if (reason := unsafe(r.id))]
    ids = Counter(record.id for record in records)
    folded: dict[str, str] = {}
    for identifier, count in ids.items():
        splits = {record.split for record in records if record.id == identifier} if count > 1 else set()
        if len(splits) > 1:
            problems.append((identifier, "is in both splits, train and val"))
        elif count > 1:
            problems.append((identifier, f"is there {count} times"))
        other = folded.setdefault(identifier.casefold(), identifier)
        if other != identifier:
            problems.append((identifier, f"differs from {other} only by case: one file on some systems"))
    return problems


def unsafe(identifier: str) -> str:
    """Why the identifier cannot be a file name, or an empty text."""
    if not identifier or identifier in (".", ".."):
        return "the identifier is empty or a dot"
    if "/" in identifier or "\\" in identifier or identifier.startswith((".", "~")) or ".." in identifier:
        return "unsafe identifier: no path, no leading dot, no '..'"
    if any(unicodedata.category(sign) == "Cc" or sign in '<>:"|?*' for sign in identifier):
        return "unsafe identifier: control or reserved characters"
    too_long = len(identifier.encode()) > LONGEST
    return f"unsafe identifier: longer than {LONGEST} bytes" if too_long else ""


def check_labels(source: Source, records: list[Record]) -> Problems:
    """Every picture has labels, all of them known. A name or an XML file at fault is reported as such."""
    problems: Problems = []
    at_fault = {Path(file).name for file, _ in source.problems}
    for record in records:
        if not record.labels and not unsafe(record.id) and f"{record.id}.xml" not in at_fault:
            problems.append((_named(record), "has no label"))
        for label in record.labels:
            if label not in source.classes:
                near = difflib.get_close_matches(label, source.classes, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                problems.append((_named(record), f"label {label!r} is not in the class list{hint}"))
    return problems


def check_coverage(source: Source, records: list[Record]) -> Problems:
    """No empty split, no class that training never sees. For what is left after bad pictures went."""
    problems: Problems = []
    for split in ("train", "val"):
        if not any(record.split == split for record in records):
            problems.append((split, "the split is empty"))
    seen = {label for record in records if record.split == "train" for label in record.labels}
    for name in source.classes:
        if name not in seen:
            problems.append((name, "the class has no training picture"))
    return problems


def _named(record: Record) -> str:
    return record.id or str(record.path)
