"""Which file of the folder of masks belongs to which picture. No file is opened."""

import re
import unicodedata
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from stages.common.door import visible
from stages.dataset.check import Problems
from stages.dataset.files import SUFFIXES, Finder
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source
from stages.dataset.words import few

WORDS = "masks?|labels?|gt|seg|segmentation|annotations?"
ADDED = re.compile(rf"[ ._-]({WORDS})$|^({WORDS})[ ._-]")  # to the name of a picture, for its mask
NO_MASKS = {".txt", ".csv", ".json", ".xml", ".md", ".yaml", ".yml", ".db", ".ini"}


def fit(source: Source, params: Dataset) -> tuple[Problems, list[str]]:
    """Give each record the file of its mask. Returns problems, and what is odd.

    The right name is ID.png. Else a file that fits no other picture is taken by, in this order, its path
    without suffix (case and Unicode form do not count), the same without an added word as in ID_mask.png,
    and its name without the folders. Two files for one picture are a problem. So is it if masks are
    asked for and none of the files fits.
    """
    folder = source.masks
    if params.source == "coco":  # its masks are no files
        return [], []
    if not folder.is_dir():
        others = _other_folders(folder, params)
        required = params.truth == "required"
        return ([(folder.name, text) for text in others], []) if required else ([], others)
    finder = Finder(folder)
    files = [file for file in finder.all if not _hidden(file) and Path(file).suffix.lower() not in NO_MASKS]
    if params.truth == "none":
        unread = f"{folder.name} holds {len(files)} files, and dataset.truth is none: they are not read"
        return [], [unread] if files else []
    exact = {r.mask.name for r in source.records if isinstance(r.mask, Path)} & set(files)
    open_ = {r.id for r in source.records if isinstance(r.mask, Path) and r.mask.name not in exact}
    free = [file for file in files if file not in exact]
    found, left = _match(_without_others(free, source), source.records, open_)
    problems: Problems = []
    for identifier, several in found.items():
        if len(several) > 1:
            problems.append((identifier, f"{few(several)} could all be its mask: keep {identifier}.png"))
    one = {identifier: folder / several[0] for identifier, several in found.items() if len(several) == 1}
    source.records = [replace(r, mask=one[r.id]) if r.id in one else r for r in source.records]
    renamed = [f"{file.relative_to(folder)} of {i}" for i, file in one.items() if _plain(file) != f"{i}.png"]
    remarks = [f"{len(renamed)} masks found under another name: {few(renamed)}"] if renamed else []
    if left and not exact and not found:
        wanted = next((f"{r.id}.png" for r in source.records), "ID.png")
        text = f"none of its {len(left)} files belongs to a picture: {few(left)}; a right name is {wanted}"
        problems.append((folder.name, text))
    elif left:
        unused = f"{len(left)} files of {folder.name} belong to no picture, so are not used: {few(left)}"
        remarks.append(unused)
    return problems, [visible(remark) for remark in remarks]


def _other_folders(folder: Path, params: Dataset) -> list[str]:
    """What lies there in place of the folder of masks, where masks are asked for."""
    near = [path for path in sorted(folder.parent.iterdir()) if path.is_dir()]
    others = [path.name for path in near if re.search(WORDS, path.name.casefold())]
    if params.truth == "none" or not others or params.source == "voc":
        return []
    return [f"no masks: there is no folder {folder.name}, but {few(others)}"]


def _without_others(files: list[str], source: Source) -> list[str]:
    """Without the masks of pictures that lie there and that no list names.

    A list may be a part of a set. Such a mask is no other picture's, though its name without folders fits.
    """
    listed = {_key(record.id) for record in source.records}
    near = {_path_key(file) for file in Finder(source.pictures).all} - listed if files else set()
    return [file for file in files if not {_path_key(file), ADDED.sub("", _path_key(file))} & near]


def _match(
    files: list[str], records: list[Record], open_: set[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """By identifier of a picture that is `open_`, the files that fit it and no other; and the rest."""
    by_key: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for key in (record.id, record.path.name, record.path.stem):
            by_key[_key(key)].add(record.id)
    names = {_key(identifier): identifier for identifier in open_}
    found: dict[str, list[str]] = defaultdict(list)
    left = []
    for file in files:
        fitting = next((names[key] for key in _keys(file) if key in names), None)
        if fitting is None:
            fits = next((by_key[key] for key in _keys(file) if len(by_key.get(key, ())) == 1), set())
            fitting = next(iter(fits & open_), None)
        found[fitting].append(file) if fitting is not None else left.append(file)
    return dict(found), left


def _keys(file: str) -> list[str]:
    """What a mask's path may say of its picture, the likeliest first."""
    whole = _path_key(file)
    name = _key(_bare(file).rpartition("/")[2])
    return list(dict.fromkeys([whole, ADDED.sub("", whole), name, ADDED.sub("", name)]))


def _path_key(file: str) -> str:
    """As the identifier of a picture at that path."""
    return _key(_bare(file).replace("/", "__"))


def _bare(file: str) -> str:
    """Without the suffix, if it is one of a picture or an array."""
    path = Path(file)
    return file[: -len(path.suffix)] if path.suffix.lower() in (*SUFFIXES, ".npy", ".npz") else file


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _plain(file: Path) -> str:
    return unicodedata.normalize("NFC", file.name)


def _hidden(file: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in file.split("/"))
