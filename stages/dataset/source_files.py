"""The files of a source as they lie there: each is read once for its hash, before any is decoded."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from stages.dataset.area_masks import AreaMask
from stages.dataset.decode import is_deep_file, read_bytes
from stages.dataset.params import Dataset
from stages.dataset.records import Record


@dataclass(frozen=True)
class File:
    path: Path
    sha256: str


@dataclass(frozen=True)
class Pair:
    """A picture and its mask, if that is to be read. `deep`: the picture has more than 8 bits a channel."""

    picture: File
    mask: File | AreaMask | None
    deep: bool


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file. One that is missing is never skipped."""

    file: Path
    problem: str
    missing: bool = False


def read_pair(record: Record, params: Dataset) -> Pair | Fault:
    """The files of a record, or what is wrong with the first that cannot be read."""
    file = record.path
    try:
        content = read_bytes(file, params.max_megapixels)
        picture = File(file, _hash(content))
        deep = is_deep_file(content, params.max_megapixels)
        if isinstance(record.mask, AreaMask):
            return Pair(picture, record.mask, deep)
        if record.mask is None or (params.truth != "required" and not os.path.lexists(record.mask)):
            return Pair(picture, None, deep)
        file = record.mask
        return Pair(picture, File(file, _hash(read_bytes(file, params.max_megapixels))), deep)
    except FileNotFoundError:
        return Fault(file, "is missing", missing=True)
    except ValueError as error:
        return Fault(file, str(error))


def hashed(path: Path, max_megapixels: float) -> File:
    """ValueError saying what is wrong with a file that cannot be read."""
    try:
        return File(path, _hash(read_bytes(path, max_megapixels)))
    except FileNotFoundError:
        raise ValueError("is missing") from None


def reread(file: File) -> bytes:
    """Its content, which is still what was hashed. RuntimeError if not: a result would get a false name."""
    content = file.path.read_bytes()
    if _hash(content) != file.sha256:
        raise RuntimeError(f"{file.path} changed while the data set was read: run again")
    return content


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
