"""The page's part about few-shot segmentation, of runs whose numbers were made up."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.results import scores
from pipeline.results.report import few_shot
from pipeline.results.report import page as report_page
from stages.common.artifacts import csv_text
from tests.conftest import ROOT
from tests.pipeline import made_runs
from tests.pipeline.made_runs import Runs

NUMBERS = {
    "miou_1": 41.25, "miou_1_std": 1.5, "miou_5": 50.0, "miou_5_std": 0.25, "miou_5_average": 48.5,
    "miou_5_average_std": 2.0, "fb_iou_1": 60.0, "fb_iou_5": 66.0, "fb_iou_5_average": 65.0,
    "miou_any": 45.5, "fb_iou_any": 62.0, "fold": 0, "episodes": 600,
    "runs": 3, "images": 88, "split": "val", "classes": ["striped", "checked"],
}  # fmt: skip
ROWS = [
    ("striped <b>", 290, "38.00", "47.10", "45.00", "44.00"),
    ("checked", 310, "44.50", "52.90", "", "47.00"),
]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """The recipe that is shipped, of which the seeds are scored, and two folds that are asked for."""
    made = made_runs.make(tmp_path / "project")
    (made.root / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    ask(made, [0, 2])
    rung = made_runs.entry({"data/seeds": "s0"}, None, {"reports/rungs/seeds/metrics.json": ""})
    made_runs.lock(made, {"evaluation@seeds": rung})
    made_runs.score(made, "seeds", images=600, miou=49.25)
    return made


def ask(runs: Runs, folds: list[int]) -> None:
    path = runs.root / "params.yaml"
    values = YAML(typ="safe").load(path)
    values["few_shot"]["folds"] = folds
    YAML().dump(values, path)


def score(runs: Runs, fold: int, **changes: Any) -> None:
    """Add a stage `episodes` to dvc.lock, and write its files; the table is in the cache too."""
    folder = f"reports/few_shot/{fold}"
    header = ("class", "episodes", "iou_1", "iou_5", "iou_5_average", "iou_any")
    files = {
        f"{folder}/metrics.json": json.dumps(NUMBERS | {"fold": fold} | changes, sort_keys=True),
        f"{folder}/per_class.csv": csv_text([header, *ROWS]),
    }
    for path, text in files.items():
        runs.write(path, text)
    stages = YAML(typ="safe").load(runs.root / "dvc.lock")["stages"]
    outs = {path: runs.store(text.encode()) for path, text in files.items()}
    stages[f"episodes@{fold}"] = made_runs.entry({"data/dataset": "d0"}, None, outs)
    made_runs.lock(runs, stages)


def part(runs: Runs) -> dict[str, Any]:
    return few_shot.part(scores.workspace(runs.root))


def test_a_fold_with_its_scores_and_classes(runs: Runs) -> None:
    score(runs, 0)
    found = part(runs)
    assert found["kinds"] == ["1 shot", "5 shots", "5 shots, average", "every object"]
    assert found["vectors"] == "primary and auxiliary" and found["means"] == []
    first, other = found["folds"]
    assert other == {"fold": 2, "why_not": "not run: `wsss run episodes@2`"}
    assert (first["episodes"], first["runs"], first["images"]) == (600, 3, 88)
    assert first["rows"] == [
        {"score": "mIoU", "cells": ["41.25 ± 1.50", "50.00 ± 0.25", "48.50 ± 2.00", "45.50"]},
        {"score": "FB-IoU", "cells": ["60.00", "66.00", "65.00", "62.00"]},
    ]
    assert [row["cells"] for row in first["classes"]] == [row[2:] for row in map(list, ROWS)]
    text = report_page.write(runs.root).read_text()
    assert "striped &lt;b&gt;" in text and "41.25 ± 1.50" in text and 'href="#few-shot"' in text


def test_the_training_of_a_fold_is_drawn(runs: Runs) -> None:
    stages = YAML(typ="safe").load(runs.root / "dvc.lock")["stages"]
    made_runs.lock(runs, stages | {"few_shot@0": made_runs.entry({"data/dataset": "d0"}, None, {})})
    runs.write("data/few_shot/0/history.csv", "epoch,lr,loss,query\n1,0.1,2.5,0.5\n2,0.1,1.5,0.25\n")
    text = report_page.write(runs.root).read_text()
    assert "Few-shot network, fold 0" in text and "Few-shot network, fold 2" not in text


def test_means_over_the_folds_where_all_are_scored(runs: Runs) -> None:
    score(runs, 0)
    score(runs, 2, miou_1=42.75, miou_5=60.0, miou_5_average=58.5)
    assert part(runs)["means"] == ["42.00", "55.00", "53.50", "45.50"]


def test_a_recipe_that_does_without_has_no_part(runs: Runs) -> None:
    ask(runs, [])
    assert part(runs) == {}
    assert "few-shot" not in report_page.write(runs.root).read_text().split("</style>")[1]


def test_numbers_that_are_not_the_run_s_are_not_shown(runs: Runs) -> None:
    score(runs, 0)
    path = runs.root / "reports/few_shot/0/metrics.json"
    path.write_text(path.read_text().replace("41.25", "91.25"))
    found = part(runs)["folds"][0]
    assert found.keys() == {"fold", "why_not"} and "is not the one of dvc.lock" in found["why_not"]
    assert "91.25" not in report_page.write(runs.root).read_text()


@pytest.mark.parametrize("width", [1240, 390])
def test_the_sheet_is_no_wider_than_its_place(runs: Runs, page: Any, width: int) -> None:
    score(runs, 0)
    Image.new("RGB", (840, 300)).save(runs.root / "reports/few_shot/0/sheet.png")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(report_page.write(runs.root).as_uri())
    sheet = page.locator("img[alt^='Episodes of fold 0']")
    assert sheet.evaluate("picture => picture.naturalWidth / picture.naturalHeight") == 2.8
    assert sheet.evaluate("picture => picture.clientWidth / picture.clientHeight") == pytest.approx(2.8, 0.02)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
