"""The diagnoses of two runs made by hand: changes are told, and none is called good or bad."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.results.diff import comparison, tables
from pipeline.results.diff import text as in_words
from tests.pipeline import made_runs, stub
from tests.pipeline.made_runs import Runs, entry

COUNTS = {"images": 9, "pairs": 15, "left_out": 12.5, "accuracy": 80.0}
OLD = {
    "bias_input": 0.5,
    "bias_encoder.levels.0": -0.25,
    "accuracy_random": 60.0,
    "change_median_random": 40.0,
}
NEW = {"bias_input": 0.75, "bias_last": 0.0, "accuracy_random": 60.0, "change_median_random": 35.5}


def run(runs: Runs, numbers: dict[str, float], classifier: str) -> None:
    stages = {
        "classifier": entry({"data/dataset": classifier}, None, {"data/classifier": classifier}),
        "evaluation@seeds": entry({"data/classifier": classifier}, None, {"reports/seeds/metrics.json": ""}),
    }
    made_runs.lock(runs, stages)
    made_runs.score(runs, "seeds", images=0)
    if numbers:
        made_runs.diagnose(runs, COUNTS | numbers, [], [], classifier)
    runs.commit()


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    made = made_runs.make(tmp_path / "project")
    run(made, OLD, "c0")
    run(made, NEW, "c1")
    return made


def test_what_both_have_is_compared_without_a_better_end(runs: Runs) -> None:
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    assert found.notes == () and not found.is_empty
    grid = tables.diagnosis(found)
    assert grid.header == ("layer or method", "diagnosis", "HEAD~1", "HEAD", "change")
    assert [[(cell.text, cell.tone) for cell in row] for row in grid.rows] == [
        [("input", ""), ("bias / score, median", ""), ("0.50", ""), ("0.75", ""), ("+0.25", "")],
        [("Random", ""), ("accuracy", ""), ("60.00", ""), ("60.00", ""), ("0.00", "quiet")],
        [("Random", ""), ("change of the score, median", ""), ("40.00", ""), ("35.50", ""), ("-4.50", "")],
    ]
    assert comparison.make(runs.root, "HEAD", "HEAD").is_empty


def test_the_words_say_it_too(runs: Runs) -> None:
    text = stub.wsss(runs, "diff", "HEAD~1", "HEAD").stdout
    (row,) = (line.split() for line in text.splitlines() if line.startswith("input "))
    assert row == ["input", "bias", "/", "score,", "median", "0.50", "0.75", "+0.25"]
    marked = in_words.markdown(comparison.make(runs.root, "HEAD~1", "HEAD"))
    assert "<summary>Diagnosis of the classifier</summary>" in marked
    first = json.loads(stub.wsss(runs, "diff", "HEAD~1", "HEAD", "--json").stdout)["diagnosis"][0]
    assert (first["of"], first["number"], first["change"]) == ("input", "bias / score, median", 0.25)


def test_one_that_a_side_has_alone_or_of_another_classifier_is_said(runs: Runs) -> None:
    run(runs, {}, "c1")
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    assert "only HEAD~1 has a diagnosis" in found.notes and found.diagnosis == ()
    made_runs.diagnose(runs, COUNTS | NEW, [], [], "c0")  # of the classifier before
    why, only = (
        note for note in comparison.make(runs.root, "HEAD~1", "workspace").notes if "diagnosis" in note
    )
    assert why.startswith("workspace: the diagnosis is stale") and "data/classifier was made anew" in why
    assert only == "only HEAD~1 has a diagnosis"


@pytest.mark.parametrize("width", [1240, 390])
def test_the_page_of_the_diff_has_the_table(runs: Runs, tmp_path: Path, page: Any, width: int) -> None:
    stub.wsss(runs, "diff", "HEAD~1", "HEAD", "--html", str(tmp_path / "diff.html"))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((tmp_path / "diff.html").as_uri())
    assert page.locator("h2").all_inner_texts()[-1] == "What the classifier's scores rest on"
    assert page.locator("table", has_text="layer or method").locator("tbody tr").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width
