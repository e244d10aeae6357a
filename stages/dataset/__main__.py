"""Check a data set whole and write it in one canonical form: data/raw/NAME -> data/dataset, data/masks.

Masks are an output of their own, so that the graph shows who sees them: the evaluation alone. So is what
people drew on the pictures of train, data/annotations, that another kind of it reruns what reads it alone.
"""

import importlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stages.common import door
from stages.common.artifacts import csv_text, output_folder, write_atomic, write_json
from stages.common.params import load
from stages.common.pictures import INDEX_COLUMNS
from stages.common.progress import track
from stages.dataset import mask_files
from stages.dataset.annotate import Annotated
from stages.dataset.check import Problems, check_coverage, check_labels, check_names, unsafe
from stages.dataset.convert import Convert, Converted, convert, measure
from stages.dataset.depth import White
from stages.dataset.drawn import read_drawn
from stages.dataset.mask_values import Masks
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source
from stages.dataset.remarks import remarks
from stages.dataset.source_files import Fault, Pair, read_pair
from stages.dataset.words import about, class_counts, class_warnings, explain, lines

RAW, OUT, MASKS, ANNOTATIONS = (Path("data") / name for name in ("raw", "dataset", "masks", "annotations"))
WARNINGS = "warnings.txt"


def main() -> str:
    params = load("dataset", Dataset)
    root = RAW / params.name
    if not root.is_dir():
        linked = f"`wsss link {params.name} PATH` links the pictures there"
        hint = "`dvc repro generate` makes it" if params.name == "synthetic" else linked
        raise ValueError(f"{root} is missing: {hint}")
    source: Source = importlib.import_module(f"stages.dataset.sources.{params.source}").read(root, params)
    problems = [*source.problems, *check_names(source.records), *check_labels(source, source.records)]
    unfit, of_files = mask_files.fit(source, params)
    problems += unfit
    drawn = read_drawn(root, params, source)
    by_id = {record.id: record for record in source.records if not unsafe(record.id)}
    records = sorted(by_id.values(), key=lambda record: (record.split, record.id))
    read = {record.id: read_pair(record, params) for record in track(records, len(records), "reading")}
    pairs = {identifier: pair for identifier, pair in read.items() if isinstance(pair, Pair)}
    faults = {identifier: fault for identifier, fault in read.items() if isinstance(fault, Fault)}
    white, highest = measure(list(pairs.values()), params.max_megapixels)
    found = faults | convert(pairs, Convert(params.max_megapixels, len(source.classes), white))
    annotated = Annotated(params.annotations, source.classes, drawn, params.max_megapixels)
    with output_folder(OUT) as images, output_folder(MASKS) as masks, output_folder(ANNOTATIONS) as drawings:
        written = Written(images, masks, white, Masks(source.classes))
        for record in records:
            written.add(record, found[record.id], source)
            annotated.add(record, found[record.id])
        of_drawings = annotated.finish(drawings, by_id)
        problems += [*written.missing, *annotated.problems]
        if params.bad_pictures == "fail":
            problems += written.bad
        problems += check_coverage(source, source.records if problems else written.kept)
        wrong, of_masks = written.truth.finish(masks, source.masks.name)
        problems += wrong
        if problems:
            skippable = params.bad_pictures == "fail" and bool(written.bad)
            raise ValueError(explain(root, problems, skippable))
        notes = [*_depth(white, highest), *source.warnings, *lines(root, written.notes)]
        counts = class_counts(source.classes, [(record.split, record.labels) for record in written.kept])
        notes += remarks(source.classes, written.kept, written.pixels)
        warnings, of_masks = [*class_warnings(counts), *notes], [*of_files, *of_masks]
        written.finish(source, warnings, of_masks)
    odd = about(counts, [*warnings, *of_masks, *annotated.notes])
    return "\n".join(
        [summary(written, source), *([f"  annotations: {of_drawings}"] if of_drawings else []), *odd]
    )


@dataclass
class Written:
    """The two folders as they fill."""

    dataset: Path
    masks: Path
    white: White
    truth: Masks
    kept: list[Record] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    truths: list[list[str]] = field(default_factory=list)
    bad: Problems = field(default_factory=list)
    missing: Problems = field(default_factory=list)  # listed, but no file: never skipped
    notes: Problems = field(default_factory=list)  # odd, and no problem
    pixels: dict[str, str] = field(default_factory=dict)  # by identifier, equal for equal pictures

    def __post_init__(self) -> None:
        (self.dataset / "images").mkdir()

    def add(self, record: Record, found: Converted | Fault, source: Source) -> None:
        """Store a picture and its mask; or remember why not."""
        if isinstance(found, Fault):
            (self.missing if found.missing else self.bad).append((str(found.file), found.problem))
            return
        facts = found.facts
        name = record.id + facts.suffix
        found.put_picture(self.dataset / "images" / name)
        labels = ";".join(name for name in source.classes if name in record.labels)
        size = str(facts.width), str(facts.height)
        self.rows.append([record.id, name, record.split, *size, labels, facts.sha256])
        self.kept.append(record)
        self.pixels[record.id] = facts.pixels
        self.notes += [(str(record.path), note) for note in facts.notes]
        if facts.mask and found.pair.mask:
            found.put_mask(self.masks / f"{record.id}.png")
            self.truth.add(record.id, found.pair.mask.path, facts.mask, record.labels)
            self.truths.append([record.id, record.split])

    def finish(self, source: Source, warnings: list[str], of_masks: list[str]) -> None:
        """The lists. What is odd about masks stays with them: no training depends on it."""
        for place, texts in ((self.dataset, warnings), (self.masks, of_masks)):
            write_atomic(place / WARNINGS, "".join(f"{line}\n" for line in texts))
        write_json(self.dataset / "white.json", asdict(self.white))
        write_json(self.dataset / "classes.json", ["background", *source.classes])
        write_atomic(self.dataset / "index.csv", csv_text([INDEX_COLUMNS, *self.rows]))
        write_atomic(self.dataset / "skipped.csv", csv_text([["file", "problem"], *self.bad]))
        (self.masks / "index.csv").write_text(csv_text([["id", "split"], *self.truths]))


def summary(written: Written, source: Source) -> str:
    train, val = ([r for r in written.kept if r.split == split] for split in ("train", "val"))
    empty = [sum(not record.labels for record in records) for records in (train, val)]
    without = f" ({empty[0]} and {empty[1]} without a class)" if any(empty) else ""
    line = f"dataset: {len(train)} train and {len(val)} val pictures{without}, {len(source.classes)} classes"
    truth = f"{len(written.truths)} masks" if written.truths else "no truth"
    skipped = f", {len(written.bad)} bad pictures skipped (data/dataset/skipped.csv)" if written.bad else ""
    return f"{line}, {truth}{skipped}"


def _depth(white: White, highest: int) -> list[str]:
    if white.whole == 65535 or highest < 0:
        return []
    bits = white.whole.bit_length()
    return [f"pictures of 16 bits hold at most {highest}: read as {bits} bits, {white.whole} is white"]


if __name__ == "__main__":
    door.run("dataset")
