"""A project of five stages that take no time and end in a ladder, for sweeps; an outcome made by hand."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.sweep.definition import Sweep
from pipeline.sweep.outcome import Cost, Outcome, Point, Row
from tests.common.conftest import Marked
from tests.conftest import Project, once, warm_environment
from tests.pipeline import stub

READS = {"generate": [], "seeds": ["generate"], "pseudo_labels": ["seeds"], "report": ["pseudo_labels"]}
RUNGS = ("seeds", "pseudo_labels")
LADDER = """\
import json, pathlib
from ruamel.yaml import YAML
p = YAML(typ="safe").load(pathlib.Path("params.yaml"))
seeds = 40 + p["seeds"]["value"] + p["seeds"]["seed"]
miou = {"seeds": seeds, "pseudo_labels": 60 + 2 * p["pseudo_labels"]["value"] + seeds}
for rung, value in miou.items():
    place = pathlib.Path("reports", rung)
    place.mkdir(parents=True, exist_ok=True)
    (place / "metrics.json").write_text(json.dumps({"split": "train", "images": 2, "miou": value}))
"""


def make(root: Path) -> None:
    """Nothing has run yet; all is committed."""
    project = stub.make(root)
    (root / "ladder.py").write_text(LADDER)
    stages = {"parameters": stub.stage("parameters")} | {name: _stage(name) for name in READS}
    stages["report"]["cmd"] += " && python ladder.py"
    stages["report"] |= {"params": list(READS), "deps": [*stages["report"]["deps"], "ladder.py"]}
    stages["report"]["outs"] += [{f"reports/{rung}/metrics.json": {"cache": False}} for rung in RUNGS]
    params = {name: {"value": 0} for name in READS}
    params["seeds"]["seed"] = 0
    for name, content in {"dvc.yaml": {"stages": stages}, "params.yaml": params}.items():
        YAML().dump(content, root / name)
    project.run("git", "add", "-A")
    commit(project)


def commit(project: Project) -> None:
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "sweep")


def _stage(name: str) -> dict:
    deps = ["data/parameters.ok", *(f"data/{above}" for above in READS[name])]
    cmd = f"python work.py {name} data/{name} {' '.join(deps)}"
    return {"cmd": cmd, "deps": [*deps, "work.py"], "params": [name], "outs": [f"data/{name}"]}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(once(tmp_path_factory, "sweep", make))


class Swept(Project):
    """A project in which `wsss sweep` runs; all its stages, in whichever worktree, note that they ran."""

    def __init__(self, root: Path, marked: Marked) -> None:
        super().__init__(root)
        self.trace = root.parent / "trace"
        self.env = {**marked.env, "STUB_TRACE": str(self.trace), "DVC_NO_ANALYTICS": "1"}

    def sweep(self, *arguments: str, command: str = "sweep", **env: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "pipeline.cli", command, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 300}
        return subprocess.run(words, cwd=self.root, env={**self.env, **warm_environment(), **env}, **pipes)

    def start(self, *arguments: str, command: str = "sweep") -> subprocess.Popen[str]:
        """In the background; to be waited for."""
        words = [sys.executable, "-m", "pipeline.cli", command, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(words, cwd=self.root, env=self.env, **pipes)

    def traced(self) -> list[str]:
        """The stages that computed since the last call, sorted."""
        names = self.trace.read_text().split() if self.trace.exists() else []
        self.trace.unlink(missing_ok=True)
        return sorted(names)

    def left(self) -> list[str]:
        """The worktrees that are there."""
        place = self.root / ".worktrees"
        return sorted(entry.name for entry in place.iterdir()) if place.is_dir() else []


@pytest.fixture
def swept(made: Project, tmp_path: Path, marked: Marked) -> Swept:
    return Swept(made.copy(tmp_path / "project").root, marked)


def outcome(
    scores: dict[tuple, dict[str, list[float | None]]], keys: tuple[str, ...], seeds: int | None
) -> Outcome:
    """By the values of each point: mIoU by rung, one per seed; None: the run failed."""
    points = tuple(dict(zip(keys, values, strict=True)) for values in scores)
    sweep = Sweep("s", "0123456789" * 4, seeds, points, "2026-01-01T00:00:00+0000")
    found = [Point(sweep.point(index), values) for index, values in enumerate(points)]
    rungs = list(next(iter(scores.values())))
    base = {"classifier": {"seed": 0}}
    for trial in sweep.trials(base):
        point = next(point for point in found if point.name == trial.point)
        by_rung = scores[tuple(point.values.values())]
        miou = {rung: by_rung[rung][trial.seed or 0] for rung in rungs}
        failed = None in miou.values()
        state = ("failed", "seeds failed: no luck", {}) if failed else ("finished", "", miou)
        point.rows.append(Row(trial, *state, Cost(3, 2, 90.0)))
    return Outcome(sweep, found, rungs)
