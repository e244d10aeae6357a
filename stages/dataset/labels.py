"""Names of classes: one spelling for one class, and what cannot be a name."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

MOST_CLASSES = 254  # indices 1 to 254 of a mask of bytes; 0 is background, 255 is void
LONGEST = 100  # signs of a name
# Marks without width or of direction. The joiners U+200C and U+200D stay: Persian and emoji need them.
UNSEEN = dict.fromkeys([0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF])
NO_CLASS = {"nan", "none", "null", "nil", "na", "n/a", "#n/a", "<na>", "-"}  # how tables write an empty cell


def clean(name: str) -> str:
    """The name in composed Unicode, without unseen marks, and with single spaces."""
    return " ".join(unicodedata.normalize("NFC", name.translate(UNSEEN)).split())


def fold(name: str) -> str:
    """Equal for all spellings of a name: case, width, spaces, _ - and dots at its ends do not count."""
    plain = unicodedata.normalize("NFKC", clean(name)).casefold()
    plain = "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")
    plain = re.sub(r"(?<=\d)\.0+$", "", plain)  # a number that went through a table of floats
    return re.sub(r"[\s_-]+", " ", plain).strip(" .,:") or plain


def problem_of(name: str) -> str:
    """Why a text cannot be the name of a class, or an empty text."""
    if fold(name) == "background":
        return "is index 0 and never listed"
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in name):
        return "holds a control character"
    if ";" in name:
        return "holds a ';', which separates labels"
    return f"is longer than {LONGEST} signs: is it a sentence?" if len(name) > LONGEST else ""


def check_count(names: list[str], where: str) -> None:
    """ValueError for more classes than a mask can hold."""
    if len(names) > MOST_CLASSES:
        first = ", ".join(names[:5])
        raise ValueError(
            f"{where}: {len(names)} classes ({first}, ...); at most {MOST_CLASSES} are possible, "
            "as a mask holds one byte per pixel"
        )


class Cells:
    """Takes the cells of a column of labels apart. Labels are separated by ';'."""

    def __init__(self, cells: Iterable[str], classes: list[str] | None, comma: bool) -> None:
        """`classes` are known names, if there is a list. With `comma` a comma separates labels for sure:
        the columns are separated by something else."""
        self.classes, self.comma = set(classes or ()), comma or classes is not None
        parts = {part for cell in cells for part in _parts(cell)}
        self.alone = {fold(part) for part in parts if not re.search(r"[,|\n\t]", part)}

    def split(self, cell: str) -> tuple[tuple[str, ...], str]:
        """The labels of a cell, each once, and what is unclear about it, or an empty text."""
        labels: list[str] = []
        for part in _parts(cell):
            pieces = [part] if clean(part) in self.classes else re.split(r"[|\n\t]", part)
            for piece in pieces:
                names = [piece] if clean(piece) in self.classes else piece.split(",")
                if len(names) > 1 and not (
                    self.comma or all(fold(n) in self.alone for n in names if n.strip())
                ):
                    return (), _ask(clean(piece))
                labels += [clean(name) for name in names if clean(name)]
        return tuple(dict.fromkeys(labels)), ""


def _parts(cell: str) -> list[str]:
    """The cell at its semicolons; a list as Python, JSON or numpy write it, at its commas."""
    cell = cell.strip()
    if len(cell) > 1 and (
        cell[0] + cell[-1] == "[]" or (cell[0] + cell[-1] in ("()", "{}") and cell[1] in "'\"")
    ):
        inner = cell[1:-1]
        quoted = re.findall(r"'([^']*)'|\"([^\"]*)\"", inner)
        return [one or other for one, other in quoted] if quoted else inner.split(",")
    return [part for part in cell.split(";") if part.strip()]


def _ask(text: str) -> str:
    fixed = ";".join(part.strip() for part in text.split(","))
    return (
        f"label {text!r} holds a comma: write {fixed!r} if these are several labels, "
        "or list the name in classes.txt if it is one"
    )


def spellings(counts: Mapping[str, int]) -> list[str]:
    """A line for each name that is there in several spellings, with their counts of pictures."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(counts):
        groups[fold(name)].append(name)
    return [
        ", ".join(f"{shown(name, names)} ({counts[name]})" for name in names)
        for names in groups.values()
        if len(names) > 1
    ]


def shown(name: str, among: Iterable[str]) -> str:
    """The name in quotes; with its codes where it looks like another one."""
    looks = Counter(_look(other) for other in among)
    return ascii(name) if looks[_look(name)] > 1 else repr(name)


def _look(name: str) -> str:
    return "".join(s for s in unicodedata.normalize("NFKC", name) if unicodedata.category(s) != "Cf")
