"""What a source says about its pictures, before anything is opened."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One picture of a source: where it is, what is in it, and where its mask should be."""

    id: str
    path: Path
    split: str  # train or val
    labels: tuple[str, ...]
    mask: Path | None


@dataclass
class Source:
    """All that a source says. `problems` are (file, what is wrong with it)."""

    classes: list[str]  # without background; the order is the masks' indices 1..C
    records: list[Record]
    problems: list[tuple[str, str]] = field(default_factory=list)


def read_text(path: Path) -> str:
    """A text file, with or without a byte-order mark. ValueError naming the file if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: save it as such") from None


def read_classes(path: Path) -> list[str]:
    """The names of classes.txt: line n is index n of the masks, so a blank line between is an error.

    ValueError too for a name that is double, reserved or holds a ;.
    """
    names = [line.strip() for line in read_text(path).rstrip().splitlines()]
    for number, name in enumerate(names, 1):
        if not name:
            raise ValueError(f"{path}:{number}: a blank line, but line n names class n: remove it")
        if names.count(name) > 1 or ";" in name or name == "background":
            raise ValueError(f"{path}: {name!r} is double, or holds a ';', or is the word background")
    if not 1 <= len(names) <= 254:
        raise ValueError(f"{path}: holds {len(names)} classes; 1 to 254 are possible")
    return names
