"""The report of a run, the contact sheet cut from galleries, and the bars."""

import base64
import io
import threading
import time
from collections.abc import Sequence
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
from stages.common.drawing import sheet
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


def gallery(sizes: Sequence[tuple[int, int]], label: int, scored: bool = True) -> bytes:
    """A gallery of the evaluation: picture n is grey of SHADES[n], its result is `label` everywhere."""
    rows = []
    for shade, (height, width) in zip(SHADES, sizes, strict=False):
        labels = np.full((height, width), label, np.uint8)
        picture = np.full((height, width, 3), shade, np.uint8)
        rows.append(sheet.Row(f"picture {shade}", picture, labels, np.zeros_like(labels) if scored else None))
    return sheet.sheet("seeds, split train", rows, ["background", "aeroplane", "bicycle"])


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
    for rung, label in (("seeds", 1), ("predictions", 2)):
        (project.root / "reports" / rung / "gallery.png").write_bytes(gallery([(128, 128)] * 8, label))
    text = publish.report(about(project.root), "HEAD").text
    uris = [line.split("](")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(uris) == 2 and sum(map(len, uris)) < 300_000
    assert all(uri.startswith("data:image/png;base64,") for uri in uris)
    image = decode(uris[0])
    side = contact.SIDES[0]
    assert image.size == (
        3 * (side + contact.GAP) - contact.GAP,
        contact.HEADER + 6 * (side + contact.GAP) - 4,
    )
    for row, shade in enumerate(SHADES[:6]):  # overlay: 0.45 of the grey; a label is 0.8 of its colour
        assert middle(image, row, 0) == pytest.approx([shade] * 3, abs=6)
        assert middle(image, row, 1) == pytest.approx([0.45 * shade] * 3, abs=6)
        assert middle(image, row, 2) == pytest.approx(0.2 * shade + 0.8 * np.array(colour(1)), abs=6)


def decode(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def middle(image: Image.Image, row: int, column: int) -> tuple[int, ...]:
    step = contact.SIDES[0] + contact.GAP
    at = (column * step + step // 3, contact.HEADER + row * step + step // 3)
    return tuple(int(value) for value in np.asarray(image)[at[1], at[0]])


@pytest.mark.parametrize(
    ("sizes", "scored"),
    [
        ([(300, 500), (500, 300), (375, 500)], True),
        ([(500, 300)] * 2, True),
        ([(300, 500), (500, 300)], False),
    ],
)
def test_cells_keep_the_shape_of_their_picture(sizes: list[tuple[int, int]], scored: bool) -> None:
    rows = contact.rows(Image.open(io.BytesIO(gallery(sizes, 1, scored))).convert("RGB"))
    assert len(rows) == len(sizes)
    for row, (height, width), shade in zip(rows, sizes, SHADES, strict=False):
        assert set(row) == ({"picture", "truth", "result", "errors"} if scored else {"picture", "result"})
        for cell in row.values():
            assert cell.size == pytest.approx(
                (240 * width / max(width, height), 240 * height / max(width, height))
            )
        assert np.asarray(row["picture"]).reshape(-1, 3).tolist() == [[shade] * 3] * len(
            row["picture"].getdata()
        )


def test_another_picture_is_no_gallery() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 1016, 3), dtype=np.uint8)
    assert contact.rows(Image.fromarray(noise)) == []
    assert contact.rows(Image.new("RGB", (1016, 400), contact.PAPER)) == []


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
    _, bars = Shown(monkeypatch, slow), publish.Bars()
    start = time.monotonic()
    for done in range(1000):
        bars.progress("seeds", "seeds", done, 1000)
    assert time.monotonic() - start < 1
    slow.set()
    bars.close()
