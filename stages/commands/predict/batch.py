"""What one batch of pictures becomes: the work of `wsss predict` in its processes."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from PIL import Image

from stages.commands.predict.overlays import overlay_jpeg
from stages.common import items
from stages.common.artifacts import mask_bytes
from stages.common.pool import Files
from stages.dataset.decode import ORIENTATION, decode_picture, read_bytes
from stages.dataset.depth import SIXTEEN, White


class Labels(Protocol):
    """What labels pictures, as stages/predictions/any_labeller.py does."""

    @property
    def place(self) -> str: ...
    @property
    def batch(self) -> int: ...
    def prepare(self) -> None: ...
    def takes_whole(self, size: tuple[int, ...]) -> bool: ...
    def labels(self, pictures: list[np.ndarray]) -> list[np.ndarray]: ...


FACTS = "facts"  # a JSON a picture: its size and areas, or what is wrong with its file


@dataclass(frozen=True)
class LabelPictures:
    """The files of each picture: mask, overlay, and its facts or what is wrong with it."""

    labeller: Labels
    classes: tuple[str, ...]
    max_megapixels: float
    white: White = SIXTEEN
    less: str = "a smaller --batch or --tile needs less"  # memory, than there was

    def prepare(self) -> None:
        self.labeller.prepare()

    def __call__(self, pictures: "list[Read | str]") -> list[Files]:
        sizes: dict[tuple[int, ...], dict[int, np.ndarray]] = {}
        for index, picture in enumerate(pictures):
            if isinstance(picture, Read):
                sizes.setdefault(picture.pixels.shape, {})[index] = picture.pixels
        labels: dict[int, np.ndarray] = {}
        for same in sizes.values():
            labels |= zip(same, self._labels(list(same.values())), strict=True)
        with ThreadPoolExecutor(len(pictures)) as threads:  # a GPU should not wait for files
            return list(threads.map(self._files, pictures, map(labels.get, range(len(pictures)))))

    def _labels(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        try:
            return self.labeller.labels(pictures)
        except torch.OutOfMemoryError:
            size = "x".join(map(str, pictures[0].shape[1::-1]))
            raise ValueError(
                f"no memory on {self.labeller.place} for {len(pictures)} pictures of {size} at a time: "
                + self.less
            ) from None

    def read(self, file: Path) -> "Read | str":
        """The picture, or what is wrong with its file."""
        try:
            return read(file, self.max_megapixels, self.white)
        except (ValueError, OSError) as error:
            return getattr(error, "strerror", None) or str(error)

    def _files(self, picture: "Read | str", labels: np.ndarray | None) -> Files:
        if isinstance(picture, str) or labels is None:
            return _facts(problem=picture)
        counts = np.bincount(labels.ravel(), minlength=len(self.classes)).tolist()
        seen = [(index, f"{self.classes[index]} {rounded}") for index, rounded in in_words(counts)]
        objects = [entry for entry in seen if entry[0]]
        return {
            "masks/*.png": mask_bytes(labels),
            "overlays/*.jpg": overlay_jpeg(picture.pixels, labels, objects or seen),
            **_facts(
                width=labels.shape[1], height=labels.shape[0], pixels=counts, note="; ".join(picture.notes)
            ),
        }

    def batches(self, work: list[items.Item]) -> list[list[items.Item]]:
        """Pictures of one size together, as many as the labeller takes; those cut into tiles alone."""
        most = self.labeller.batch
        if most == 1:
            return [[item] for item in work]
        sizes: dict[tuple[int, int], list[items.Item]] = {}
        for item in work:
            sizes.setdefault(_size(item.task), []).append(item)
        steps = {size: most if self.labeller.takes_whole(size) else 1 for size in sizes}
        return [
            group[at : at + steps[size]]
            for size, group in sizes.items()
            for at in range(0, len(group), steps[size])
        ]


@dataclass(frozen=True)
class Read:
    """A picture, RGB uint8 [H, W, 3], and what is odd about its file."""

    pixels: np.ndarray
    notes: tuple[str, ...]


def read(file: Path, max_megapixels: float, white: White = SIXTEEN) -> Read:
    """A file of any format that the step `dataset` takes, converted as there."""
    decoded = decode_picture(read_bytes(file, max_megapixels), max_megapixels, white)
    content = np.frombuffer(decoded.content, np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError("unreadable or truncated")
    return Read(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), decoded.notes)


def shares(counts: list[int]) -> list[tuple[int, int, str]]:
    """Class index, pixels and percent of the picture, of each class that is there."""
    total = sum(counts)
    return [(index, n, f"{100 * n / total:.2f}") for index, n in enumerate(counts) if n]


def in_words(counts: list[int]) -> list[tuple[int, str]]:
    """The same for a person: one decimal, and what is less is less."""
    return [
        (index, f"{float(percent):.1f} %" if float(percent) >= 0.1 else "< 0.1 %")
        for index, _, percent in shares(counts)
    ]


def _size(file: Path) -> tuple[int, int]:
    """Width and height by the header, upright; it only groups, so an unreadable file has any."""
    try:
        with Image.open(file) as image:
            turned = image.getexif().get(ORIENTATION, 1) >= 5
            return image.size[::-1] if turned else image.size
    except Exception:  # Pillow's readers raise nearly any kind; decoding says what is wrong
        return 0, 0


def _facts(**facts: object) -> Files:
    return {f"{FACTS}/*.json": json.dumps(facts).encode()}
