"""What all masks of a set together say: whether their indices can be the classes of the image labels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.common.artifacts import UNKNOWN, mask_bytes, read_mask
from stages.common.door import visible
from stages.dataset.check import Problems
from stages.dataset.decode_mask import NEAREST, Colour, MaskFacts
from stages.dataset.words import few

ENOUGH = 3  # masks: fewer are no rule that an index could break


@dataclass(frozen=True)
class Seen:
    """A mask's values: pixels by index [256], and the class indices of its picture's labels."""

    id: str
    counts: np.ndarray
    labels: frozenset[int]

    @property
    def classes(self) -> set[int]:
        return {index for index in np.flatnonzero(self.counts).tolist() if 0 < index < UNKNOWN}

    @property
    def binary(self) -> bool:
        """The image labels name a class, and the mask has next to none of any, but void in its place."""
        objects, void = self.counts[1:UNKNOWN].sum(), self.counts[UNKNOWN]
        return bool(self.labels) and self.counts[0] > 0 and void > 0 and 10 * objects <= void


@dataclass
class Masks:
    """The masks as they are read. `problems` and `remarks` are for when all are there."""

    classes: Sequence[str]  # without background
    seen: list[Seen] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)  # ids
    problems: Problems = field(default_factory=list)
    colours: dict[int, tuple[Colour, Path]] = field(default_factory=dict)  # the first of each index
    clashes: list[tuple[int, Path, Path]] = field(default_factory=list)

    def add(self, identifier: str, file: Path, mask: MaskFacts, labels: Sequence[str]) -> None:
        numbers = frozenset(self.classes.index(name) + 1 for name in labels if name in self.classes)
        counts = np.zeros(256, np.int64)
        counts[list(mask.counts)] = list(mask.counts.values())
        self.seen.append(Seen(identifier, counts, numbers))
        self.unsure += [identifier] * mask.unsure
        for index, colour in mask.colours.items():
            first, where = self.colours.setdefault(index, (colour, file))
            if first != colour:
                self.clashes.append((index, where, file))

    def finish(self, folder: Path, name: str) -> tuple[Problems, list[str]]:
        """Problems and remarks about the masks of `folder`; those of 0 and 255 get their class there.

        `name` is what the folder is called in a message.
        """
        if self.clashes:
            return [(name, self._palettes())], []
        binary = [seen for seen in self.seen if seen.binary]
        labelled = [seen for seen in self.seen if seen.labels]
        if 2 * len(binary) > len(labelled):
            return self._binary(binary, labelled, folder, name)
        problems: Problems = [(name, text) for text in (self._background(), self._disjoint()) if text]
        remarks = [] if problems else [*self._strangers(), *self._other_classes(), *self._turned()]
        if binary and not problems:
            ids = few([seen.id for seen in binary])
            remarks.append(f"{len(binary)} masks have void (255) in place of their picture's class: {ids}")
        return problems, [visible(remark) for remark in remarks]

    def _palettes(self) -> str:
        index, one, other = self.clashes[0]
        files = len({file for _, _, file in self.clashes})
        first, second = one.name, other.name
        return (
            f"palettes differ: index {index} has one colour in {first} and another in {second} (and so in "
            f"{files} masks), so an index is no class. Save all with one palette, or as grey class indices"
        )

    def _binary(
        self, binary: list[Seen], labelled: list[Seen], folder: Path, name: str
    ) -> tuple[Problems, list[str]]:
        """255 is void, never scored. Where it can only be the one class of the picture, it is that."""
        said = f"{len(binary)} of {len(labelled)} masks of labelled pictures hold 0 and 255 (void) only"
        how = "write the index of the class instead of 255: line n of classes.txt is index n"
        if any(seen.classes for seen in binary):
            noise = "and single pixels of classes, as smoothing leaves"
            return [(name, f"{said}, {noise}: {NEAREST}; {how}")], []
        alone = len(self.classes) == 1
        doubtful = [
            seen.id for seen in self.seen if seen.classes or (seen.counts[UNKNOWN] and len(seen.labels) != 1)
        ]
        if doubtful:
            why = f"which class 255 is, cannot be told of {few(doubtful)}"
            return [(name, f"{said}, though the labels name a class in them; {why}: {how}")], []
        share = sum(s.counts[UNKNOWN] for s in self.seen) / sum(s.counts.sum() for s in self.seen)
        for seen in self.seen:
            self._write(folder / f"{seen.id}.png", 1 if alone else min(seen.labels, default=0))
        what = f"the class {self.classes[0]}" if alone else "the one class of each picture's label"
        remark = f"masks hold 0 and 255 only: 255 is read as {what} ({100 * share:.1f} % of the pixels)"
        return [], [visible(remark), *self._turned()]

    def _write(self, file: Path, index: int) -> None:
        values = read_mask(file)
        values[values == UNKNOWN] = index
        file.write_bytes(mask_bytes(values))

    def _background(self) -> str:
        """No mask has index 0, and all have one other: the indices count from somewhere else."""
        if len(self.seen) < ENOUGH or any(seen.counts[0] for seen in self.seen):
            return ""
        common = set.intersection(*(seen.classes for seen in self.seen))
        if not common:
            return ""
        most = max(common, key=lambda index: sum(seen.counts[index] for seen in self.seen))
        return f"no mask has index 0, the background, and all have {most}: is that the background?"

    def _disjoint(self) -> str:
        """Every mask has classes, and none that its image labels name."""
        told = [s for s in self.seen if s.labels and s.classes and len(s.labels) < len(self.classes)]
        if len(told) < ENOUGH or any(seen.classes & seen.labels for seen in told):
            return ""
        first = told[0]
        return (
            f"all {len(told)} masks show other classes than their pictures' labels: {first.id} is labelled "
            f"{self._names(first.labels)}, its mask shows {self._names(first.classes)}. Line n of "
            "classes.txt is index n of the masks: is their order another?"
        )

    def _strangers(self) -> list[str]:
        """Masks that agree with their picture's labels in no class: it may be another picture's, or wrong."""
        kinds = (
            ("masks show classes, but none that their picture is labelled with",
             [s.id for s in self.seen if s.labels and s.classes and not s.classes & s.labels]),
            ("masks show no class at all, though their picture is labelled with one",
             [s.id for s in self.seen if s.labels and not s.classes and not s.binary]),
            ("masks show a class, though their picture is labelled as one without any",
             [s.id for s in self.seen if s.classes and not s.labels]),
        )  # fmt: skip
        return [f"{len(ids)} of {len(self.seen)} {text}: {few(ids)}" for text, ids in kinds if ids]

    def _other_classes(self) -> list[str]:
        """How many masks have a class that the labels lack, and the other way round."""
        found = []
        for kind, text in (
            ("more", "masks show a class that the picture is not labelled with"),
            ("less", "masks do not show a class that the picture is labelled with"),
        ):
            more = kind == "more"
            odd = [(s.id, s.classes - s.labels if more else s.labels - s.classes) for s in self.seen]
            pairs = [(identifier, classes) for identifier, classes in odd if classes]
            counts = Counter(self.classes[index - 1] for _, classes in pairs for index in classes)
            if pairs:
                names = few([f"{name} {count}" for name, count in counts.most_common()], 5)
                where = few([identifier for identifier, _ in pairs])
                found.append(f"{len(pairs)} of {len(self.seen)} {text} ({names}): {where}")
        return found

    def _turned(self) -> list[str]:
        if not self.unsure:
            return []
        return [
            f"{len(self.unsure)} masks may lie the wrong way: EXIF turns their pictures, they fit both ways "
            f"and are read as drawn on the turned picture. Look at {few(self.unsure)}"
        ]

    def _names(self, indices: frozenset[int] | set[int]) -> str:
        return few([self.classes[index - 1] for index in sorted(indices)], 5)
