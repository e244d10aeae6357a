"""What a source says about its pictures, before anything is opened."""

import codecs
from dataclasses import dataclass, field
from pathlib import Path

from stages.dataset.area_masks import AreaMask
from stages.dataset.files import MOST_TEXT, read_file
from stages.dataset.labels import MOST_CLASSES, check_count, clean, problem_of


@dataclass(frozen=True)
class Record:
    """One picture of a source: where it is, what is in it, and where its mask should be."""

    id: str
    path: Path
    split: str  # train or val
    labels: tuple[str, ...]
    mask: Path | AreaMask | None  # a file, or what it is drawn of


@dataclass
class Source:
    """All that a source says. `problems` are (file, what is wrong with it)."""

    classes: list[str]  # without background; the order is the masks' indices 1..C
    pictures: Path  # the folder where they lie, or folders of them
    masks: Path  # the folder of the masks, which may be missing
    records: list[Record] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    partial: bool = False  # a problem kept rows or names out, so a split or a class may only seem empty
    warnings: list[str] = field(default_factory=list)


def read_text(path: Path) -> str:
    """A text file in UTF-8, or UTF-16 with its mark, with newlines as they are here.

    ValueError naming the file if it is neither, or no file at all.
    """
    try:
        content = read_file(path, MOST_TEXT)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing") from None
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text{_other(content, error.start)}: save it as such") from None
    if "\0" in text:
        raise ValueError(f"{path} is not UTF-8 text, it holds zero bytes: save it as such")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _other(content: bytes, at: int) -> str:
    """Where a text stops being UTF-8, and what it would be in the encoding that Excel's plain CSV has."""
    start = content.rfind(b"\n", 0, at) + 1
    line = content[start:].partition(b"\n")[0][:80].decode("cp1252", "replace").strip()
    number = content.count(b"\n", 0, at) + 1
    return f" (line {number}; as Windows-1252 it reads {line!r}; Excel's 'CSV UTF-8' is right)"


def read_classes(path: Path) -> list[str]:
    """The names of classes.txt: line n is index n of the masks, so a blank line between is an error.

    ValueError too for a name that is double, reserved, cannot be a name, or is one too many.
    """
    names = [clean(line) for line in read_text(path).rstrip().split("\n")]
    check_count(names, str(path))
    if not any(names):
        raise ValueError(f"{path}: holds 0 classes; 1 to {MOST_CLASSES} are possible")
    for number, name in enumerate(names, 1):
        if not name:
            raise ValueError(f"{path}:{number}: a blank line, but line n names class n: remove it")
        if names.index(name) < number - 1:
            raise ValueError(f"{path}:{number}: {name!r} is double: line {names.index(name) + 1} has it")
        if problem := problem_of(name):
            raise ValueError(f"{path}:{number}: {name!r} {problem}: mend or remove the line")
    return names
