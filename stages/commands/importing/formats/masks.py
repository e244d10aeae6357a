"""Masks alone: a folder of pictures and one of masks. Labels are read off the masks, or stand in labels.csv.

PATH holds images/ and masks/; or PATH is the folder of masks and --pictures names the other. What a value
means is never guessed: mask_meaning.py beside this folder.
"""

from pathlib import Path

from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured
from stages.commands.importing.many import mapped
from stages.commands.importing.mask_meaning import Seen, meaning, seen
from stages.commands.importing.places import folder_splits
from stages.commands.importing.tables import labelled
from stages.common.progress import track
from stages.dataset import mask_files
from stages.dataset.files import stem
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source, read_classes

MATCHED = Dataset(
    source="folder", name="import", train="train", val="val", truth="required", masks="SegmentationClass",
    bad_pictures="fail", max_megapixels=1000.0, annotations="none",
)  # fmt: skip


def read(asked: Asked) -> Found:
    found = Found()
    pictures, masks = _folders(asked)
    _pictures(asked, pictures, masks, found)
    listed = asked.path / "classes.txt"
    if asked.classes and listed.is_file():
        raise ValueError(f"--classes: {listed} is there, too: leave the option out")
    names = asked.classes or (read_classes(listed) if listed.is_file() else None)
    table = asked.path / "labels.csv"
    if table.is_file():
        _label(asked, table, names, found)
    found.without_test()
    _match(asked, pictures, masks, found)
    files = [picture.mask for picture in found.pictures if picture.mask]
    scanned = _scan(files, asked)
    for picture in found.pictures:
        if picture.mask and (problem := scanned[picture.mask].problem):
            found.problems.append((str(picture.mask), problem))
            picture.mask = None
    whole = {file: each for file, each in scanned.items() if not each.problem}
    found.table = meaning(asked, names, whole, found, table.is_file())
    if found.table is None:
        return found
    if not table.is_file():
        numbers = dict(enumerate(found.classes, 1))
        for picture in found.pictures:
            if picture.mask in whole:
                indices = {found.table.indices.get(n) for n in whole[picture.mask].numbers(found.table)}
                picture.labels = {numbers[index] for index in indices if index in numbers}
        found.about.append("the image labels were read off the masks, which show every object that they name")
    return found


def _folders(asked: Asked) -> tuple[Path, Path]:
    root = asked.places.root
    if root != asked.path:
        return root, asked.path
    for name in ("images", "masks"):
        if not (root / name).is_dir():
            raise ValueError(
                f"{root} has no folder {name}: with images/ and masks/ it is enough; else let PATH be the "
                "folder of masks, and --pictures that of the pictures"
            )
    return root / "images", root / "masks"


def _pictures(asked: Asked, pictures: Path, masks: Path, found: Found) -> None:
    root = asked.places.root
    files = [file for file in asked.places.all if (root / file).is_relative_to(pictures)]
    files = [file for file in files if pictures == masks or not (root / file).is_relative_to(masks)]
    splits = folder_splits(files)
    found.pictures = [Pictured(file, file, splits.get(file, "")) for file in files]


def _label(asked: Asked, table: Path, names: list[str] | None, found: Found) -> None:
    """Labels and splits by labels.csv. Pictures that it does not name are left out."""
    known = {picture.file: picture for picture in found.pictures}
    named = {}
    checked = Names(asked, found, "classes.txt", None if asked.classes else names)
    for row in labelled(table, names):
        where = f"{table}:{row.line}"
        try:
            file = asked.places.find(row.file, asked.path / "images")
        except ValueError as error:
            found.problems.append((where, str(error)))
            continue
        if row.problem or file in named or file not in known:
            twice = "a picture is there twice" if file in named else f"{file} is no picture of the set"
            found.problems.append((where, row.problem or twice))
            continue
        picture = named[file] = known[file]
        picture.where, picture.split = where, row.split or picture.split
        picture.labels = {checked.use(label, where) for label in row.labels} - {BACKGROUND, ""}
    checked.finish()
    if left := [picture.file for picture in found.pictures if picture.file not in named]:
        found.remarks += [(file, "labels.csv does not name it: left out") for file in left]
    found.pictures = list(named.values())


def _match(asked: Asked, pictures: Path, masks: Path, found: Found) -> None:
    """The mask of each picture, by the rules of the step `dataset`."""
    root = asked.places.root
    records = []
    for picture in found.pictures:
        path = root / picture.file
        identifier = stem(path.relative_to(pictures).as_posix()).replace("/", "__")
        records.append(Record(identifier, path, "train", (), masks / f"{identifier}.png"))
    source = Source([], pictures, masks, records)
    problems, remarks = mask_files.fit(source, MATCHED)
    found.problems += problems
    found.remarks += [(masks.name, text) for text in remarks]
    for picture, record in zip(found.pictures, source.records, strict=True):
        picture.mask = record.mask if isinstance(record.mask, Path) else None
        if picture.mask and not picture.mask.exists():
            text = "has no mask: draw one (all background, if nothing is there), or take the picture out"
            found.problems.append((picture.file, text))
            picture.mask = None


def _scan(files: list[Path], asked: Asked) -> dict[Path, Seen]:
    """What each mask holds."""
    work = [(file, asked.threshold) for file in files]
    with mapped(seen, len(files)) as seen_all:
        return dict(zip(files, track(seen_all(work), len(files), "reading masks"), strict=True))
