"""The project's file formats: small, typed, no pickles, written whole or not at all."""

import csv
import io
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

FORMULA = tuple("=+-@\t\r")  # with one of these a cell is one, for a spreadsheet
UNKNOWN = 255  # void in a truth mask, "not decided" in a pseudo-label: it never counts


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write beside `path`, then rename over it: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def output_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of `path` only if the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    _clear(partial)
    partial.mkdir()
    try:
        yield partial
        old = path.with_name(f".{path.name}.old.partial")
        _clear(old)
        if path.exists():
            os.replace(path, old)
        os.replace(partial, path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _clear(partial: Path) -> None:
    """Remove what a process that was killed has left there: a folder, a file, or a link to either."""
    if partial.is_symlink() or partial.is_file():
        partial.unlink()
    elif partial.exists():
        shutil.rmtree(partial)


def write_json(path: Path, value: Any) -> None:
    """JSON with sorted keys and a final newline, so equal values are equal bytes."""
    write_atomic(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows, the header first, as CSV with plain newlines on every system."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def as_text(cell: str) -> str:
    """A name from outside as a spreadsheet takes it for text: `=1+1` in a table of ours is no formula."""
    return f"'{cell}" if cell[:1] in FORMULA and not _is_number(cell) else cell


def from_text(cell: str) -> str:
    """The name that `as_text` was given."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in FORMULA else cell


def _is_number(cell: str) -> bool:
    try:
        return bool(float(cell) or True)
    except ValueError:
        return False


def npz_bytes(**arrays: np.ndarray) -> bytes:
    """A compressed .npz as bytes; equal arrays give equal bytes.

    The archive is written here, for numpy's own streams into it, and patch versions of Python (3.11.3 and
    3.11.4) then write other headers. A member whose size is known beforehand is the same in all of them.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def npz_arrays(content: bytes) -> dict[str, np.ndarray]:
    """All arrays of what `npz_bytes` made."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a .npz. Raises ValueError naming the file when it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is not a readable .npz ({error}): remove it, rerun") from error


def palette() -> np.ndarray:
    """The PASCAL VOC colours, uint8 [256, 3]: bit k of each channel from bits 3k of the index."""
    index = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return colours


def mask_bytes(mask: np.ndarray) -> bytes:
    """A palette PNG of class indices, uint8 [H, W], 0 background, 255 unknown."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(mask, np.uint8), mode="P")
    image.putpalette(palette().tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=False)
    return buffer.getvalue()


def grey_bytes(values: np.ndarray) -> bytes:
    """A grey PNG of uint8 [H, W]; `read_mask` reads it."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values, np.uint8), mode="L").save(buffer, "PNG", optimize=False)
    return buffer.getvalue()


def read_mask(path: Path) -> np.ndarray:
    """Class indices of a palette or grey PNG, uint8 [H, W]."""
    from PIL import Image

    with Image.open(path) as image:
        if image.mode not in ("P", "L"):
            raise ValueError(f"{path} is {image.mode}: a mask is a palette or grey PNG")
        return np.asarray(image, np.uint8).copy()


def read_picture(path: Path) -> np.ndarray:
    """A picture of the canonical data set as RGB, uint8 [H, W, 3]."""
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError(f"{path} is missing or not a picture: run `dvc repro dataset`")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
