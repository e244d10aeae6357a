"""What the numbers of a set's masks mean, or what to say where that cannot be told."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.commands.importing.found import BACKGROUND, Asked, Found, Names
from stages.commands.importing.mask_table import VOID, MaskTable, read_table, read_values, shown
from stages.common.artifacts import UNKNOWN
from stages.dataset.labels import check_count
from stages.dataset.words import few

Counts = dict[int, int]  # pixels by number
PROPOSED = 12  # numbers of a proposed table
SMOOTH = 5  # values that no class has: so many come of smoothing


@dataclass(frozen=True)
class Seen:
    """The numbers of one mask, past the threshold, and its colours, with their pixels; or a problem."""

    kind: str = ""
    values: Counts = field(default_factory=dict)
    colours: Counts = field(default_factory=dict)
    palette: dict[int, int] = field(default_factory=dict)
    problem: str = ""

    def numbers(self, table: MaskTable) -> Counts:
        return self.colours if table.coloured else self.values


def seen(work: tuple[Path, int | None]) -> Seen:
    """For processes: a mask and the threshold, if there is one."""
    path, threshold = work
    try:
        values = read_values(path)
        if threshold is not None:
            plain = MaskTable({}, threshold=threshold).numbers(values)
            return Seen("grey", _counts(plain), _counts(plain * 0x10101))
    except ValueError as error:
        return Seen(problem=str(error))
    return Seen(values.kind, _counts(values.numbers), _counts(values.by_colour()), values.palette)


def _counts(numbers: np.ndarray) -> Counts:
    found, counts = np.unique(numbers, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def meaning(
    asked: Asked, names: list[str] | None, masks: Mapping[Path, Seen], found: Found, labelled: bool
) -> MaskTable | None:
    """The table of all masks, and the set's classes. None where `found` got a problem instead."""
    if asked.colours is not None:
        return _by_table(asked, asked.colours, names, masks, found)
    where = "the masks"
    if coloured := [str(file) for file, mask in masks.items() if mask.kind == "colour"]:
        text = f"{len(coloured)} masks are RGB of several colours: {few(coloured)}"
        found.problems.append((where, f"{text}; {_proposal(masks, True)}"))
        return None
    if clash := _clash(masks):
        found.problems.append((where, f"{clash}; {_proposal(masks, True)}"))
        return None
    if names is not None and not found.classes:
        _name(asked, names, found)
    values = set().union(*(mask.values for mask in masks.values())) if masks else set()
    if values <= {0, UNKNOWN} and UNKNOWN in values:
        return _binary(asked, found, labelled)
    count = len(names or ())  # the labels alone do not say in which order indices are
    strange = {value for value in values if count < value and value != UNKNOWN}
    if strange:
        _strange(strange, count, masks, found)
        return None
    table = {value: value for value in range(count + 1)}
    return MaskTable({**table, UNKNOWN: UNKNOWN}, threshold=asked.threshold)


def _name(asked: Asked, names: list[str], found: Found) -> None:
    checked = Names(asked, found, "classes.txt", names if asked.classes is None else None)
    checked.finish()


def _by_table(
    asked: Asked, path: Path, names: list[str] | None, masks: Mapping[Path, Seen], found: Found
) -> MaskTable | None:
    """Black and 0 are background and 255 is void where the table does not say otherwise."""
    rows, coloured = read_table(path)
    own = [name for name in rows if name not in (BACKGROUND, VOID)]
    if names is not None and (lacking := [name for name in own if name not in names]):
        raise ValueError(f"{path}: class {lacking[0]!r} is not in the list of classes")
    check_count(names or own, str(path))
    found.classes = names or own
    index = {BACKGROUND: 0, VOID: UNKNOWN} | {name: i for i, name in enumerate(found.classes, 1)}
    indices = {number: index[name] for name, numbers in rows.items() for number in numbers}
    indices.setdefault(0, 0)
    if not coloured:
        indices.setdefault(UNKNOWN, UNKNOWN)
    table = MaskTable(indices, coloured, asked.threshold)
    for file, mask in masks.items():
        if mask.kind == "colour" and not coloured:
            found.problems.append((str(file), "is RGB of several colours, and the table has values"))
        elif strange := [shown(n, coloured) for n in mask.numbers(table) if n not in indices]:
            found.problems.append((str(file), f"holds {few(strange, 5)}, which {path} does not name"))
    return table if not found.problems else None


def _clash(masks: Mapping[Path, Seen]) -> str:
    """Palettes that differ, or palettes beside grey masks: an index has no one meaning."""
    first: dict[int, tuple[int, Path]] = {}
    for file, mask in masks.items():
        for index, colour in mask.palette.items():
            known, where = first.setdefault(index, (colour, file))
            if known != colour:
                one, other = shown(known, True), shown(colour, True)
                return f"palettes differ: index {index} is {one} in {where} and {other} in {file}"
    return ""


def _binary(asked: Asked, found: Found, labelled: bool) -> MaskTable | None:
    only = "masks hold 0 and 255 only"
    if len(found.classes) == 1:
        found.remarks.append(("the masks", f"{only}: 255 is {found.classes[0]}, the one class"))
        return MaskTable({0: 0, UNKNOWN: 1}, threshold=asked.threshold)
    if labelled:
        found.remarks.append(
            ("the masks", f"{only}: 255 is the one class that labels.csv names of each picture")
        )
        index = {name: number for number, name in enumerate(found.classes, 1)}
        return MaskTable({0: 0}, threshold=asked.threshold, of_labels=index)
    how = "name the one class in --classes, or each picture's in the column labels of labels.csv"
    found.problems.append(("the masks", f"{only}, and which class 255 is stands nowhere: {how}"))
    return None


def _strange(strange: set[int], count: int, masks: Mapping[Path, Seen], found: Found) -> None:
    holding = [str(file) for file, mask in masks.items() if strange & set(mask.values)]
    numbers = few([str(value) for value in sorted(strange)], 5)
    text = f"{len(holding)} masks hold {numbers}: {few(holding)}; "
    if count:
        text += f"there are {count} classes (1 to {count}, 255 is void); "
    values = set().union(*(mask.values for mask in masks.values()))
    smooth = UNKNOWN in values and len(strange) >= SMOOTH
    how = "if they are 0 and 255, smoothed: --threshold 127" if smooth else _proposal(masks, False)
    found.problems.append(("the masks", text + how))


def _proposal(masks: Mapping[Path, Seen], coloured: bool) -> str:
    """The table to fill in, the commonest first."""
    pixels: Counter[int] = Counter()
    files: dict[int, int] = defaultdict(int)
    for mask in masks.values():
        for number, count in (mask.colours if coloured else mask.values).items():
            pixels[number] += count
            files[number] += 1
    rows = [
        f"    {_guess(number, coloured, place)},{shown(number, coloured)}"
        for place, (number, _) in enumerate(pixels.most_common(PROPOSED), 1)
    ]
    more = f"\n    ... and {len(pixels) - PROPOSED} more" if len(pixels) > PROPOSED else ""
    head = "name what they mean in a file, and give it by --colours (the commonest first):"
    return "\n".join([head, "    class,colour", *rows]) + more


def _guess(number: int, coloured: bool, place: int) -> str:
    if number == 0:
        return BACKGROUND
    return VOID if not coloured and number == UNKNOWN else f"NAME{place}"
