"""A project whose one stage tells epochs as a training does, and goes on where it was stopped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.engine.stage import Run
from pipeline.project.outcomes import Result
from tests.conftest import Project, new_repository

# The file `stop` names the epoch after which it fails: told and not yet saved, as where one is killed.
TRAIN = """\
import json, pathlib, sys
saved, stop = pathlib.Path(".scratch/saved"), pathlib.Path("stop")
last = int(saved.read_text()) if saved.exists() else 0
for epoch in range(last + 1, 5):
    told = {"step": "work", "epoch": epoch, "epochs": 4, "loss": 1 / epoch, "oc.loss": 7}
    print("@epoch", json.dumps(told), file=sys.stderr, flush=True)
    if stop.exists() and int(stop.read_text()) == epoch:
        stop.unlink()
        sys.exit("error: stopped")
    saved.write_text(str(epoch))
open("out", "w").write("weights")
"""
LOSSES = {1: 1.0, 2: 1 / 2, 3: 1 / 3, 4: 1 / 4}


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.epochs: list[object] = []

    def line(self, stage: str, text: str) -> None:
        self.lines.append(text)

    def progress(self, stage: str, what: str, done: int, total: int) -> None:
        self.lines.append(f"{done} of {total} {what}")

    def epoch(self, stage: str, values: dict[str, Any]) -> None:
        self.epochs.append(values.get("epoch"))


class Training(Project):
    """The project, and runs of its stage `work` in its own folder."""

    def __init__(self, root: Path, **meta: object) -> None:
        super().__init__(root)
        new_repository(root)
        (root / "train.py").write_text(TRAIN)
        entry = {
            "cmd": "python train.py",
            "deps": ["train.py"],
            "params": ["lr"],
            "outs": ["out"],
            "meta": meta,
        }
        YAML().dump({"stages": {"work": entry}}, root / "dvc.yaml")
        (root / "params.yaml").write_text("lr: 1\n")
        (root / ".dvcignore").write_text(".scratch\n.worktrees\n")
        (root / ".gitignore").write_text("/.scratch\n/.worktrees/\n/logs/dvclive/\n")
        (root / ".scratch").mkdir()
        self.commit()
        self.listener = Recorder()

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all")

    def train(self, stop: int = 0, called: str = "", anew: bool = False) -> Result:
        """Run the stage, whether anything changed or not; `anew`: without its checkpoint."""
        if stop:
            (self.root / "stop").write_text(str(stop))
        if anew:
            (self.root / ".scratch" / "saved").unlink()
        run = Run(self.root, "test", self.listener, frozenset(["work"]), called=called)
        with run.open():
            return run.stage("work")


@pytest.fixture
def training(tmp_path: Path) -> Callable[..., Training]:
    return lambda **meta: Training(tmp_path / "project", **meta)


def table(root: Path, *place: str, number: str = "loss") -> dict[int, float]:
    """A table that dvclive's kind writes: the number by epoch, none of which stands there twice."""
    file = root.joinpath("logs", "dvclive", *place, "plots", "metrics", f"{number}.tsv")
    head, *rows = [line.split("\t") for line in file.read_text().splitlines()]
    found = {int(step): float(value) for step, value in rows}
    assert head == ["step", number] and len(found) == len(rows)
    return found
