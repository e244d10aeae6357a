"""The tables, read back by DVC, whose plots the view of VS Code shows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.training_logs import curves, dvclive
from tests.conftest import Project
from tests.pipeline.engine.training_logs.conftest import LOSSES, Training, table

pytestmark = pytest.mark.usefixtures("warmed")


def plots(project: Project, *command: str) -> dict[str, list[dict[str, Any]]]:
    """What DVC plots: the points of each plot, as text."""
    done = project.run("dvc", "plots", *command, "--json")
    found = json.loads(done.stdout)
    assert "errors" not in found, found
    return {name: plot["content"]["data"]["values"] for name, (plot,) in found["data"].items()}


@pytest.mark.parametrize("command", ["show", "diff"])
def test_dvc_plots_all_trainings_of_a_stage_in_one_picture(
    training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The workspace's alone in `diff`, too: HEAD has no list of them."""
    monkeypatch.setenv("WSSS_LOGS", "dvclive")
    project = training()
    project.train()
    project.train(anew=True)
    found = plots(project, command)
    assert found.keys() == {"work loss", "work oc.loss"}
    points = found["work loss"]
    assert len(points) == 8 and {point["rev"] for point in points} == {"workspace"}
    by_file: dict[str, dict[int, float]] = {}
    for point in points:
        by_file.setdefault(point["filename"], {})[int(point["step"])] = float(point["loss"])
    assert list(by_file.values()) == [LOSSES, LOSSES]
    assert [Path(name).parts[-4] for name in by_file] == ["1", "2"]
    assert project.run("dvc", "status").stdout == "Data and pipelines are up to date.\n"
    status = project.run("git", "status", "--porcelain", "--untracked-files=all").stdout
    assert (
        "?? logs/dvc.yaml" in status and ".tsv" not in status
    )  # git has the list alone to ignore or to keep


def test_a_number_is_a_table_whatever_it_is_called(tmp_path: Path) -> None:
    curve = curves.find(tmp_path / "logs" / "dvclive", "workspace", "work", "k", 1)
    writer = dvclive.Writer(curve, 1)
    writer.write(1, {"../loss\t": 0.25, "b": float("nan")})
    writer.write(2, {"b": 3.0})
    tables = curve.folder / "plots" / "metrics"
    assert sorted(file.name for file in tables.iterdir()) == ["b.tsv", "loss.tsv"]
    assert (tables / "b.tsv").read_text() == "step\tb\n1\tnan\n2\t3.0\n"
    assert table(tmp_path, "workspace", "work", "1", number="loss") == {1: 0.25}


def test_what_a_killed_run_has_written_and_not_noted_is_replaced(tmp_path: Path) -> None:
    curve = curves.find(tmp_path / "logs" / "dvclive", "workspace", "work", "k", 1)
    for first, loss in ((1, 0.5), (2, 0.25), (2, 0.125), (3, 0.0625)):
        dvclive.Writer(curve, first).write(first, {"loss": loss})
    assert table(tmp_path, "workspace", "work", "1") == {1: 0.5, 2: 0.125, 3: 0.0625}


def test_the_list_is_in_order_and_of_what_lies_there(tmp_path: Path) -> None:
    place = tmp_path / "logs" / "dvclive"
    for run, number in (("b", 10), ("b", 2), ("a", 1)):
        tables = place / run / "work" / str(number) / "plots" / "metrics"
        tables.mkdir(parents=True)
        (tables / "loss.tsv").write_text("step\tloss\n1\t0.5\n")
    dvclive.show(place)
    lines = (tmp_path / "logs" / "dvc.yaml").read_text().splitlines()
    assert lines[:4] == ["plots:", "- work loss:", "    x: step", "    y:"]
    files = [f"dvclive/{one}/plots/metrics/loss.tsv: loss" for one in ("a/work/1", "b/work/2", "b/work/10")]
    assert [line.strip() for line in lines[4:]] == files
