"""`wsss show` on the small recipe: the table, and the page in a browser."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.results.show import rows
from stages.commands.show.__main__ import read_case
from tests.conftest import Project
from tests.pipeline.stub import wsss


def test_a_row_for_each_step_and_each_stop_of_the_walk():
    def step(name: str, iou: float | None, **more: Any) -> dict[str, Any]:
        return {"name": name, "iou": iou, "about": "", "absent": "", "tiles": [], **more}

    tiles = [{"title": "1 step", "iou": 12.346}, {"title": "2 steps", "iou": 20.0}]
    steps = [
        step("seeds", None, absent="no maps"),
        step("random_walk", 20.0, about="before", tiles=tiles),
        step("truth", None),
    ]
    assert [tuple(row.values()) for row in rows(steps)] == [
        ("seeds", "", "no maps"),
        ("random_walk", "20.00", "before"),
        ("  1 step", "12.35", ""),
        ("  2 steps", "20.00", ""),
    ]


def test_a_fresh_clone_is_told_what_makes_the_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="data/dataset is missing: `wsss run dataset` makes it"):
        read_case("train_00139")


def test_the_page_is_whole_and_asks_nobody(recipe: Project, tmp_path: Path, page: Any):
    project = recipe.copy(tmp_path / "project")
    out = wsss(project, "show", "train_00001", "--html", "out/a.html", "--png", "out/a.png").stdout
    assert "train_00001, split train" in out and "64 steps" in out
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((project.root / "out/a.html").as_uri())
    assert said == [] and [url for url in asked if not url.startswith("data:")] == [page.url]
    assert "truth" in page.locator(".head figcaption").all_inner_texts()[-1]  # beside the picture
    assert page.locator("figure.chart svg").count() == 1
    drawn = page.evaluate("[...document.images].map(image => image.complete && image.naturalWidth)")
    assert len(drawn) > 20 and set(drawn) == {64}
    figure = page.locator("section figure").first
    assert figure.bounding_box()["width"] == 200
    figure.click()
    assert figure.bounding_box()["width"] == 640
    figure.click()
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 400


def test_without_a_file_it_is_a_png_in_reports_and_an_error_writes_nothing(recipe: Project, tmp_path: Path):
    project = recipe.copy(tmp_path / "project")
    wsss(project, "show", "val_00001")
    assert (project.root / "reports/show/val_00001.png").stat().st_size > 1000
    failed = wsss(project, "show", "val_9", "--html", "b.html", check=False)
    assert failed.returncode == 2 and "error: no picture val_9" in failed.stdout
    assert not (project.root / "b.html").exists()
