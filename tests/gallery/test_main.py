"""The step on three tiny pictures, of which one has no mask."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.artifacts import csv_text, mask_bytes, npz_bytes, write_atomic, write_json
from stages.evaluation.rungs import RUNGS
from stages.gallery import __main__ as gallery

SIZE = (12, 16)
SPLITS = {"a": "train", "b": "train", "v": "val"}
COLUMNS = ("id", "file", "split", "width", "height", "labels")
DVC = "stages: {gallery: {params: [gallery, evaluation.threshold]}}\n"
PARAMS = "evaluation: {threshold: 0.4, bins: 20}\ngallery: {pictures: 5, extremes: 1, side: 64}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(DVC)
    Path("params.yaml").write_text(PARAMS)
    for name, rung in RUNGS.items():
        scores = "a,70.00\nb,30.00\n" if rung.split == "train" else ""
        write_atomic(Path(f"reports/{name}/per_picture.csv"), f"id,miou\n{scores}")
    write_json(Path("data/dataset/classes.json"), ["background", "cat"])
    rows = [(name, f"{name}.png", split, SIZE[1], SIZE[0], "cat") for name, split in SPLITS.items()]
    write_atomic(Path("data/dataset/index.csv"), csv_text([COLUMNS, *rows]))
    Path("data/dataset/images").mkdir()
    for identifier, split in SPLITS.items():
        Image.new("RGB", SIZE[::-1], "gray").save(f"data/dataset/images/{identifier}.png")
        if split == "train":
            write_atomic(Path(f"data/masks/{identifier}.png"), mask_bytes(np.eye(*SIZE)))
        maps = npz_bytes(maps=np.full((1, 3, 4), 0.5, np.float16), classes=np.array([1]), size=np.array(SIZE))
        for rung in RUNGS.values():
            write_atomic(rung.file(identifier), maps if rung.maps else mask_bytes(np.zeros(SIZE)))
    return tmp_path


def _index() -> dict[str, dict[str, str]]:
    with Path("reports/gallery/index.csv").open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_every_rung_of_a_picture_s_split_is_there(project: Path) -> None:
    assert gallery.main() == "gallery: 3 pictures at 4 rungs"
    rows = _index()
    assert [row["chosen"] for row in rows.values()] == ["sample", "sample;worst", "sample"]
    assert (rows["a"]["width"], rows["a"]["height"], rows["a"]["labels"]) == ("16", "12", "cat")
    assert (rows["a"]["crf"], rows["a"]["predictions"], rows["v"]["predictions"]) == ("70.00", "", "")
    files = {name: {file.name for file in Path(f"reports/gallery/{name}").iterdir()} for name in rows}
    train = ("seeds", "crf", "pseudo_labels")
    scored = [f"{rung}.{view}.webp" for rung in train for view in ("labels", "errors")]
    assert files["a"] == {"picture.webp", "truth.webp", *scored}
    assert files["v"] == {"picture.webp", "predictions.labels.webp"}


def test_same_inputs_same_bytes(project: Path) -> None:
    contents = []
    for _ in range(2):
        gallery.main()
        contents.append({file: file.read_bytes() for file in Path("reports/gallery").rglob("*.*")})
    assert contents[0] == contents[1] and len(contents[0]) == 1 + 2 * 8 + 2


def test_without_any_truth_there_are_labels_only(project: Path) -> None:
    for name in RUNGS:
        write_atomic(Path(f"reports/{name}/per_picture.csv"), "id,miou\n")
    shutil.rmtree("data/masks")
    gallery.main()
    assert list(_index()) == ["a", "b", "v"]
    assert not list(Path("reports/gallery").rglob("*.errors.webp"))


def test_a_missing_result_leaves_the_old_gallery(project: Path) -> None:
    gallery.main()
    before = Path("reports/gallery/index.csv").read_bytes()
    Path("data/pseudo_labels/b.png").unlink()
    with pytest.raises(OSError, match=r"data/pseudo_labels/b\.png"):
        gallery.main()
    assert Path("reports/gallery/index.csv").read_bytes() == before
