"""Check a data set whole and write it in one canonical form: data/raw/NAME -> data/dataset, data/masks.

Masks are an output of their own, so that the graph shows who sees them: the evaluation alone.
"""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stages.common import door
from stages.common.artifacts import csv_text, mask_bytes, output_folder, write_atomic, write_json
from stages.common.params import load
from stages.common.pictures import INDEX_COLUMNS
from stages.common.progress import track
from stages.dataset import folder, mask_files, voc
from stages.dataset.check import Problems, check_coverage, check_labels, check_names, unsafe
from stages.dataset.decode import Decoded, decode_picture, measure
from stages.dataset.decode_mask import decode_mask
from stages.dataset.depth import White
from stages.dataset.mask_values import Masks
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source
from stages.dataset.remarks import remarks
from stages.dataset.words import about, class_counts, class_warnings, explain, lines

RAW, OUT, MASKS = Path("data/raw"), Path("data/dataset"), Path("data/masks")
WARNINGS = "warnings.txt"


def main() -> str:
    params = load("dataset", Dataset)
    root = RAW / params.name
    if not root.is_dir():
        linked = f"`wsss link {params.name} PATH` links the pictures there"
        hint = "`dvc repro generate` makes it" if params.name == "synthetic" else linked
        raise ValueError(f"{root} is missing: {hint}")
    source = (voc if params.source == "voc" else folder).read(root, params)
    problems = [*source.problems, *check_names(source.records), *check_labels(source, source.records)]
    unfit, of_files = mask_files.fit(source, root, params)
    problems += unfit
    with output_folder(OUT) as images, output_folder(MASKS) as masks:
        records = [*{record.id: record for record in source.records if not unsafe(record.id)}.values()]
        white, highest = measure((record.path for record in records), params.max_megapixels)
        written = Written(images, masks, white, Masks(source.classes))
        for record in track(sorted(records, key=lambda r: (r.split, r.id)), len(records), "dataset"):
            written.add(record, source, params)
        problems += written.missing
        if params.bad_pictures == "fail":
            problems += written.bad
        problems += check_coverage(source, source.records if problems else written.kept)
        wrong, of_masks = written.truth.finish(masks, mask_files.mask_folder(root, params).name)
        problems += wrong
        if problems:
            skippable = params.bad_pictures == "fail" and bool(written.bad)
            raise ValueError(explain(root, problems, skippable))
        notes = [*_depth(white, highest), *source.warnings, *lines(root, written.notes)]
        counts = class_counts(source.classes, [(record.split, record.labels) for record in written.kept])
        notes += remarks(source.classes, written.kept, written.pixels)
        warnings, of_masks = [*class_warnings(counts), *notes], [*of_files, *of_masks]
        written.finish(source, warnings, of_masks)
    return "\n".join([summary(written, source), *about(counts, [*warnings, *of_masks])])


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

    def add(self, record: Record, source: Source, params: Dataset) -> None:
        """Decode a picture and its mask once, and store both; or remember why not."""
        file = record.path
        try:
            picture = decode_picture(file, params.max_megapixels, self.white)
            mask = None
            if record.mask is not None and (params.truth == "required" or os.path.lexists(record.mask)):
                file = record.mask
                mask = decode_mask(file, picture, len(source.classes), params.max_megapixels)
        except FileNotFoundError:
            self.missing.append((str(file), "is missing"))
            return
        except ValueError as error:
            self.bad.append((str(file), str(error)))
            return
        self._store(record, picture, source)
        self.notes += [(str(record.path), note) for note in picture.notes]
        if mask is not None:
            (self.masks / f"{record.id}.png").write_bytes(mask_bytes(mask.values))
            self.truth.add(record.id, file, mask, record.labels)
            self.truths.append([record.id, record.split])

    def _store(self, record: Record, picture: Decoded, source: Source) -> None:
        name = record.id + picture.suffix
        (self.dataset / "images" / name).write_bytes(picture.content)
        labels = ";".join(name for name in source.classes if name in record.labels)
        self.rows.append([record.id, name, record.split, str(picture.width), str(picture.height), labels])
        self.kept.append(record)
        self.pixels[record.id] = picture.pixels

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
    counts = [sum(record.split == split for record in written.kept) for split in ("train", "val")]
    line = f"dataset: {counts[0]} train and {counts[1]} val pictures, {len(source.classes)} classes"
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
