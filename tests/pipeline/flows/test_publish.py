"""The report of a run, the contact sheet cut from galleries, and the bars."""

import base64
import io
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.flows import publish
from pipeline.memory import plan
from pipeline.memory.graph import Graph
from pipeline.project.outcomes import Result
from pipeline.results import contact
from stages.common.artifacts import csv_text, write_atomic
from stages.common.drawing import tiles
from stages.common.drawing.colours import colour
from tests.conftest import Project
from tests.pipeline import made_runs, stub
from tests.pipeline.made_runs import Runs, entry

SHADES = (200, 170, 140, 110, 80, 50, 30, 20)  # of the pictures of a gallery


RUNGS = ("seeds", "predictions")


@pytest.fixture
def project(tmp_path: Path) -> Runs:
    """With numbers that differ from the committed ones."""
    stub.make(tmp_path / "project")
    project = Runs(tmp_path / "project")
    project.write("dvc.yaml", "stages: {}\n")  # these numbers are of no stage
    lock = {name: entry(None, None, {f"reports/{name}/metrics.json": ""}) for name in RUNGS}
    made_runs.lock(project, {f"evaluation@{name}": values for name, values in lock.items()})
    made_runs.score(project, "seeds", miou=50.0, images=600)
    made_runs.score(project, "predictions", split="val", miou=78.0, images=150)
    project.commit("numbers")
    made_runs.score(project, "seeds", miou=48.39, images=600, iou={"background": 77.86, "dog": 45.86})
    values = {"miou": 79.03, "images": 150, "iou": {"background": 98.35, "dog": 80.69}}
    made_runs.score(project, "predictions", split="val", **values)
    project.change(seeds__value=3)
    return project


def about(root: Path) -> publish.About:
    rows = {
        "seeds": plan.Row("seeds", "will run", ("seeds.value: 0 -> 3",)),
        "affinity": plan.Row("affinity", "may run", ("below seeds",)),
        "report": plan.Row("report", "unchanged"),
    }
    results = {
        "seeds": Result("seeds", "ran", seconds=125.4, device="GPU 0"),
        "affinity": Result("affinity", "failed", "a | b\nc", seconds=3.21, device="CPU"),
        "report": Result("report", "unchanged"),
    }
    return publish.About(root, "amber-fox", plan.Plan(Graph({}), rows), results)


def gallery(root: Path, rung: str, label: int, truth: bool = True) -> None:
    """Tiles as the stage `gallery` draws them: picture n is grey of SHADES[n], and `label` everywhere."""
    folder = root / "reports" / "gallery" / rung / "tiles"
    for shade in SHADES:
        picture = np.full((128, 96, 3), shade, np.uint8)
        mask = np.zeros((128, 96), np.uint8)
        made = tiles.tiles(picture, mask if truth else None, {"": np.full_like(mask, label)}, 128)
        for name, content in made.items():
            write_atomic(folder / f"p{shade:03}" / f"{name}.webp", content)
    rows = [(f"p{shade:03}", "sample;worst" if shade > 30 else "worst") for shade in sorted(SHADES)]
    write_atomic(folder / "index.csv", csv_text([("id", "chosen"), *rows]))


def test_the_report_says_what_ran_and_what_changed(project: Project) -> None:
    report = publish.report(about(project.root), "HEAD")
    lines = report.text.splitlines()
    assert lines[0] == "# amber-fox: 1 of 3 stages are not up to date"
    assert "1 ran, 1 failed, 1 unchanged." in lines
    assert "| seeds | will run | ran | 2:05 | GPU 0 | seeds.value: 0 -> 3 |" in lines
    assert "| affinity | may run | **failed** | 3.2 s | CPU | a \\| b c |" in lines
    assert "| report | unchanged | unchanged |  |  |  |" in lines
    assert "| seeds | train | 48.39 |  |  |  | 600 | -1.61 |" in lines
    assert "| predictions | val | 79.03 |  |  |  | 150 | +1.03 |" in lines
    assert "| seeds.value | 0 | 3 |" in lines
    assert "## Pictures" not in lines
    assert report.per_class == [
        {"class": "background", "seeds": "77.86", "predictions": "98.35"},
        {"class": "dog", "seeds": "45.86", "predictions": "80.69"},
    ]


def test_without_any_results_there_is_the_table(tmp_path: Path) -> None:
    project = stub.make(tmp_path / "project")
    report = publish.report(about(project.root), "HEAD")
    assert [line for line in report.text.splitlines() if line.startswith("#")] == [
        "# amber-fox: 1 of 3 stages are not up to date"
    ]
    assert report.per_class == []


