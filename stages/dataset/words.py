"""What the step says: the problems of a set in one message, and what is in it in a few lines."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from stages.common.door import visible
from stages.dataset.labels import spellings

MOST = 30  # lines of one message
EXAMPLES = 3  # files named in a line
SHOWN = 8  # classes that are named all; of more, the commonest and rarest


def explain(root: Path, problems: Iterable[tuple[str, str]], skippable: bool) -> str:
    """The problems in one message: a cause is a line with its files; many lines are counted, not shown."""
    found = lines(root, problems)
    skip = " (bad_pictures: skip leaves bad pictures out)" if skippable else ""
    more = [f"  ... and {len(found) - MOST} more"] if len(found) > MOST else []
    head = f"{root}: {len(found)} thing(s) to mend; nothing was written{skip}"
    return "\n".join([head, *(f"  {line}" for line in found[:MOST]), *more])


def lines(root: Path, problems: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each cause, or for each file that has causes of its own, in the order of the problems."""
    files: dict[str, list[str]] = defaultdict(list)  # by cause
    for file, problem in dict.fromkeys(problems):
        files[problem].append(file.removeprefix(f"{root}/"))
    alike: dict[str, list[str]] = defaultdict(list)  # causes that differ by their numbers only
    for problem, names in files.items():
        if len(names) == 1:
            alike[re.sub(r"\d+", "0", problem)].append(problem)
    found: dict[str, list[str]] = defaultdict(list)  # by the files' names
    for problem, names in files.items():
        same = alike[re.sub(r"\d+", "0", problem)]
        if len(names) == 1 and len(same) > EXAMPLES:
            if problem == same[0]:
                found[few([files[other][0] for other in same])].append(f"{problem}, and alike")
            continue
        found[few(names)].append(problem)
    return [visible(f"{names}: {'; '.join(causes)}") for names, causes in found.items()]


def few(names: Sequence[str], most: int = EXAMPLES) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def class_counts(
    classes: Sequence[str], pictures: Iterable[tuple[str, Iterable[str]]]
) -> dict[str, tuple[int, int]]:
    """By class: its pictures of train and of val, of the pictures' splits and labels."""
    found = Counter((split, label) for split, labels in pictures for label in labels)
    return {name: (found["train", name], found["val", name]) for name in classes}


def classes_line(counts: dict[str, tuple[int, int]]) -> str:
    """The classes with their pictures of train and val: all of them, or the commonest and the rarest."""
    shown = [f"{name} {train}+{val}" for name, (train, val) in counts.items()]
    if len(shown) <= SHOWN:
        return visible(f"classes (train+val pictures): {', '.join(shown)}")
    order = sorted(counts, key=lambda name: -counts[name][0])
    by_name = dict(zip(counts, shown, strict=True))
    half = SHOWN // 2
    first, last = (", ".join(by_name[name] for name in part) for part in (order[:half], order[-half:]))
    return visible(f"classes (train+val pictures): commonest {first}; rarest {last}")


def about(counts: dict[str, tuple[int, int]], warnings: Iterable[str]) -> list[str]:
    """Lines for a terminal: the classes, and what is odd."""
    return [f"  {classes_line(counts)}", *(f"  warning: {text}" for text in warnings)]


def said(about: Mapping[str, Any]) -> str:
    """What people drew, of data/annotations/about.json, in a few words; an empty text for nothing."""
    kind = about["kind"]
    if kind == "none":
        return ""
    number = f"{about[kind]} {kind}" if kind in about else kind
    if "percent" not in about:
        return number
    return f"{number}, {about['percent']:.2g} % of the pixels of {about['pictures']} pictures"


def class_warnings(counts: dict[str, tuple[int, int]]) -> list[str]:
    """What is odd about the classes: names alike, hardly a picture to learn from, none to score."""
    found = [f"names alike: {line}" for line in spellings({name: sum(n) for name, n in counts.items()})]
    common = [name for name, (train, _) in counts.items() if train > 2]
    rare = []
    for name, (train, _) in counts.items():
        if train == 1:
            near = get_close_matches(name, common, n=1, cutoff=0.85)
            rare.append(f"{name} (or is it {near[0]}?)" if near else name)
    if rare:
        found.append(f"one training picture only: {few(rare, 10)}")
    unseen = [name for name, (train, val) in counts.items() if train and not val]
    if unseen:
        found.append(f"not in val, so never scored there: {few(unseen, 10)}")
    words = {name.casefold() for name in counts}
    parts = {name: re.split(r"[\s/+&]+", name.casefold()) for name in counts}
    if several := [name for name in counts if len(parts[name]) > 1 and words >= {*parts[name]}]:
        found.append(f"made of other classes' names: {few(several, 10)}; is a ';' missing between labels?")
    return [visible(line) for line in found]
