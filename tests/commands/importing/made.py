"""A set of known masks, and what each labelling tool would write of it: written here on its own terms."""

import base64
import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog", "käfer")


@dataclass(frozen=True)
class Staircase:
    """Rows from `top` on, each of pixels left to right - 1; neighbours touch. So it is an outline exactly."""

    name: str
    top: int
    rows: tuple[tuple[int, int], ...]

    def mask(self, width: int, height: int) -> np.ndarray:
        found = np.zeros((height, width), bool)
        for row, (left, right) in enumerate(self.rows, self.top):
            found[row, left:right] = True
        return found

    def outline(self) -> list[tuple[int, int]]:
        """Along the edges of pixels: down the right side, up the left."""
        right = [(r, self.top + n + edge) for n, (_, r) in enumerate(self.rows) for edge in (0, 1)]
        left = [(left, self.top + n + edge) for n, (left, _) in enumerate(self.rows) for edge in (0, 1)]
        return right + left[::-1]


@dataclass
class Drawn:
    name: str  # below the folder of the pictures
    width: int
    height: int
    things: list[Staircase] = field(default_factory=list)

    @property
    def labels(self) -> set[str]:
        return {thing.name for thing in self.things}

    @property
    def mask(self) -> np.ndarray:
        found = np.zeros((self.height, self.width), np.uint8)
        for thing in self.things:
            found[thing.mask(self.width, self.height)] = CLASSES.index(thing.name) + 1
        return found


def drawn_set() -> list[Drawn]:
    """Eight pictures: names with spaces and umlauts, the same name in two folders, one without any class."""
    rng = np.random.default_rng(7)
    names = ["a.png", "b c.jpg", "trip/a.png", "trip/käfer ü.png", "d.jpg", "e.png", "f.bmp", "free.png"]
    kinds = [[0], [0, 1], [1], [2], [2, 0], [1, 2], [0, 1, 2], []]
    found = []
    for name, classes in zip(names, kinds, strict=True):
        width, height = int(rng.integers(30, 50)), int(rng.integers(20, 40))
        picture = Drawn(name, width, height)
        for place, kind in enumerate(classes):
            wide = width // len(classes)
            picture.things.append(_staircase(rng, CLASSES[kind], place * wide, wide, height))
        found.append(picture)
    return found


