"""The work on one picture of a source, in processes: its canonical form and that of its mask."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.common import fingerprint, items
from stages.common.artifacts import mask_bytes
from stages.common.pool import Files
from stages.dataset.area_masks import AreaMask
from stages.dataset.decode import Decoded, decode_picture, extremes_of
from stages.dataset.decode_mask import Mask, MaskFacts, decode_mask
from stages.dataset.depth import White, white_of
from stages.dataset.source_files import Fault, File, Pair, reread

GROUP = 8  # pictures that go to a process at a time
FACTS, PICTURE, MASK = "*.json", "picture/*.png", "mask/*.png"  # files of a result


@dataclass(frozen=True)
class Facts:
    """What is known of a picture once it and its mask are decoded: of its canonical form.

    `pixels` is a hash of what is seen, equal for equal pictures; `notes` say what is odd.
    """

    sha256: str
    suffix: str
    width: int
    height: int
    pixels: str
    notes: tuple[str, ...]
    mask: MaskFacts | None = None
    orientation: int = 1  # EXIF's of the source's file: the canonical form is upright


@dataclass(frozen=True)
class Convert:
    """Facts, and the files that differ from the source's: or a problem."""

    max_megapixels: float
    classes: int
    white: White

    def key(self, pair: Pair) -> str:
        white = asdict(self.white) if pair.deep else None  # the others do not depend on it
        hashes = [file.sha256 for file in (pair.picture, pair.mask) if file]
        code = fingerprint.code_hash("stages.dataset.convert")
        return fingerprint.key(code, self.max_megapixels, self.classes, white, hashes)

    def __call__(self, pairs: list[Pair]) -> list[Files]:
        return [self._one(pair) for pair in pairs]

    def _one(self, pair: Pair) -> Files:
        content, of_mask = reread(pair.picture), False
        try:
            picture = decode_picture(content, self.max_megapixels, self.white)
            files = {} if picture.content == content else {PICTURE: picture.content}
            mask = None
            if pair.mask:
                of_mask = True
                mask = self._mask(pair.mask, picture)
                files[MASK] = mask_bytes(mask.values)
        except ValueError as error:
            return {FACTS: _json({"problem": str(error), "of_mask": of_mask})}
        return {FACTS: _json(asdict(_facts(picture, mask))), **files}

    def _mask(self, mask: File | AreaMask, picture: Decoded) -> Mask:
        if isinstance(mask, AreaMask):
            return mask.mask(picture)
        return decode_mask(reread(mask), picture, self.classes, self.max_megapixels)


def _facts(picture: Decoded, mask: Mask | None) -> Facts:
    digest = hashlib.sha256(picture.content).hexdigest()
    size, seen = (picture.width, picture.height), picture.pixels
    of_mask = mask.facts() if mask else None
    return Facts(digest, picture.suffix, *size, seen, picture.notes, of_mask, picture.orientation)


@dataclass(frozen=True)
class Converted:
    """A pair in its canonical form. A file that is the source's own is not kept a second time."""

    pair: Pair
    facts: Facts
    item: items.Item
    results: items.Results

    def put_picture(self, target: Path) -> None:
        if self.facts.sha256 == self.pair.picture.sha256:
            shutil.copyfile(self.pair.picture.path, target)
        else:
            target.write_bytes(self.results.read(self.item, PICTURE))

    def put_mask(self, target: Path) -> None:
        target.write_bytes(self.results.read(self.item, MASK))


def convert(pairs: Mapping[str, Pair], compute: Convert) -> dict[str, Converted | Fault]:
    """All pairs by their identifiers, or what is wrong with one of their files."""
    work = [items.Item(identifier, compute.key(pair), pair) for identifier, pair in pairs.items()]
    results = items.compute_items("dataset", work, compute, batches=items.groups_of(GROUP))
    return {item.id: _converted(item, results) for item in work}


def _converted(item: items.Item, results: items.Results) -> Converted | Fault:
    found, pair = json.loads(results.read(item, FACTS)), item.task
    if "problem" in found:
        return Fault((pair.mask if found["of_mask"] else pair.picture).path, found["problem"])
    mask = found.pop("mask")
    if mask:
        counts = {int(index): count for index, count in mask["counts"].items()}
        colours = {int(index): tuple(colour) for index, colour in mask["colours"].items()}
        mask = MaskFacts(counts, colours, mask["unsure"])
    facts = Facts(**{**found, "notes": tuple(found["notes"])}, mask=mask)
    return Converted(pair, facts, item, results)


@dataclass(frozen=True)
class Measure:
    """The extremes of each picture of more than 8 bits."""

    max_megapixels: float

    def __call__(self, files: list[File]) -> list[Files]:
        return [{FACTS: _json(extremes_of(reread(file), self.max_megapixels))} for file in files]


def measure(pairs: Sequence[Pair], max_megapixels: float) -> tuple[White, int]:
    """What is white in the pictures of more than 8 bits, and the highest whole number (-1: of none)."""
    code = fingerprint.code_hash("stages.dataset.convert")
    work = [
        items.Item(
            pair.picture.sha256, fingerprint.key(code, max_megapixels, pair.picture.sha256), pair.picture
        )
        for pair in pairs
        if pair.deep
    ]
    results = items.compute_items(
        "dataset_depth", work, Measure(max_megapixels), batches=items.groups_of(GROUP)
    )
    found = [json.loads(results.read(item, FACTS)) for item in work]
    highest = max((whole for whole, _, _ in found), default=-1)
    real = [(low, high) for _, low, high in found if high >= low]
    low, high = min((low for low, _ in real), default=1.0), max((high for _, high in real), default=-1.0)
    return white_of(highest, low, high), highest


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
