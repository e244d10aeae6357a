"""The bubble plot of a sweep: CHEN's own numbers, and outcomes made by hand."""

import dataclasses
from pathlib import Path

import pytest

from pipeline.sweep import bubbles, page
from pipeline.sweep.definition import Sweep
from pipeline.sweep.outcome import Seeds, read
from tests import browser
from tests.pipeline import made_runs
from tests.pipeline.made_runs import entry
from tests.pipeline.sweep.conftest import outcome
from tests.pipeline.sweep.test_summary import words

# CHEN, Table 4.3: layer, k, accuracy, area ratio, mIoU of DeepLab-v2
CHEN = (("conv4", 0.1, 74.5, 60.0, 29.1), ("conv4", 0.2, 76.9, 53.2, 27.9), ("conv5", 0.1, 79.4, 67.1, 38.8),
        ("conv5", 0.2, 81.6, 60.0, 35.9), ("last", 0.1, 78.5, 73.2, 39.6), ("last", 0.15, 80.6, 68.4, 38.5),
        ("last", 0.2, 82.1, 64.8, 37.1), ("last", 0.25, 83.2, 61.9, 35.6))  # fmt: skip
KEYS = ("seeds.layer", "pseudo_labels.seed_rule.k")


def swept(rows=CHEN, seeds=None):
    """An outcome whose rung `labels` leaves pixels unknown."""
    runs = 1 if seeds is None else seeds
    found = outcome(
        {row[:2]: {"labels": [50.0] * runs, "predictions": [row[4]] * runs} for row in rows}, KEYS, seeds
    )
    for point, (_, _, accuracy, area, _) in zip(found.points, rows, strict=True):
        own = {"labels": Seeds(area, area * accuracy / 100)}
        point.rows[:] = [dataclasses.replace(row, seeds=own) for row in point.rows]
    return dataclasses.replace(found, predictions="predictions")


def test_chens_table_says_what_he_says() -> None:
    """mIoU goes with what is labelled rightly, less with the area, least with the accuracy."""
    (points,) = bubbles.found(swept()).values()
    said = bubbles.says(points)
    assert "labelled rightly (correlation 0.96)" in said
    assert "all that is labelled (0.88)" in said and "accuracy (0.62)" in said
    assert points[0].accuracy == pytest.approx(74.5)


def test_a_bubble_is_where_its_numbers_are_and_larger_for_more() -> None:
    (points,) = bubbles.found(swept()).values()
    axes = bubbles.draw("labels", points).axes[0]
    found = {tuple(dot.get_offsets()[0].round(2)): dot.get_sizes()[0] for dot in axes.collections}
    assert len(found) == 8
    best, worst = found[73.2, 57.46], found[53.2, 40.91]  # 73.2 x 78.5 %, 53.2 x 76.9 %
    assert (worst, best) == bubbles.AREAS and all(worst <= size <= best for size in found.values())
    assert [text.get_text() for text in axes.texts] == ["05", "03", "06", "07", "04", "08", "01", "02"]


def test_the_lines_beside_the_plot_have_its_numbers() -> None:
    (points,) = bubbles.found(swept()).values()
    lines = bubbles.rows(points)
    assert lines[0] == ("s-05", "39.60", "73.20", "57.46", "78.50") and lines[-1][0] == "s-02"
    assert "s-05 39.60 73.20 57.46 78.50" in words(page.render(swept()))


def test_a_point_that_lacks_a_run_has_no_bubble() -> None:
    found = swept(CHEN[:3], seeds=2)
    found.points[0].rows[1] = dataclasses.replace(
        found.points[0].rows[1], outcome="failed", seeds={}, miou={}
    )
    (points,) = bubbles.found(found).values()
    assert [one.point for one in points] == ["s-02", "s-03"]


def test_points_are_means_over_their_seeds() -> None:
    found = swept(CHEN[:3], seeds=2)
    first = found.points[0]
    first.rows[1] = dataclasses.replace(
        first.rows[1], seeds={"labels": Seeds(70.0, 50.0)}, miou={"labels": 50.0, "predictions": 31.1}
    )
    (points,) = bubbles.found(found).values()
    assert (points[0].decided, points[0].miou) == pytest.approx((65.0, 30.1))
    assert points[0].correct == pytest.approx((60 * 0.745 + 50) / 2)


def test_nothing_is_said_of_too_little() -> None:
    for rows in (CHEN[:2], [(layer, k, 80.0, 60.0, miou) for layer, k, _, _, miou in CHEN]):
        (points,) = bubbles.found(swept(rows)).values()
        assert bubbles.says(points) == ""
        assert bubbles.chart("labels", points).startswith("<svg")


def test_nothing_decided_has_no_accuracy() -> None:
    assert bubbles.Bubble("s-01", 0.0, 0.0, 3.0).accuracy == 0


def test_a_sweep_without_unknown_pixels_or_predictions_has_no_bubbles() -> None:
    plain = outcome({("cam", 4): {"seeds": [40.0]}, ("cam", 8): {"seeds": [41.0]}}, KEYS, None)
    assert bubbles.found(plain) == {} and "How much is labelled" not in page.render(plain)
    assert bubbles.found(dataclasses.replace(swept(), predictions="")) == {}
    assert bubbles.found(dataclasses.replace(swept(), predictions="labels")) == {}


def test_seeds_are_read_of_the_run(tmp_path: Path) -> None:
    """Of a rung that leaves pixels unknown, and of no other; the rung of data/predictions by its folder."""
    runs = made_runs.make(tmp_path / "project")
    folders = {"labels": "data/pseudo_labels", "told": "data/predictions"}
    lock = {
        f"evaluation@{name}": entry({folder: name}, None, {f"reports/{name}/metrics.json": ""})
        for name, folder in folders.items()
    }
    made_runs.lock(runs, lock)
    made_runs.score(runs, "labels", miou=41.5, images=2, pixel_accuracy=56.0, decided=70.0, correct=56.0)
    made_runs.score(runs, "told", miou=44.0, pixel_accuracy=88.0, images=2)
    runs.commit()
    runs.run("git", "branch", "wsss/run/s-01")
    sweep = Sweep("s", "0" * 40, None, ({"a.b": 1}, {"a.b": 2}), "2026-01-01T00:00:00+0000")
    found = read(runs.root, sweep, sweep.trials({}), {"s-01"}, [])
    assert found.predictions == "told" and found.seeds == ["labels"]
    assert found.points[0].seeds("told") == Seeds(100.0, 88.0)  # it says of no pixel that it is unknown
    assert bubbles.found(found) == {"labels": [bubbles.Bubble("s-01", 70.0, 56.0, 44.0)]}


@pytest.mark.parametrize(("width", "scheme"), [(1240, "light"), (390, "dark")])
def test_the_plot_in_a_browser(tmp_path: Path, width: int, scheme: str) -> None:
    file = tmp_path / "index.html"
    file.write_text(page.render(swept()))
    assert "correlation 0.96" in words(file.read_text())
    with browser.opened() as window:
        said = browser.look(window, file, width, scheme)
        assert window.evaluate("document.documentElement.scrollWidth") == width
        drawing = window.locator("h2#labels ~ .pair figure svg").first
        assert drawing.bounding_box()["width"] > 300
        cells = "row => [...row.children].map(cell => Math.round(cell.getBoundingClientRect().x))"
        table = window.locator("table", has_text="mean of the changes below").first
        rows = [row.evaluate(cells) for row in table.locator("tr").all()]
        assert len(rows) == 8 and all(row == rows[0] for row in rows)  # each number below its rung
        browser.keep(window, f"bubbles-{width}-{scheme}")
    assert said == []