def _staircase(rng: np.random.Generator, name: str, left: int, wide: int, height: int) -> Staircase:
    top, high = int(rng.integers(0, height // 2)), int(rng.integers(2, height // 2))
    middle = left + wide // 2
    rows = [
        (int(rng.integers(left, middle)), int(rng.integers(middle + 1, left + wide + 1))) for _ in range(high)
    ]
    return Staircase(name, top, tuple(rows))


def save(root: Path, pictures: list[Drawn]) -> None:
    for number, picture in enumerate(pictures):
        path = root / picture.name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((picture.height, picture.width, 3), 20 * number + 40, np.uint8)
        Image.fromarray(pixels).save(path)


def run_lengths(values: np.ndarray) -> list[int]:
    """Of flat bools, beginning with False."""
    counts, now, length = [], False, 0
    for value in values.tolist():
        if value != now:
            counts.append(length)
            now, length = value, 0
        length += 1
    return [*counts, length]


def compressed(counts: list[int]) -> str:
    """As rleToString of cocoapi's common/maskApi.c writes it."""
    text = ""
    for place, count in enumerate(counts):
        x = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            c = x & 0x1F
            x >>= 5
            more = x != -1 if c & 0x10 else x != 0
            text += chr((c | 0x20 if more else c) + 48)
    return text


def brush_bytes(mask: np.ndarray) -> list[int]:
    """As Label Studio's brush writes RGBA: repeated blocks of lengths to 2^8, and literal ones to 2^3.

    Alpha is 200 on the mask and 40 elsewhere, as a soft brush leaves it; the colours say nothing.
    """
    channels = [np.full(mask.shape, 255), np.full(mask.shape, 0), mask * 3, np.where(mask, 200, 40)]
    values = np.stack(channels, -1).ravel().tolist()
    bits = f"{len(values):032b}{8 - 1:05b}" + "".join(f"{width - 1:04b}" for width in (3, 8, 12, 16))
    at = 0
    while at < len(values):
        end = at
        while end < len(values) and values[end] == values[at] and end - at < 256:
            end += 1
        if end - at > 2:
            bits += f"1{1:02b}{end - at - 1:08b}{values[at]:08b}"
        else:
            end = min(at + 8, len(values))
            bits += f"0{0:02b}{end - at - 1:03b}" + "".join(f"{value:08b}" for value in values[at:end])
        at = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def coco(root: Path, pictures: list[Drawn]) -> Path:
    """Outlines, and both kinds of RLE, in turn. Ids have gaps and are not in order."""
    save(root / "photos", pictures)
    ids, annotations = {name: 40 - 10 * n for n, name in enumerate(CLASSES)}, []
    for number, picture in enumerate(pictures):
        for thing in picture.things:
            mask = thing.mask(picture.width, picture.height)
            counts, size = run_lengths(mask.T.ravel()), [picture.height, picture.width]
            ring = [side for spot in thing.outline() for side in spot]
            shapes = [[ring], {"size": size, "counts": compressed(counts)}, {"size": size, "counts": counts}]
            x, y = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
            box = [int(x[0]), int(y[0]), int(x[-1] - x[0] + 1), int(y[-1] - y[0] + 1)]
            annotations.append(
                {"id": len(annotations), "image_id": 3 * number, "category_id": ids[thing.name],
                 "segmentation": shapes[len(annotations) % 3], "bbox": box, "iscrowd": 0}
            )  # fmt: skip
    content = {
        "images": [
            {"id": 3 * n, "file_name": p.name, "width": p.width, "height": p.height}
            for n, p in enumerate(pictures)
        ],
        "annotations": annotations,
        "categories": [{"id": ids[name], "name": name} for name in CLASSES],
    }  # fmt: skip
    (root / "annotations").mkdir()
    (root / "annotations/instances.json").write_text(json.dumps(content))
    return root


def yolo(root: Path, pictures: list[Drawn]) -> Path:
    save(root / "images", pictures)
    for picture in pictures:
        lines = []
        for thing in picture.things:
            shares = [v for x, y in thing.outline() for v in (x / picture.width, y / picture.height)]
            lines.append(f"{CLASSES.index(thing.name)} {' '.join(map(str, shares))}\n")
        path = (root / "labels" / picture.name).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines))
    names = "".join(f"  {n}: {name}\n" for n, name in enumerate(CLASSES))
    (root / "data.yaml").write_text(f"path: .\ntrain: images\nnames:\n{names}", encoding="utf-8")
    return root


def cvat(root: Path, pictures: list[Drawn]) -> Path:
    """Polygons and masks in turn."""
    save(root / "images", pictures)
    labels = "".join(f"<label><name>{name}</name></label>" for name in CLASSES)
    lines = [f"<annotations><meta><task><labels>{labels}</labels></task></meta>"]
    for number, picture in enumerate(pictures):
        lines.append(
            f'<image id="{number}" name="{picture.name}" width="{picture.width}" height="{picture.height}">'
        )
        for place, thing in enumerate(picture.things):
            if place % 2:
                x, y = np.nonzero(thing.mask(picture.width, picture.height))[::-1]
                left, top, wide, high = x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1
                window = thing.mask(picture.width, picture.height)[top : top + high, left : left + wide]
                rle = ", ".join(map(str, run_lengths(window.ravel())))
                where = f'left="{left}" top="{top}" width="{wide}" height="{high}"'
                lines.append(f'<mask label="{thing.name}" rle="{rle}" {where} z_order="0"/>')
            else:
                points = ";".join(f"{x:.2f},{y:.2f}" for x, y in thing.outline())
                lines.append(f'<polygon label="{thing.name}" points="{points}" z_order="0"/>')
        lines.append("</image>")
    (root / "annotations.xml").write_text("\n".join([*lines, "</annotations>"]), encoding="utf-8")
    return root


