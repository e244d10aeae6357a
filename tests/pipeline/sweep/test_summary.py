"""The tables and the page of a sweep, from an outcome made by hand."""

import csv
import dataclasses
import io
import re

import pytest

from pipeline.sweep import page, summary
from tests import browser
from tests.pipeline.sweep.conftest import outcome

KEYS = ("seeds.method", "walk.beta")
FOUND = {
    ("cam", 4): {"seeds": [40.0, 42.0], "walk": [60.0, 61.0]},
    ("cam", 8): {"seeds": [40.0, 42.0], "walk": [None, 63.0]},
    ("a,b", 4): {"seeds": [50.0, 51.0], "walk": [62.0, 65.0]},
    ("a,b", 8): {"seeds": [50.0, 51.0], "walk": [65.0, 69.0]},
}


def test_a_row_per_run(tmp_path):
    summary.write(tmp_path, outcome(FOUND, KEYS, 2))
    text = (tmp_path / "reports/sweeps/s/points.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [
        "run", "point", "seed", "seeds.method", "walk.beta", "seeds.miou", "walk.miou", "minutes", "ran",
        "restored", "outcome", "why",
    ]  # fmt: skip
    assert [row["run"] for row in rows] == [f"s-0{n}-s{seed}" for n in (1, 2, 3, 4) for seed in (0, 1)]
    assert list(rows[5].values()) == [
        "s-03-s1", "s-03", "1", '"a,b"', "4", "51.00", "65.00", "1.50", "3", "2", "finished", ""
    ]  # fmt: skip
    assert [rows[2][key] for key in ("walk.miou", "outcome", "why")] == [
        "",
        "failed",
        "seeds failed: no luck",
    ]


def test_a_row_per_point():
    """60, 61: mean 60.5, sd 0.7071. 65, 69: mean 67, sd 2.8284. The best of the whole points in bold."""
    lines = summary.to_markdown(outcome(FOUND, KEYS, 2)).splitlines()
    assert lines[2].startswith(
        "4 points x 2 seeds at commit 0123456789: 7 of 8 runs finished, 24 stages computed and"
    )
    assert lines[4] == "| point | seeds.method | walk.beta | seeds | walk | minutes | runs |"
    assert lines[6] == "| s-01 | cam | 4 | 41.00 ± 1.41 | 60.50 ± 0.71 | 3.0 | finished |"
    assert lines[7] == "| s-02 | cam | 8 | 42.00 | 63.00 | 3.0 | 1 of 2 finished, others failed |"
    assert lines[8] == '| s-03 | "a,b" | 4 | **50.50 ± 0.71** | 63.50 ± 2.12 | 3.0 | finished |'
    assert lines[9] == '| s-04 | "a,b" | 8 | **50.50 ± 0.71** | **67.00 ± 2.83** | 3.0 | finished |'


def test_the_command_that_makes_a_point_anew():
    found = outcome(FOUND, KEYS, 2)
    assert summary.again(found.sweep, found.points[2]) == (
        "wsss sweep 'seeds.method=\"a,b\"' 'walk.beta=4' --seeds 2 --revision 0123456789 --name s-03-again"
    )
    short = dataclasses.replace(found.sweep, to=("seeds", "walk"))
    assert " --seeds 2 --to seeds --to walk --revision 0123456789 " in summary.again(short, found.points[2])


def test_short_names_where_they_differ():
    assert summary.short(["seeds.method", "walk.beta"]) == ["method", "beta"]
    assert summary.short(["a.value", "b.value"]) == ["a.value", "b.value"]