def test_what_was_never_committed_has_no_change(project: Project) -> None:
    report = publish.report(about(project.root), "wsss/run/nobody")
    assert "| seeds | train | 48.39 |  |  |  | 600 |  |" in report.text.splitlines()


def test_the_sheet_shows_the_same_six_pictures_of_each_rung(project: Project) -> None:
    """A row per picture of the sample, in the order of the index; a sheet for each split."""
    for rung, label in (("seeds", 1), ("predictions", 2)):
        gallery(project.root, rung, label)
    text = publish.report(about(project.root), "HEAD").text
    uris = [line.split("](")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(uris) == 2 and sum(map(len, uris)) < 300_000
    assert all(uri.startswith("data:image/png;base64,") for uri in uris)
    image, side = decode(uris[0]), contact.SIDES[0]
    step = side + contact.GAP
    assert image.size == (3 * step - contact.GAP, contact.HEADER + 6 * step - contact.GAP)
    for row, shade in enumerate(
        sorted(SHADES)[2:]
    ):  # overlay: 0.45 of the grey; a label is 0.8 of its colour
        assert middle(image, row, 0) == pytest.approx([shade] * 3, abs=6)
        assert middle(image, row, 1) == pytest.approx([0.45 * shade] * 3, abs=6)
        assert middle(image, row, 2) == pytest.approx(0.2 * shade + 0.8 * np.array(colour(1)), abs=8)


def decode(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def middle(image: Image.Image, row: int, column: int) -> tuple[int, ...]:
    step = contact.SIDES[0] + contact.GAP
    at = (column * step + step // 3, contact.HEADER + row * step + step // 3)
    return tuple(int(value) for value in np.asarray(image)[at[1], at[0]])


def test_rungs_of_a_split_share_a_sheet_and_a_truth_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    gallery(tmp_path, "seeds", 1, truth=False)
    gallery(tmp_path, "crf", 2, truth=False)
    found = contact.columns(tmp_path / "reports" / "gallery", ["seeds", "crf"])
    assert list(found) == ["picture", "seeds", "crf"]
    assert [file.parent.name for file in found["crf"]] == [f"p{shade:03}" for shade in sorted(SHADES)[2:]]
    assert contact.sheets(tmp_path / "reports" / "gallery", [("nobody", "train")]) == []


class Shown:
    """Stands for the server: what bars were made and changed; slow if asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slow: threading.Event | None = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.slow = slow
        monkeypatch.setattr(publish, "create_progress_artifact", self.create)
        monkeypatch.setattr(publish, "update_progress_artifact", self.update)
        monkeypatch.setattr(publish, "PAUSE", 0.02)

    def create(self, percent: float, key: str, text: str) -> str:
        if self.slow:
            self.slow.wait(20)
        self.calls.append(("create", percent, key, text))
        return "id"

    def update(self, artifact: str, percent: float, text: str) -> str:
        self.calls.append(("update", percent, artifact, text))
        return artifact


def test_a_bar_follows_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "QUICK", 0.0)
    shown, bars = Shown(monkeypatch), publish.Bars()
    bars.progress("evaluation@seeds", "25 of 100 pictures", 25, 100)
    deadline = time.monotonic() + 10
    while not shown.calls and time.monotonic() < deadline:
        time.sleep(0.01)
    bars.epoch("evaluation@seeds", "epoch 1 of 2: loss 0.5")
    bars.progress("evaluation@seeds", "100 of 100 pictures", 100, 100)
    bars.close()
    assert shown.calls == [
        ("create", 25.0, "progress-evaluation-seeds", "evaluation@seeds, 25 of 100 pictures"),
        ("update", 100.0, "id", "evaluation@seeds, 100 of 100 pictures; epoch 1 of 2: loss 0.5"),
    ]


def test_what_is_quick_has_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the run goes on for long after it."""
    monkeypatch.setattr(publish, "QUICK", 0.2)
    shown, bars = Shown(monkeypatch), publish.Bars()
    bars.progress("seeds", "seeds", 1, 2)
    bars.progress("seeds", "seeds", 2, 2)
    threading.Event().wait(0.5)
    bars.close()
    assert shown.calls == []


def test_a_slow_server_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "QUICK", 0.0)
    slow = threading.Event()
    shown, bars = Shown(monkeypatch, slow), publish.Bars()
    for done in range(1000):
        bars.progress("seeds", "seeds", done, 1000)
        assert shown.calls == []  # it was told, and the server has not answered the first
    slow.set()
    bars.close()
