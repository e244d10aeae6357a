"""Check a data set whole and write it in one canonical form: data/raw/NAME -> data/dataset, data/masks.

Masks are an output of their own, so that the graph shows who sees them: the evaluation alone.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from stages.common import door
from stages.common.artifacts import csv_text, mask_bytes, output_folder, write_json
from stages.common.params import load
from stages.common.pictures import INDEX_COLUMNS
from stages.common.progress import track
from stages.dataset import folder, voc
from stages.dataset.check import Problems, check_coverage, check_labels, check_names, unsafe
from stages.dataset.decode import Decoded, decode_mask, decode_picture
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source

RAW, OUT, MASKS = Path("data/raw"), Path("data/dataset"), Path("data/masks")
MOST = 30  # lines of one message


def main() -> str:
    params = load("dataset", Dataset)
    root = RAW / params.name
    if not root.is_dir():
        linked = f"`wsss link {params.name} PATH` links the pictures there"
        hint = "`dvc repro generate` makes it" if params.name == "synthetic" else linked
        raise ValueError(f"{root} is missing: {hint}")
    source = (voc if params.source == "voc" else folder).read(root, params)
    problems = [*source.problems, *check_names(source.records), *check_labels(source, source.records)]
    with output_folder(OUT) as images, output_folder(MASKS) as masks:
        written = Written(images, masks)
        records = [record for record in source.records if not unsafe(record.id)]
        for record in track(sorted(records, key=lambda r: (r.split, r.id)), len(records), "dataset"):
            written.add(record, source, params)
        problems += written.missing
        if params.bad_pictures == "fail":
            problems += written.bad
        problems += check_coverage(source, source.records if problems else written.kept)
        if problems:
            raise ValueError(explain(root, problems))
        written.finish(source)
    return summary(written, source)


@dataclass
class Written:
    """The two folders as they fill."""

    dataset: Path
    masks: Path
    kept: list[Record] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    truths: list[list[str]] = field(default_factory=list)
    bad: Problems = field(default_factory=list)
    missing: Problems = field(default_factory=list)  # listed, but no file: never skipped

    def __post_init__(self) -> None:
        (self.dataset / "images").mkdir()

    def add(self, record: Record, source: Source, params: Dataset) -> None:
        """Decode a picture and its mask once, and store both; or remember why not."""
        file = record.path
        try:
            picture = decode_picture(file, params.max_megapixels)
            mask = None
            if record.mask is not None and (params.truth == "required" or record.mask.exists()):
                file = record.mask
                size = (picture.width, picture.height)
                mask = decode_mask(file, *size, len(source.classes), params.max_megapixels)
        except FileNotFoundError:
            self.missing.append((str(file), "is missing"))
            return
        except ValueError as error:
            self.bad.append((str(file), str(error)))
            return
        self._store(record, picture, source)
        if mask is not None:
            (self.masks / f"{record.id}.png").write_bytes(mask_bytes(mask))
            self.truths.append([record.id, record.split])

    def _store(self, record: Record, picture: Decoded, source: Source) -> None:
        name = record.id + picture.suffix
        (self.dataset / "images" / name).write_bytes(picture.content)
        labels = ";".join(name for name in source.classes if name in record.labels)
        self.rows.append([record.id, name, record.split, str(picture.width), str(picture.height), labels])
        self.kept.append(record)

    def finish(self, source: Source) -> None:
        write_json(self.dataset / "classes.json", ["background", *source.classes])
        (self.dataset / "index.csv").write_text(csv_text([INDEX_COLUMNS, *self.rows]))
        (self.dataset / "skipped.csv").write_text(csv_text([["file", "problem"], *self.bad]))
        (self.masks / "index.csv").write_text(csv_text([["id", "split"], *self.truths]))


def explain(root: Path, problems: Problems) -> str:
    """The problems in one message, grouped by file; many are counted, not shown."""
    files: dict[str, list[str]] = defaultdict(list)
    for file, problem in problems:
        files[file].append(problem)
    lines = [f"  {file}: {'; '.join(dict.fromkeys(found))}" for file, found in files.items()]
    many = f"{root}: {len(lines)} thing(s) to mend; nothing was written"
    more = [f"  ... and {len(lines) - MOST} more"] if len(lines) > MOST else []
    message = [f"{many} (bad_pictures: skip leaves bad pictures out)", *lines[:MOST], *more]
    return "\n".join(_printable(line) for line in message)


def _printable(line: str) -> str:
    """Names come from outside: no control character of theirs reaches a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in line)


def summary(written: Written, source: Source) -> str:
    counts = [sum(record.split == split for record in written.kept) for split in ("train", "val")]
    line = f"dataset: {counts[0]} train and {counts[1]} val pictures, {len(source.classes)} classes"
    truth = f"{len(written.truths)} masks" if written.truths else "no truth"
    skipped = f", {len(written.bad)} bad pictures skipped (data/dataset/skipped.csv)" if written.bad else ""
    return f"{line}, {truth}{skipped}"


if __name__ == "__main__":
    door.run("dataset")