def words(html: str) -> str:
    """What the page says, without its drawings."""
    html = re.sub(r"<(svg|style|script).*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html))


def test_the_page_says_each_claim_with_its_command():
    html = page.render(outcome(FOUND, KEYS, 2))
    text = words(html)
    # beta 8 against 4, of method "a,b" alone, the other setting lacks a run: walk 67 - 63.5
    assert "Over 1 of 2 settings of the other parameters" in text
    assert "8 50.50 equal 67.00 +3.50 noise wsss diff s-03 s-04" in text
    assert "walk s-04 67.00 ± 2.83 method &#34;a,b&#34;, beta 8 +3.50 noise wsss diff s-03 s-04" in text
    for n in (1, 2, 3, 4):
        assert f"--name s-0{n}-again" in text
    assert html.count("<svg") == 3  # beta moves one rung, the method both
    assert "The same at every value: seeds." in text
    assert "seeds failed: no luck" in text
    assert not re.search(r'(src|href)="(?!data:|#)', html)


def test_a_rung_that_a_point_lacks_is_not_called_the_same() -> None:
    found = outcome(
        {("cam", 4): {"seeds": [40.0], "walk": [60.0]}, ("a", 4): {"seeds": [41.0], "walk": [61.0]}},
        KEYS,
        None,
    )
    row = found.points[1].rows[0]
    found.points[1].rows[0] = dataclasses.replace(row, miou={"seeds": 41.0})
    assert "The same at every value" not in page.render(found)
    found.points[1].rows[0] = dataclasses.replace(row, miou={"seeds": 41.0, "walk": 60.0})
    assert "The same at every value: walk" in page.render(found)


def test_the_page_of_a_single_point_and_of_nothing_finished():
    html = page.render(outcome({("cam", 4): {"seeds": [None]}}, KEYS, None))
    text = words(html)
    assert "A single point: nothing varies." in text and "No point has all its runs finished." in text
    assert text.count("wsss diff") == 1  # with itself made anew


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (400, "dark")])
def test_the_page_in_a_browser(tmp_path, width, scheme):
    """It says nothing to the console, asks nobody, fits its window, and sorts by a click."""
    file = tmp_path / "index.html"
    file.write_text(page.render(outcome(FOUND, KEYS, 2)))
    with browser.opened() as window:
        said = browser.look(window, file, width, scheme)
        assert window.evaluate("document.documentElement.scrollWidth") == width
        points = window.locator("table.sortable").first
        points.locator("th", has_text="walk").click()
        assert points.locator("tbody td:first-child").all_inner_texts() == ["s-04", "s-03", "s-02", "s-01"]
        points.locator("th", has_text="walk").click()
        assert points.locator("tbody td:first-child").all_inner_texts() == ["s-01", "s-02", "s-03", "s-04"]
        assert window.locator("svg").count() == 3
        assert all(drawing.bounding_box()["width"] > 200 for drawing in window.locator("svg").all())
        browser.keep(window, f"sweep-{width}-{scheme}")
    assert said == []


def test_explanation_metrics_have_a_table_of_their_own(tmp_path, capsys):
    """Of the runs that have them: 5 and 7, mean 6, sd 1.41; a run that failed has none."""
    found = outcome(FOUND, KEYS, 2)
    for n, point in enumerate(found.points):
        for seed, row in enumerate(point.rows):
            if row.miou:
                numbers = {"f1_plus": 80.0 + n, "average_drop": 5.0 + 2 * seed}
                point.rows[seed] = dataclasses.replace(row, explained=numbers)
    lines = summary.to_markdown(found).splitlines()
    assert lines[11] == summary.EXPLAINED
    assert lines[13] == "| point | method | beta | AD (low) | F1+ (high) |"
    assert lines[15] == "| s-01 | cam | 4 | 6.00 ± 1.41 | 80.00 ± 0.00 |"
    assert lines[16] == "| s-02 | cam | 8 | 7.00 | 81.00 |"
    assert lines[4] == "| point | seeds.method | walk.beta | seeds | walk | minutes | runs |"
    summary.write(tmp_path, found)
    rows = list(csv.DictReader((tmp_path / "reports/sweeps/s/points.csv").open()))
    assert [row["explanation.average_drop"] for row in rows] == ["5.00", "7.00", "", "7.00"] + [
        "5.00",
        "7.00",
    ] * 2
    summary.show(found, tmp_path)
    assert "AD (low)" in capsys.readouterr().out
    text = words(page.render(found))
    assert "AD (low) F1+ (high) s-01 cam 4 6.00 ± 1.41 80.00 ± 0.00 s-02" in text
    assert summary.EXPLAINED in text


def test_without_explanation_metrics_there_is_no_word_of_them(capsys, tmp_path):
    found = outcome(FOUND, KEYS, 2)
    summary.show(found, tmp_path)
    shown = summary.to_markdown(found) + words(page.render(found)) + capsys.readouterr().out
    assert summary.explained(found) == [] and "xplanation" not in shown and "explain" not in shown
