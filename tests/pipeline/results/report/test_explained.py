"""The page's part about the explanation metrics, of runs whose numbers were made up."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.results import explanation, scores
from pipeline.results.report import charts as drawings
from pipeline.results.report import explained
from pipeline.results.report import page as report_page
from stages.explanation.names import BETTER, METRICS
from tests import browser
from tests.pipeline import made_runs
from tests.pipeline.made_runs import Runs

MEANS = dict(zip(METRICS, (26.71, 5.02, 82.54, 88.61, 2.04, 85.43, 2.87), strict=True))
MICRO = {f"micro_{key}": value + 1 for key, value in MEANS.items()}
NUMBERS = {**MEANS, **MICRO, "images": 600, "pairs": 1107, "pairs_with_others": 912}
CLASSES = [
    ("striped disc", 190, 151, "31.05", "4.11", "85.20", "90.04", "1.72", "87.55", "2.43"),
    ("dotted square", 187, 160, "12.30", "9.87", "70.92", "85.15", "3.35", "77.39", "5.00"),
    ("chequered ring", 201, 0, "25.44", "3.07", "88.10", "", "", "", ""),
    ("plain <b>cross", 0, 0, *[""] * 7),
    ("waves", 176, 149, "38.05", "2.03", "86.24", "91.37", "1.05", "88.73", "1.38"),
]


def explain(runs: Runs, numbers: dict[str, Any] | None = None, rows: list[Any] | None = None) -> None:
    made_runs.explain(runs, numbers or NUMBERS, CLASSES if rows is None else rows)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return made_runs.unmasked(tmp_path / "project", "explanation", "seeds")


def part(runs: Runs) -> dict[str, Any]:
    return explained.part(scores.workspace(runs.root))


def test_the_part_has_means_classes_and_what_is_better(runs: Runs) -> None:
    explain(runs)
    found = part(runs)
    assert found["means"]["f1_plus"] == "85.43" and found["micro"]["average_drop"] == "6.02"
    assert [row["class"] for row in found["rows"]] == [
        "dotted square", "striped disc", "waves", "chequered ring", "plain <b>cross",
    ]  # fmt: skip
    assert {one["key"]: one["better"] for one in found["metrics"]} == BETTER
    assert found["counts"] == {"images": 600, "pairs": 1107, "pairs_with_others": 912}


def test_a_recipe_that_does_without_has_no_part(runs: Runs) -> None:
    text = (runs.root / "params.yaml").read_text()
    assert part(runs) == {"why_not": "not run: `wsss run explanation`"}
    values = YAML(typ="safe").load(text)
    values["explanation"]["of"] = []
    YAML().dump(values, runs.root / "params.yaml")
    assert part(runs) == {}
    assert "explanation" not in report_page.write(runs.root).read_text().split("</style>")[1].lower()


def test_numbers_that_are_not_the_run_s_are_not_shown(runs: Runs) -> None:
    explain(runs)
    lock = YAML(typ="safe").load(runs.root / "dvc.lock")["stages"]
    lock["seeds"]["outs"][0]["md5"] = "s1"  # computed again
    made_runs.lock(runs, lock)
    found = part(runs)
    assert found.keys() == {"why_not"} and "data/seeds was made anew" in found["why_not"]
    text = report_page.write(runs.root).read_text()
    assert "data/seeds was made anew" in text and "82.54" not in text


def test_a_set_where_every_picture_has_one_class(runs: Runs) -> None:
    """Nothing is known of others: their cells are empty, the drawing has the three metrics that are known."""
    alone = {key: value for key, value in NUMBERS.items() if "others" not in key and "f1" not in key}
    explain(runs, {**alone, "pairs_with_others": 0}, [CLASSES[2]])
    found = part(runs)
    assert found["means"]["f1_plus"] == "" and found["means"]["average_drop"] == "5.02"
    assert "Average Drop<" in found["chart"] and "of Others" not in found["chart"]
    report_page.write(runs.root)


def test_nothing_to_explain_has_no_drawing(runs: Runs) -> None:
    explain(runs, {"images": 0, "pairs": 0, "pairs_with_others": 0}, [])
    assert part(runs)["chart"] == "" and part(runs)["rows"] == []
    report_page.write(runs.root)


def test_the_drawing_has_what_is_better_high_first_and_a_dot_per_class() -> None:
    axes = drawings.explanation(MEANS, {key: [value, value / 2] for key, value in MEANS.items()}).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [26.71, 82.54, 88.61, 85.43, 5.02, 2.04, 2.87]
    assert axes.lines[1].get_xdata().tolist() == [82.54, 41.27]
    texts = [text.get_text() for text in axes.texts]
    assert texts[0] == "high is better" and texts[5] == "low is better" and texts[6] == "5.02"
    low = [axes.patches[n].get_facecolor() for n in (0, 4)]
    assert low[0] != low[1]


def test_every_metric_has_words() -> None:
    assert tuple(explanation.WORDS) == METRICS
    assert all(words.says[-1].isalpha() or words.says[-1] == ")" for words in explanation.WORDS.values())


@pytest.mark.parametrize(("width", "scheme"), [(1240, "light"), (390, "dark"), (390, "light")])
def test_the_part_in_a_browser(runs: Runs, page: Any, width: int, scheme: str) -> None:
    """Also without masks; the drawing comes first, nothing is wider than the window, a header sorts."""
    explain(runs)
    written = report_page.write(runs.root)
    wrong = browser.look(page, written, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    browser.keep(page, f"explanation-{width}-{scheme}")
    drawing, table = page.locator("#explanation ~ .pair figure svg"), page.locator("table.explained")
    top = [one.bounding_box()["y"] for one in (page.locator("h2#explanation"), drawing, table)]
    assert top == sorted(top) and drawing.bounding_box()["width"] > 300
    heads = [re.sub(r"\s+", " ", text) for text in table.locator("thead th").all_inner_texts()]
    assert heads == ["class", "IC high", "AD low", "AR high", "ADO high", "ARO low", "F1+ high", "F1- low",
                     "pairs"]  # fmt: skip
    assert page.locator("nav.contents a[href='#explanation']").count() == 1
    table.locator("th", has_text="AR").first.click()
    first = table.locator("tbody td:first-child").all_inner_texts()
    assert first == ["chequered ring", "waves", "striped disc", "dotted square", "plain <b>cross"]
    assert table.locator("tfoot").inner_text().split()[:4] == ["mean", "of", "classes", "26.71"]
    words = page.locator("main").inner_text()
    assert "Average Drop alone is a trap" in words and "Average Retention (AR), high is better" in words
    assert wrong == []
