"""The step on three tiny pictures, of which one has no mask."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.artifacts import csv_text, mask_bytes, npz_bytes, write_atomic, write_json
from stages.evaluation.rungs import RUNGS
from stages.report import __main__ as report
from stages.report import ladder

SCORED = {"split": "train", "miou": 41.2, "precision": 60.0, "recall": 55.5, "images": 2}
SEEDS = SCORED | {"miou_best_threshold": 43.1}
VALUES = {
    "seeds": SEEDS,
    "crf": SCORED,
    "pseudo_labels": SCORED,
    "predictions": {"split": "val", "images": 0},
}
SIZE = (12, 16)
DVC = "stages: {report: {params: [report, evaluation.threshold]}}\n"
PARAMS = "evaluation: {threshold: 0.4, bins: 20}\nreport: {pictures: 5, extremes: 1, side: 64}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(DVC)
    Path("params.yaml").write_text(PARAMS)
    for name, values in VALUES.items():
        write_json(Path(f"reports/{name}/metrics.json"), values)
        rows = "background,90.10,1\ncat,41.20,2\n" if "miou" in values else ""
        write_atomic(Path(f"reports/{name}/per_class.csv"), f"class,iou,pixels\n{rows}")
        scores = "a,70.00\nb,30.00\n" if "miou" in values else ""
        write_atomic(Path(f"reports/{name}/per_picture.csv"), f"id,miou\n{scores}")
    write_json(Path("data/dataset/classes.json"), ["background", "cat"])
    index = [
        (i, f"{i}.png", split, SIZE[1], SIZE[0], "cat")
        for i, split in (("a", "train"), ("b", "train"), ("v", "val"))
    ]
    write_atomic(
        Path("data/dataset/index.csv"),
        csv_text([("id", "file", "split", "width", "height", "labels"), *index]),
    )
    Path("data/dataset/images").mkdir()
    for identifier, _, split, *_ in index:
        Image.new("RGB", SIZE[::-1], "gray").save(f"data/dataset/images/{identifier}.png")
        if split == "train":
            write_atomic(Path(f"data/masks/{identifier}.png"), mask_bytes(np.eye(*SIZE)))
        maps = npz_bytes(maps=np.full((1, 3, 4), 0.5, np.float16), classes=np.array([1]), size=np.array(SIZE))
        for rung in RUNGS.values():
            write_atomic(rung.file(identifier), maps if rung.maps else mask_bytes(np.zeros(SIZE)))
    return tmp_path


def _rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_step_writes_all_tables(project: Path) -> None:
    assert report.main() == "report: mIoU seeds 41.20, crf 41.20, pseudo_labels 41.20 %"
    assert [row["rung"] for row in _rows("reports/ladder.csv")] == list(RUNGS)
    assert len(Path("reports/ladder.md").read_text().splitlines()) == 2 + len(RUNGS)
    assert json.loads(Path("reports/metrics.json").read_text()) == ladder.headline(VALUES)
    assert Path("reports/per_class.csv").read_text() == (
        "class,seeds,crf,pseudo_labels,predictions\n"
        "background,90.10,90.10,90.10,\n"
        "cat,41.20,41.20,41.20,\n"
    )  # fmt: skip


def test_the_gallery_has_every_rung_of_a_picture_s_split(project: Path) -> None:
    report.main()
    rows = {row["id"]: row for row in _rows("reports/gallery/index.csv")}
    assert {name: row["chosen"] for name, row in rows.items()} == {
        "a": "sample",
        "b": "sample;worst",
        "v": "sample",
    }
    assert (rows["a"]["width"], rows["a"]["height"], rows["a"]["labels"]) == ("16", "12", "cat")
    assert (rows["a"]["crf"], rows["a"]["predictions"], rows["v"]["predictions"]) == ("70.00", "", "")
    files = {name: {file.name for file in Path(f"reports/gallery/{name}").iterdir()} for name in rows}
    scored = [
        f"{rung}.{view}.webp" for rung in ("seeds", "crf", "pseudo_labels") for view in ("labels", "errors")
    ]
    assert files["a"] == {"picture.webp", "truth.webp", *scored}
    assert files["v"] == {"picture.webp", "predictions.labels.webp"}


def test_same_inputs_same_bytes(project: Path) -> None:
    contents = []
    for _ in range(2):
        report.main()
        files = [*Path("reports").glob("*.*"), *Path("reports/gallery").rglob("*.*")]
        contents.append({file: file.read_bytes() for file in files})
    assert contents[0] == contents[1] and len(contents[0]) == 4 + 1 + 2 * 8 + 2


def test_without_any_truth_the_ladder_is_empty_but_there(project: Path) -> None:
    for name, values in VALUES.items():
        write_json(Path(f"reports/{name}/metrics.json"), {"split": values["split"], "images": 0})
        write_atomic(Path(f"reports/{name}/per_picture.csv"), "id,miou\n")
    shutil.rmtree("data/masks")
    assert "no truth" in report.main()
    assert Path("reports/ladder.csv").read_text().count("\n") == 1 + len(RUNGS)
    assert len(_rows("reports/gallery/index.csv")) == 3


def test_a_missing_rung_is_an_error(project: Path) -> None:
    Path("reports/crf/metrics.json").unlink()
    with pytest.raises(ValueError, match="evaluation@crf"):
        report.main()


def test_a_missing_result_leaves_the_old_gallery(project: Path) -> None:
    report.main()
    before = Path("reports/gallery/index.csv").read_bytes()
    Path("data/pseudo_labels/b.png").unlink()
    with pytest.raises(OSError, match=r"data/pseudo_labels/b\.png"):
        report.main()
    assert Path("reports/gallery/index.csv").read_bytes() == before
