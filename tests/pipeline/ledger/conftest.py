"""The project of the sweeps' tests with a ledger: a plain row and four others of two kinds, on two sets."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.project import git
from tests.common.conftest import Marked
from tests.conftest import Project, once
from tests.pipeline.sweep import conftest as sweeps
from tests.pipeline.sweep.conftest import Swept, commit

SETS = {
    "demo": {"title": "small numbers", "recipe": "demo", "pictures": "small"},
    "large": {"title": "large numbers", "recipe": "high", "pictures": "great"},
}
PRESETS = {
    "demo": {"seeds": {"value": 0, "seed": 0}, "pseudo_labels": {"value": 0}, "report": {"value": 0}},
    "high": {"seeds": {"value": 20}},
    "better": {"seeds": {"value": 3}},
    "data/small": {"generate": {"value": 1}},
    "data/great": {"generate": {"value": 9}},
}


def row(name: str, **more: Any) -> dict[str, Any]:
    words = {"title": name.capitalize(), "file": "work.py", "source": "by hand", "expect": f"{name} does it"}
    return {"name": name, **words, "to": ["report"], **more}


ROWS = {
    "plain": [row("plain", sets=["demo", "large"])],
    "way": [
        row("more", preset="better", published={"value": "99 of 100", "source": "a thought"}),
        row("both", preset="better", changes={"pseudo_labels.value": 5}, sets=["demo", "large"],
            on={"large": {"pseudo_labels.value": 7}}),
        row("short", changes={"seeds.value": 8}, to=["seeds"]),
    ],
    "gear": [row("device", changes={"seeds.value": 9}, needs=["gpu"])],
}  # fmt: skip


def write(root: Path, name: str, content: Any) -> None:
    file = root / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    YAML().dump(content, file)


def make(root: Path) -> None:
    sweeps.make(root)
    write(root, "ledger/sets", SETS)
    for kind, rows in ROWS.items():
        write(root, f"ledger/{kind}", rows)
    for name, values in PRESETS.items():
        write(root, f"presets/{name}", values)
    Project(root).run("git", "add", "-A")
    commit(Project(root))


@pytest.fixture(scope="session")
def with_rows(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(once(tmp_path_factory, "ledger", make))


class Kept(Swept):
    def ledger(self, *arguments: str, **env: str):
        """`wsss ledger`, on a machine without a GPU."""
        return self.sweep(*arguments, command="ledger", CUDA_VISIBLE_DEVICES="", **env)


@pytest.fixture
def kept(with_rows: Project, tmp_path: Path, marked: Marked) -> Kept:
    return Kept(with_rows.copy(tmp_path / "project").root, marked)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, str]:
    """A repository with the graph of test_work, and its commit."""
    from tests.pipeline.ledger.test_work import FILES, PARAMS, STAGES, committed, dump

    git.run(tmp_path, "init", "-q")
    dump(tmp_path, "dvc.yaml", {"stages": STAGES})
    dump(tmp_path, "params.yaml", PARAMS)
    return tmp_path, committed(tmp_path, **FILES)
