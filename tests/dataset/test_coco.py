"""A made set of 60 pictures in COCO's own layouts, of its 80 categories with their ids."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.artifacts import read_json, read_mask
from tests.commands.importing.made import Staircase, compressed, run_lengths
from tests.dataset.conftest import Set
from tests.dataset.test_bad_input import refused

IDS = [n for n in range(1, 91) if n not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
WIDTH, HEIGHT = 24, 18
Things = list[tuple[int, Staircase, bool]]  # category, area, whether a crowd


class Coco(Set):
    """Every picture shows two categories, side by side; the last of train none."""

    def __init__(self, year: str) -> None:
        super().__init__("coco")
        self.year = year
        self.values |= {"train": f"train{year}", "val": f"val{year}"}
        self.things: dict[str, Things] = {}
        self.val: set[str] = set()
        self.contents = {split: self._content(split, count) for split, count in (("train", 45), ("val", 15))}

    def _content(self, split: str, count: int) -> dict:
        rng = np.random.default_rng(count)
        images, annotations = [], []
        for number in range(count):
            plain = f"{number + 1000 * (split == 'val'):012}"
            name = f"COCO_{split}2014_{plain}.jpg" if self.year == "2014" else f"{plain}.jpg"
            path = self.root / f"{split}{self.year}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
            Image.fromarray(pixels).save(path)
            self.val |= {path.stem} if split == "val" else set()
            images.append({"id": 7 * number, "file_name": name, "width": WIDTH, "height": HEIGHT})
            empty = split == "train" and number == count - 1
            for side in () if empty else (0, 1):
                kind, thing = IDS[(2 * number + side) % 80], _thing(rng, side * WIDTH // 2)
                drawn = _drawn(thing, len(annotations) % 3)
                entry = {"id": len(annotations), "image_id": 7 * number, "category_id": kind, **drawn}
                annotations.append(entry)
                self.things.setdefault(path.stem, []).append((kind, thing, drawn["iscrowd"] == 1))
        kinds = [{"id": number, "name": f"class {number}", "supercategory": "x"} for number in reversed(IDS)]
        return {"info": {}, "images": images, "annotations": annotations, "categories": kinds}

    def _folder(self) -> None:
        """What Set.run writes of a source that is not VOC's."""
        (self.root / "annotations").mkdir(exist_ok=True)
        for split, content in self.contents.items():
            path = self.root / f"annotations/instances_{split}{self.year}.json"
            path.write_text(json.dumps(content))


def _thing(rng: np.random.Generator, left: int) -> Staircase:
    rows = [(left + int(rng.integers(0, 5)), left + int(rng.integers(6, 12))) for _ in range(9)]
    return Staircase("", int(rng.integers(0, 9)), tuple(rows))


def _drawn(thing: Staircase, kind: int) -> dict:
    counts = run_lengths(thing.mask(WIDTH, HEIGHT).T.ravel())
    ring = [side for spot in thing.outline() for side in spot]
    size = [HEIGHT, WIDTH]
    runs = [{"size": size, "counts": compressed(counts)}, {"size": size, "counts": counts}]
    return {"segmentation": [[ring], *runs][kind], "iscrowd": int(kind == 2), "bbox": [0, 0, 1, 1]}


@pytest.fixture(params=["2014", "2017"])
def coco(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Coco:
    monkeypatch.chdir(tmp_path)
    return Coco(request.param)


def test_labels_and_masks_are_those_of_the_instances(coco) -> None:
    said = coco.run(truth="required")
    assert "45 train and 15 val pictures (1 and 0 without a class), 80 classes, 60 masks" in said
    classes = read_json(Path("data/dataset/classes.json"))
    assert classes == ["background", *(f"class {number}" for number in IDS)]
    lines = Path("data/dataset/index.csv").read_text().splitlines()[1:]
    assert len(lines) == 60
    for line in lines:
        identifier, _, split, _, _, labels, _ = line.split(",")
        things = coco.things.get(identifier, [])
        assert set(filter(None, labels.split(";"))) == {f"class {kind}" for kind, _, _ in things}
        assert split == ("val" if identifier in coco.val else "train")
        expected = np.zeros((HEIGHT, WIDTH), np.uint8)
        for kind, thing, crowd in things:
            expected[thing.mask(WIDTH, HEIGHT)] = 255 if crowd else IDS.index(kind) + 1
        assert np.array_equal(read_mask(Path(f"data/masks/{identifier}.png")), expected)
    assert len(coco.things) == 59 and any(crowd for things in coco.things.values() for *_, crowd in things)


def test_without_truth_no_mask_is_drawn(coco) -> None:
    assert "no truth" in coco.run(truth="none")
    assert [path.name for path in Path("data/masks").glob("*.png")] == []


def test_pictures_below_images(coco) -> None:
    (coco.root / "images").mkdir()
    for split in ("train", "val"):
        folder = f"{split}{coco.year}"
        (coco.root / folder).rename(coco.root / "images" / folder)
    assert "60 masks" in coco.run(truth="required")


def test_what_is_refused(coco) -> None:
    images, annotations = coco.contents["train"]["images"], coco.contents["train"]["annotations"]
    annotations[1]["segmentation"]["size"] = [9, 9]
    annotations[3]["category_id"] = 12
    images[10]["width"] = 99
    images[20]["file_name"] = "gone.jpg"
    images[21]["file_name"] = "../x.jpg"
    said = refused(coco, "annotation 1: its RLE is of 9x9 pixels, not 24x18", truth="required")
    for text in (
        "annotation 3: is of category 12, which the list of categories lacks",
        "annotations are of a picture of 99x18, it is 24x18",
        "gone.jpg: is missing",
        "lies outside: '../x.jpg'",
    ):
        assert text in said, said


def test_other_splits_and_categories(coco) -> None:
    assert f"there are the splits train{coco.year}, val{coco.year}" in refused(coco, "is missing", val="v")
    coco.contents["val"]["categories"].pop()
    refused(coco, "its categories differ from those of instances_train")
