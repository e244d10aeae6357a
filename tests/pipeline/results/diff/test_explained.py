"""The explanation metrics of two runs made by hand: what is better may be high or low."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.results import noise
from pipeline.results.diff import comparison, tables
from pipeline.results.diff import text as in_words
from tests import browser
from tests.pipeline import made_runs, stub
from tests.pipeline.made_runs import PARAMS, Runs, entry

OLD = {"average_drop": 5.0, "average_retention": 82.5, "f1_plus": 85.0, "micro_average_drop": 6.0}
NEW = {"average_drop": 7.5, "average_retention": 84.0, "f1_plus": 85.0, "micro_average_drop": 6.25}
CAT, DOG = ("cat", 10, 8, "30.00"), ("dog", 5, 5, "20.00")
LINES = {
    "old": [(*CAT, "5.00", "80.00", "", "", "", ""), (*DOG, "5.00", "85.00", "70.00", "2.00", "85.00", "")],
    "new": [(*CAT, "11.00", "82.00", "", "", "", ""), (*DOG, "4.00", "86.00", "70.00", "2.00", "85.00", "")],
}


def recipe(runs: Runs, seeds: str) -> None:
    """Seeds, and a rung without a number: nobody has drawn a mask."""
    stages = {
        "seeds": entry({"data/dataset": "d", "data/classifier": seeds}, None, {"data/seeds": seeds}),
        "evaluation@seeds": entry({"data/seeds": seeds}, None, {"reports/seeds/metrics.json": ""}),
    }
    made_runs.lock(runs, stages)
    made_runs.score(runs, "seeds", images=0)


def run(runs: Runs, numbers: dict[str, float], lines: str, seeds: str) -> None:
    recipe(runs, seeds)
    counts = {"images": 9, "pairs": 15, "pairs_with_others": 13}
    made_runs.explain(runs, numbers | counts, LINES[lines], seeds)
    runs.commit()


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    made = made_runs.make(tmp_path / "project")
    run(made, OLD, "old", "s0")
    run(made, NEW, "new", "s1")
    return made


def cells(grid: tables.Grid) -> list[list[tuple[str, str]]]:
    return [[(cell.text, cell.tone) for cell in row] for row in grid.rows]


def test_a_change_is_good_towards_the_better_end(runs: Runs) -> None:
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    assert found.notes == () and found.ladder == () and not found.is_empty
    grid = tables.explanation(found)
    assert grid.header == (
        "explanation metric", "better", "mean of classes, HEAD~1", "HEAD", "change", "all pairs"
    )  # fmt: skip
    assert cells(grid) == [
        [("Average Drop (AD)", ""), ("low", "quiet"), ("5.00", ""), ("7.50", ""), ("+2.50", "bad"),
         ("+0.25", "bad")],
        [("Average Retention (AR)", ""), ("high", "quiet"), ("82.50", ""), ("84.00", ""), ("+1.50", "good"),
         ("", "")],
        [("F1+", ""), ("high", "quiet"), ("85.00", ""), ("85.00", ""), ("0.00", "quiet"), ("", "")],
    ]  # fmt: skip


def test_classes_come_by_the_size_of_their_change(runs: Runs) -> None:
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    rows = cells(tables.explained_classes(found))
    assert [(row[0][0], row[1][0], row[5]) for row in rows] == [
        ("cat", "AD", ("+6.00", "bad")),
        ("cat", "AR", ("+2.00", "good")),
        ("dog", "AD", ("-1.00", "good")),
        ("dog", "AR", ("+1.00", "good")),
    ]
    short = tables.explained_classes(found, 1)
    assert len(short.rows) == 1 and short.left_out == 3


def test_the_words_say_it_too(runs: Runs) -> None:
    text = stub.wsss(runs, "diff", "HEAD~1", "HEAD").stdout
    (row,) = (line.split() for line in text.splitlines() if line.startswith("Average Drop "))
    assert row == ["Average", "Drop", "(AD)", "low", "5.00", "7.50", "+2.50", "+0.25"]
    assert noise.RULES[noise.ONE_EACH][:40] in text
    marked = in_words.markdown(comparison.make(runs.root, "HEAD~1", "HEAD"))
    assert "| Average Drop (AD) | low | 5.00 | 7.50 | **+2.50** | **+0.25** |\n" in marked
    assert "<summary>Explanation metrics that changed most</summary>" in marked
    values = json.loads(stub.wsss(runs, "diff", "HEAD~1", "HEAD", "--json").stdout)
    first, second = values["explanation"][:2]
    assert (first["mean"], first["metric"], first["better"]) == ("mean of classes", "average_drop", "low")
    assert (second["mean"], second["change"]) == ("all pairs", 0.25)
    best = values["explained"][0]
    assert [best[key] for key in ("metric", "class", "a", "b")] == ["average_drop", "cat", 5.0, 11.0]


def test_equal_metrics_are_no_difference(runs: Runs) -> None:
    assert comparison.make(runs.root, "HEAD", "HEAD").is_empty
    run(runs, NEW, "new", "s1")
    assert comparison.make(runs.root, "HEAD~1", "HEAD").is_empty


def test_metrics_of_one_side_and_of_others_seeds_are_said(runs: Runs) -> None:
    recipe(runs, "s1")
    runs.commit()
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    assert "only HEAD~1 has explanation metrics" in found.notes and found.explanation == ()
    made_runs.explain(runs, NEW | {"images": 9}, LINES["new"], "s0")  # of the seeds before
    found = comparison.make(runs.root, "HEAD~1", "workspace")
    (why, only) = (note for note in found.notes if "explanation" in note)
    assert (
        why.startswith("workspace: the explanation metrics are stale") and "data/seeds was made anew" in why
    )
    assert only == "only HEAD~1 has explanation metrics" and found.explanation == found.explained == ()


def test_a_table_that_cannot_be_had_is_said_and_the_means_are_compared(runs: Runs) -> None:
    value = "reports/explanation/per_class.csv"
    for entry_ in (runs.root / ".dvc/cache/files/md5").rglob("*"):
        if entry_.is_file() and b"cat,10" in entry_.read_bytes():
            entry_.unlink()
    (runs.root / value).unlink()
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    assert len(found.explanation) == 4 and found.explained == ()
    assert found.notes[0].startswith("HEAD~1 has no explanation metrics by class (the cache lacks it")


def test_points_are_paired_by_seed(runs: Runs) -> None:
    for name, drops in {"p-01": (5.0, 6.0, 7.0), "p-02": (3.0, 4.0, 5.5)}.items():
        for seed, drop in enumerate(drops):
            text = PARAMS.replace("0.1, seed: 0", f"0.1, seed: {seed}")
            runs.write("params.yaml", text.replace("{seed: 0, epochs", f"{{seed: {seed}, epochs"))
            run(runs, {"average_drop": drop}, "old", f"{name}{seed}")
            runs.run("git", "branch", f"wsss/run/{name}-s{seed}")
    (number,) = comparison.make(runs.root, "p-01", "p-02").explanation
    assert (number.value.rule, number.value.a, number.high) == (noise.PAIRED, 6.0, False)
    assert number.value.verdict == noise.BEYOND and tables.tone(number) == tables.GOOD  # it fell


@pytest.mark.parametrize("width", [1240, 390])
def test_the_page_of_the_diff_has_both_tables(runs: Runs, tmp_path: Path, page: Any, width: int) -> None:
    stub.wsss(runs, "diff", "HEAD~1", "HEAD", "--html", str(tmp_path / "diff.html"))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((tmp_path / "diff.html").as_uri())
    heads = [head.inner_text() for head in page.locator("h2").all()]
    assert heads[-1] == "How well the maps explain the classifier"
    first = page.locator("table", has_text="all pairs").locator("tbody tr").first
    assert first.locator("td.bad").all_inner_texts() == ["+2.50", "+0.25"]
    assert page.locator("table.sortable td.good").all_inner_texts() == ["+2.00", "-1.00", "+1.00"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    browser.keep(page, f"diff-{width}")
