"""The embedded data set: coloured bodies on soft ground, in VOC layout, at data/raw/synthetic.

It is small enough for a laptop and hard in the ways that real pictures are:

- a class is known by the pattern on one end of a body, two fifths of it: as a head or a wheel tells an
  animal or a car, so that a classifier's attribution under-covers;
- with `second_mark`, the other end has the pattern too, fainter: what a classifier finds only when the first
  is erased;
- the rest of the body has one faintly shaded colour and sharp edges, any colour for any class: what
  colour and edges (a dense CRF, a random walk) can complete from the seed, and nothing else can;
- any class may have any shape and turn: outlines alone are no evidence;
- several objects in a picture, also two of a class, and one before another: seeds compete at the
  border, and of a hidden object a part is left;
- a class often lies on one kind of ground, as boats on water: context that a classifier may learn
  in the place of the object;
- noise, uneven light, soft shadows and pebbles that belong to no class: low-level edges that are
  not the edges of objects;
- a border of 255 around objects, where nobody can say what a pixel is, as in VOC.

More are off as shipped; presets of presets/data switch them on:

- `road`: what comes with one class alone and is ground, as rails come with trains, so that a classifier may
  learn it for the class; `pairs`: two classes that come together, so that it need not tell them apart;
- `clutter`: bodies of no class in the objects' shapes, sizes and colours: colour edges that lead astray;
- `thin`: legs, tails and handles, narrower than a cell of a network's map;
- `rare`: a long tail of classes.

Scribbles/ and points.json are what a person would draw on them (ScribbleSup, What's the Point), from the
scene and from random numbers of their own, as the boxes of Annotations/ are.

Picture i depends on the seed, its split and i only: more pictures leave the first ones as they are.
The class of the first object goes round, so that each class occurs in every run of C pictures; with `rare`,
in the first C.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np

from stages.common import door
from stages.common.artifacts import mask_bytes, output_folder, write_json
from stages.common.params import load
from stages.common.progress import track
from stages.generate.params import Generate
from stages.generate.patterns import NAMES
from stages.generate.scene import Scene, boxes, draw, labels
from stages.generate.strokes import clicks, scribble

OUT = Path("data/raw/synthetic")
FOLDERS = ("JPEGImages", "SegmentationClass", "Annotations", "Scribbles", "ImageSets/Segmentation")
SPLITS = ("train", "val")
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def main() -> str:
    params = load("generate", Generate)
    counts = (params.train, params.val)
    names = NAMES[: params.classes]
    with output_folder(OUT) as folder:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True)
        points = {}
        for identifier, scene, rng in track(_scenes(params), sum(counts), "generate"):
            _write(folder, identifier, scene)
            strokes = scribble(rng, scene, params.scribbles)
            (folder / f"Scribbles/{identifier}.png").write_bytes(mask_bytes(strokes))
            points[identifier] = clicks(rng, scene)
        write_json(folder / "points.json", points)
        for split, count in zip(SPLITS, counts, strict=True):
            ids = "".join(f"{_identifier(split, index)}\n" for index in range(count))
            (folder / f"ImageSets/Segmentation/{split}.txt").write_text(ids)
        (folder / "classes.txt").write_text("".join(f"{name}\n" for name in names))
    return f"generate: {params.train} train and {params.val} val pictures of {', '.join(names)}"


def _identifier(split: str, index: int) -> str:
    return f"{split}_{index:05d}"


def _scenes(params: Generate) -> Iterator[tuple[str, Scene, np.random.Generator]]:
    """Identifier and scene of each picture, and the random numbers of what is drawn on it."""
    for number, (split, count) in enumerate(zip(SPLITS, (params.train, params.val), strict=True)):
        for index in range(count):
            rng = np.random.default_rng((params.seed, number, index))
            scene = draw(rng, params, index)
            yield _identifier(split, index), scene, np.random.default_rng((params.seed, number, index, 1))


def _write(folder: Path, identifier: str, scene: Scene) -> None:
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(scene.picture, cv2.COLOR_RGB2BGR), JPEG)
    (folder / f"JPEGImages/{identifier}.jpg").write_bytes(jpeg.tobytes())
    (folder / f"SegmentationClass/{identifier}.png").write_bytes(mask_bytes(labels(scene)))
    (folder / f"Annotations/{identifier}.xml").write_text(_annotation(identifier, scene))


def _annotation(identifier: str, scene: Scene) -> str:
    """VOC's XML: the size, and a box around what is visible of each object."""
    size = len(scene.picture)
    lines = ["<annotation>", f"  <filename>{escape(identifier)}.jpg</filename>"]
    lines += [f"  <size><width>{size}</width><height>{size}</height><depth>3</depth></size>"]
    for kind, *box in boxes(scene):
        sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        corners = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
        lines.append(f"  <object><name>{NAMES[kind]}</name><bndbox>{corners}</bndbox></object>")
    return "\n".join([*lines, "</annotation>", ""])


if __name__ == "__main__":
    door.run("generate")
