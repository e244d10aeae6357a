"""The step on three tiny pictures, of which one has no mask."""

import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.artifacts import csv_text, mask_bytes, npz_bytes, write_atomic, write_json
from stages.common.drawing.colours import OBJECT, colour
from stages.evaluation import tables
from stages.gallery import __main__ as gallery

SIZE = (12, 16)
SPLITS = {"a": "train", "b": "train", "v": "val"}
COLUMNS = ("id", "file", "split", "width", "height", "labels")
RUNGS = {
    "seeds": ("seeds", "train"),
    "walk": ("pseudo_labels", "train"),
    "predictions": ("predictions", "val"),
}
DVC = "stages: {gallery: {foreach: {}, do: {params: [gallery, evaluation.threshold, evaluation.rungs]}}}\n"
PARAMS = """\
evaluation: {threshold: 0.4, bins: 20, rungs: {seeds: seeds, walk: pseudo_labels, predictions: predictions}}
gallery: {pictures: 5, extremes: 1, sheet: 1, side: 64}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(DVC)
    Path("params.yaml").write_text(PARAMS)
    for name, (_, split) in RUNGS.items():
        last = "a,70.00\nb,30.00\n" if name == "walk" else "a,20.00\nb,40.00\n"
        write_atomic(Path(f"reports/rungs/{name}/per_picture.csv"), "id,miou\n" + last * (split == "train"))
        write_json(Path(f"reports/rungs/{name}/metrics.json"), {"split": split})
        table = np.array([[9, 1, 0], [2, 8, 0]]) if split == "train" else None
        write_atomic(
            Path(f"reports/rungs/{name}/confusion.csv"), tables.confusion(table, ["background", "cat"])
        )
    write_json(Path("data/dataset/classes.json"), ["background", "cat"])
    rows = [(name, f"{name}.png", split, SIZE[1], SIZE[0], "cat") for name, split in SPLITS.items()]
    write_atomic(Path("data/dataset/index.csv"), csv_text([COLUMNS, *rows]))
    Path("data/dataset/images").mkdir()
    for identifier, split in SPLITS.items():
        Image.new("RGB", SIZE[::-1], "gray").save(f"data/dataset/images/{identifier}.png")
        if split == "train":
            write_atomic(Path(f"data/masks/{identifier}.png"), mask_bytes(np.eye(*SIZE)))
        maps = npz_bytes(maps=np.full((1, 3, 4), 0.5, np.float16), classes=np.array([1]), size=np.array(SIZE))
        for folder, of in RUNGS.values():
            suffix, content = (".npz", maps) if folder == "seeds" else (".png", mask_bytes(np.zeros(SIZE)))
            if of == split:
                write_atomic(Path(f"data/{folder}/{identifier}{suffix}"), content)
    return tmp_path


def _draw(monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    monkeypatch.setattr(sys, "argv", ["gallery", name, RUNGS[name][0]])
    return gallery.main()


def _index(name: str) -> dict[str, dict[str, str]]:
    with Path(f"reports/gallery/{name}/tiles/index.csv").open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_all_rungs_of_a_split_choose_the_same_pictures(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the scores at the first and the last rung of the split: a 20 -> 70, b 40 -> 30."""
    assert _draw(monkeypatch, "seeds") == "gallery: 2 pictures of train at seeds"
    _draw(monkeypatch, "walk")
    seeds, walk = _index("seeds"), _index("walk")
    chosen = {"a": "sample;most improved", "b": "sample;worst;most damaged"}
    assert {i: row["chosen"] for i, row in seeds.items()} == chosen
    assert {i: row["chosen"] for i, row in walk.items()} == chosen
    assert (seeds["a"]["width"], seeds["a"]["height"], seeds["a"]["labels"]) == ("16", "12", "cat")
    assert [seeds["a"]["miou"], walk["a"]["miou"]] == ["20.00", "70.00"]
    files = {file.name for file in Path("reports/gallery/seeds/tiles/a").iterdir()}
    assert files == {"picture.webp", "truth.webp", "labels.webp", "errors.webp"}


