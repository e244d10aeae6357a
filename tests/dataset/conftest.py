"""Small sets on disk, in both layouts, and the step run on them."""

import csv
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.artifacts import mask_bytes
from stages.dataset.__main__ import main
from tests.params_file import shipped_params, write_params

ROOT = Path(__file__).resolve().parents[2]


def png(row: bytes, width: int, bits: int, colour: int) -> bytes:
    """A PNG of one row, of any depth: colour 0 is grey, 2 RGB. Pillow does not write all of them."""

    def chunk(name: bytes, content: bytes) -> bytes:
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, bits, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


class Set:
    """data/raw/mine below the current folder, and the parameters that choose it."""

    def __init__(self, source: str) -> None:
        self.source, self.root = source, Path("data/raw/mine")
        self.values = {"source": source, "name": "mine"}
        self.rows: list[tuple[str, ...]] = []
        self.spoil: Callable[[], object] = lambda: None  # what a test does to the lists once written

    def picture(
        self, name: str, split: str, labels: str, image: Image.Image | None = None, **save: object
    ) -> Path:
        image = image or Image.fromarray(np.full((6, 8, 3), (90 + 9 * len(self.rows)) % 256, np.uint8))
        folder = "JPEGImages" if self.source == "voc" else "images"
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **save)
        self.rows.append((name, split, labels))
        return path

    def mask(self, name: str, mask: np.ndarray) -> None:
        folder = self.root / ("SegmentationClass" if self.source == "voc" else "masks")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(mask_bytes(mask))

    def run(self, **params: object) -> str:
        """Write the lists, then run the step."""
        (self._voc if self.source == "voc" else self._folder)()
        self.spoil()
        values = shipped_params()
        values["dataset"] |= {**self.values, **params}
        write_params(values)
        shutil.copy(ROOT / "dvc.yaml", "dvc.yaml")
        return main()

    def _folder(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file", "split", "labels"), *self.rows])

    def _voc(self) -> None:
        for folder in ("Annotations", "ImageSets/Segmentation"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for split in ("train", "val"):
            names = [Path(name).stem for name, where, _ in self.rows if where == split]
            (self.root / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(names) + "\n")
        for name, _, labels in self.rows:
            boxes = "".join(f"<object><name>{label}</name></object>" for label in labels.split(";") if label)
            text = f"<annotation>{boxes}</annotation>"
            (self.root / f"Annotations/{Path(name).stem}.xml").write_text(text)


@pytest.fixture(name="png")
def raw_png() -> Callable[[bytes, int, int, int], bytes]:
    return png


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Set]:
    monkeypatch.chdir(tmp_path)
    return Set


@pytest.fixture
def good(make: Callable[[str], Set]) -> Set:
    """A folder set of two classes without masks."""
    found = make("folder")
    found.values["truth"] = "none"
    for name, split, labels in (
        ("a.png", "train", "cat"),
        ("b.png", "train", "cat;dog"),
        ("c.png", "val", "dog"),
    ):
        found.picture(name, split, labels)
    return found


@pytest.fixture
def voc(make: Callable[[str], Set]) -> Set:
    """A VOC set of two of its own classes, with masks."""
    found = make("voc")
    (found.root / "SegmentationClass").mkdir(parents=True)
    (found.root / "classes.txt").write_text("cat\ndog\n")
    mask = np.zeros((6, 8), np.uint8)
    for name, split, labels in (
        ("a.jpg", "train", "cat"),
        ("b.jpg", "train", "dog;cat;cat"),
        ("c.jpg", "val", "dog"),
    ):
        found.picture(name, split, labels)
        mask[1:3], mask[3], mask[4] = 1 if "cat" in labels else 2, 2 if "dog" in labels else 1, 255
        found.mask(Path(name).stem, mask)
    return found