def labelme(root: Path, pictures: list[Drawn]) -> Path:
    """Polygons and masks in turn."""
    save(root, pictures)
    for picture in pictures:
        shapes = []
        for place, thing in enumerate(picture.things):
            shape = {"label": thing.name, "shape_type": "polygon", "points": thing.outline()}
            if place % 2:
                x, y = np.nonzero(thing.mask(picture.width, picture.height))[::-1]
                window = thing.mask(picture.width, picture.height)[
                    y.min() : y.max() + 1, x.min() : x.max() + 1
                ]
                png = io.BytesIO()
                Image.fromarray(window).save(png, "PNG")
                points = [[float(x.min()), float(y.min())], [float(x.max()), float(y.max())]]
                text = base64.b64encode(png.getvalue()).decode()
                shape |= {"shape_type": "mask", "points": points, "mask": text}
            shapes.append(shape)
        content = {
            "version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": picture.name.rpartition("/")[2],
            "imageData": None, "imageWidth": picture.width, "imageHeight": picture.height,
        }  # fmt: skip
        (root / picture.name).with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")
    return root


def label_studio(root: Path, pictures: list[Drawn]) -> Path:
    """Polygons and brushes in turn."""
    save(root, pictures)
    tasks = []
    for number, picture in enumerate(pictures):
        results = []
        for place, thing in enumerate(picture.things):
            size = {"original_width": picture.width, "original_height": picture.height}
            if place % 2:
                rle = brush_bytes(thing.mask(picture.width, picture.height))
                value = {"format": "rle", "rle": rle, "brushlabels": [thing.name]}
                results.append({"type": "brushlabels", **size, "value": value})
            else:
                points = [[100 * x / picture.width, 100 * y / picture.height] for x, y in thing.outline()]
                value = {"points": points, "polygonlabels": [thing.name]}
                results.append({"type": "polygonlabels", **size, "value": value})
        data = {"image": f"/data/local-files/?d={picture.name.replace(' ', '%20')}"}
        tasks.append({"id": number, "data": data, "annotations": [{"result": results}]})
    (root / "export.json").write_text(json.dumps(tasks))
    return root


def masks(root: Path, pictures: list[Drawn]) -> Path:
    """Grey indices in folders like the pictures', with the list of classes."""
    save(root / "images", pictures)
    for picture in pictures:
        path = (root / "masks" / picture.name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.mask).save(path)
    (root / "classes.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    return root


def onehot(root: Path, pictures: list[Drawn]) -> Path:
    """With the mark that Excel writes."""
    save(root, pictures)
    rows = [["filename", *CLASSES]]
    rows += [[p.name, *(str(int(name in p.labels)) for name in CLASSES)] for p in pictures]
    with (root / "table.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(rows)
    return root


def voc(root: Path, pictures: list[Drawn]) -> Path:
    """Boxes counted from 1, both ends inside."""
    save(root / "pictures", pictures)
    for picture in pictures:
        objects = []
        for thing in picture.things:
            y, x = np.nonzero(thing.mask(picture.width, picture.height))
            sides = {"xmin": x.min() + 1, "ymin": y.min() + 1, "xmax": x.max() + 1, "ymax": y.max() + 1}
            box = "".join(f"<{key}>{side}</{key}>" for key, side in sides.items())
            objects.append(f"<object><name>{thing.name}</name><bndbox>{box}</bndbox></object>")
        size = f"<size><width>{picture.width}</width><height>{picture.height}</height></size>"
        path = (root / "xml" / picture.name).with_suffix(".xml")
        path.parent.mkdir(parents=True, exist_ok=True)
        name = f"<filename>{picture.name}</filename>"
        path.write_text(f"<annotation>{name}{size}{''.join(objects)}</annotation>", encoding="utf-8")
    return root


def imagefolder(root: Path, pictures: list[Drawn]) -> Path:
    """A picture of several labels lies in several folders; one of none in `good`."""
    for number, picture in enumerate(pictures):
        for name in picture.labels or {"good"}:
            path = root / name / picture.name.replace("/", "-")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(path)
    return root


PIXELS: dict[str, Callable[[Path, list[Drawn]], Path]] = {
    "coco": coco, "yolo": yolo, "cvat": cvat, "labelme": labelme, "label-studio": label_studio,
    "masks": masks,
}  # fmt: skip
LABELS: dict[str, Callable[[Path, list[Drawn]], Path]] = {**PIXELS, "onehot": onehot, "voc": voc}
