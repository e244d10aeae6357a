import csv
import json
from pathlib import Path

import pytest

from stages.common.artifacts import write_atomic, write_json
from stages.report import __main__ as report
from stages.report import ladder

SCORED = {
    "split": "train",
    "miou": 41.2,
    "precision": 60.0,
    "recall": 55.555,
    "images": 480,
    "iou": {"cat": 41.2},
}
SEEDS = SCORED | {"miou_best_threshold": 43.1, "threshold": 0.25, "best_threshold": 0.31}
NO_TRUTH = {"split": "val", "images": 0}
CRF, PSEUDO = SCORED | {"miou": 44.25, "images": 479}, SCORED | {"miou": 48.0, "precision": 61.5}
RUNGS = {"seeds": SEEDS, "crf": CRF, "pseudo_labels": PSEUDO, "predictions": NO_TRUTH}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = ", ".join(f"{name}: {name}" for name in RUNGS)
    Path("params.yaml").write_text(f"evaluation: {{threshold: 0.3, rungs: {{{named}}}}}\n")
    for name, values in RUNGS.items():
        write_json(Path(f"reports/rungs/{name}/metrics.json"), values)
        miou = values.get("miou", 0)
        rows = "" if values is NO_TRUTH else f"background,{miou + 40:.2f},1\ncat,{miou:.2f},2\n"
        write_atomic(Path(f"reports/rungs/{name}/per_class.csv"), f"class,iou,pixels\n{rows}")


def test_columns_and_cells():
    assert ladder.rows(RUNGS) == [
        ("rung", "split", "miou", "miou_best_threshold", "precision", "recall", "images"),
        ("seeds", "train", "41.20", "43.10", "60.00", "55.55", "480"),
        ("crf", "train", "44.25", "", "60.00", "55.55", "479"),
        ("pseudo_labels", "train", "48.00", "", "61.50", "55.55", "480"),
        ("predictions", "val", "", "", "", "", "0"),
    ]


def test_headline_is_flat_and_holds_numbers_only():
    numbers = ladder.headline(RUNGS)
    assert numbers["seeds.miou_best_threshold"] == 43.1
    assert "crf.miou_best_threshold" not in numbers
    assert [key for key in numbers if key.startswith("predictions")] == ["predictions.images"]
    assert all(isinstance(value, int | float) for value in numbers.values())


def test_markdown_is_aligned():
    text = ladder.markdown([("rung", "miou"), ("pseudo_labels", "9.10"), ("crf", "")], text_columns=1)
    assert text == (
        "| rung          | miou |\n"
        "| ------------- | ---: |\n"
        "| pseudo_labels | 9.10 |\n"
        "| crf           |      |\n"
    )  # fmt: skip


def test_the_step_writes_all_tables(project):
    assert report.main() == "report: mIoU seeds 41.20, crf 44.25, pseudo_labels 48.00 %"
    with Path("reports/ladder.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rung"] for row in rows] == list(RUNGS)
    assert len(Path("reports/ladder.md").read_text().splitlines()) == 2 + len(RUNGS)
    assert json.loads(Path("reports/metrics.json").read_text()) == ladder.headline(RUNGS)
    assert Path("reports/per_class.csv").read_text() == (
        "class,seeds,crf,pseudo_labels,predictions\n"
        "background,81.20,84.25,88.00,\n"
        "cat,41.20,44.25,48.00,\n"
    )  # fmt: skip


def test_same_inputs_same_bytes(project):
    contents = []
    for _ in range(2):
        report.main()
        contents.append([file.read_bytes() for file in sorted(Path("reports").glob("*.*"))])
    assert contents[0] == contents[1]
    assert len(contents[0]) == 4


def test_without_any_truth_the_ladder_is_empty_but_there(project):
    for name in RUNGS:
        write_json(Path(f"reports/rungs/{name}/metrics.json"), NO_TRUTH)
    assert "no truth" in report.main()
    assert Path("reports/ladder.csv").read_text().count("\n") == 1 + len(RUNGS)


def test_a_missing_rung_is_an_error(project):
    Path("reports/rungs/crf/metrics.json").unlink()
    with pytest.raises(ValueError, match="evaluation@crf"):
        report.main()


def test_rungs_that_the_recipe_does_not_name_are_left_out(project):
    """As those of an earlier recipe, whose reports still lie there."""
    Path("params.yaml").write_text(
        "evaluation: {rungs: {predictions: predictions, crf: affinity_labels/crf}}\n"
    )
    report.main()
    rows = Path("reports/ladder.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["predictions", "crf"]  # in the order of params.yaml