def test_a_picture_without_a_truth_has_labels_only(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _draw(monkeypatch, "predictions") == "gallery: 1 pictures of val at predictions"
    assert _index("predictions")["v"]["miou"] == ""
    files = {file.name for file in Path("reports/gallery/predictions/tiles/v").iterdir()}
    assert files == {"picture.webp", "labels.webp"}


def test_same_inputs_same_bytes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = []
    for _ in range(2):
        _draw(monkeypatch, "walk")
        contents.append({file: file.read_bytes() for file in Path("reports/gallery").rglob("*.*")})
    assert contents[0] == contents[1] and len(contents[0]) == 2 + 1 + 2 * 4


def test_without_any_truth_there_are_labels_only(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RUNGS:
        write_atomic(Path(f"reports/rungs/{name}/per_picture.csv"), "id,miou\n")
    shutil.rmtree("data/masks")
    _draw(monkeypatch, "walk")
    assert list(_index("walk")) == ["a", "b"]
    assert not list(Path("reports/gallery").rglob("errors.webp"))


def test_a_missing_result_leaves_the_old_gallery(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _draw(monkeypatch, "walk")
    before = Path("reports/gallery/walk/tiles/index.csv").read_bytes()
    Path("data/pseudo_labels/b.png").unlink()
    with pytest.raises(OSError, match=r"data/pseudo_labels/b\.png"):
        _draw(monkeypatch, "walk")
    assert Path("reports/gallery/walk/tiles/index.csv").read_bytes() == before


def test_the_sheet_and_the_table_of_counts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly spaced over what is scored at the rung, maps at the fixed threshold; the counts as written."""
    shown, drawn = [], []
    monkeypatch.setattr(gallery.sheet, "sheet", lambda *given: shown.append(given) or b"")
    monkeypatch.setattr(gallery, "heat_map", lambda *given: drawn.append(given) or b"")
    _draw(monkeypatch, "seeds")
    _draw(monkeypatch, "predictions")
    (title, rows, classes), (bare, unscored, _) = shown
    assert (title, bare) == ("seeds at threshold 0.4, split train", "predictions, split val")
    assert [row.id for row in rows] == ["b"] and tuple(classes) == ("background", "cat")  # 1 of 2: the middle
    assert (rows[0].result == 1).all() and rows[0].truth.sum() == 12
    assert [row.id for row in unscored] == ["v"] and unscored[0].truth is None
    assert [title for title, _, _ in drawn] == ["seeds: confusion", "predictions: no truth"]
    assert drawn[0][1].tolist() == [[9, 1, 0], [2, 8, 0]] and not drawn[1][1].any()


def test_a_rung_of_objects_is_drawn_in_a_colour_of_no_class_and_chooses_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scores are of other classes; its truth is drawn as every rung's."""
    text = PARAMS.replace("rungs: {seeds: seeds", "rungs: {objects: saliency, seeds: seeds")
    Path("params.yaml").write_text(text)
    shutil.copytree("data/seeds", "data/saliency")
    write_json(Path("data/saliency/classes.json"), ["background", "foreground"])
    write_json(Path("reports/rungs/objects/metrics.json"), {"split": "train", "classes": "merged"})
    write_atomic(Path("reports/rungs/objects/per_picture.csv"), "id,miou\na,90.00\nb,10.00\n")
    table = np.array([[9, 1, 0], [2, 8, 0]])
    names = ["background", "foreground"]
    write_atomic(Path("reports/rungs/objects/confusion.csv"), tables.confusion(table, names))
    monkeypatch.setattr(sys, "argv", ["gallery", "objects", "saliency"])
    gallery.main()
    _draw(monkeypatch, "seeds")
    own, seeds = _index("objects"), _index("seeds")
    chosen = {"a": "sample;most improved", "b": "sample;worst;most damaged"}
    assert {i: row["chosen"] for i, row in own.items()} == chosen
    assert {i: row["chosen"] for i, row in seeds.items()} == chosen
    assert [row["miou"] for row in own.values()] == ["90.00", "10.00"]

    def tile(rung: str, name: str) -> np.ndarray:
        return np.asarray(Image.open(f"reports/gallery/{rung}/tiles/a/{name}.webp")).astype(int)

    assert np.array_equal(tile("objects", "truth"), tile("seeds", "truth"))
    grey = 0.2 * 128 + 0.8 * np.array(colour(OBJECT))  # all of the picture is object at 0.5 > 0.4
    assert np.abs(tile("objects", "labels") - grey).max() < 12
    assert np.abs(tile("seeds", "labels") - grey).max() > 50
    assert np.abs(tile("objects", "errors") - tile("seeds", "errors")).max() < 3  # one class: equal errors


def test_of_rungs_of_objects_alone_the_pictures_are_chosen_by_these(project: Path) -> None:
    write = {"objects": {"a": "1.00"}, "refined": {"a": "2.00"}}
    for name in write:
        write_json(Path(f"reports/rungs/{name}/metrics.json"), {"split": "train", "classes": "merged"})
    assert gallery._comparable(write) == write
    write_json(Path("reports/rungs/refined/metrics.json"), {"split": "train"})
    assert gallery._comparable(write) == {"refined": {"a": "2.00"}}
