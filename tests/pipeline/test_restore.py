"""A cache that restores anywhere: what this machine has made comes back whatever dvc.lock names."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.engine import recipe, worktrees
from pipeline.memory import lockfile, plan, runcache
from pipeline.memory.graph import open_repo
from pipeline.memory.plan import RESTORABLE, UNCHANGED, WILL_RUN
from tests.conftest import Project, new_repository
from tests.pipeline import stub

FOREIGN = "0123456789abcdef0123456789abcdef"
GIT = ("-c", "user.name=t", "-c", "user.email=t@t")
OUTS = {"generate": "data/generate", "train": "data/train", "score": "data/score", "report": "data/report"}

pytestmark = pytest.mark.usefixtures("warmed")


def entry(name: str, *deps: str, kind: str = "outs", cached: bool = True) -> dict[str, Any]:
    out = OUTS[name]
    return {
        "cmd": f"python work.py {name} {out} {' '.join(deps)}",
        "deps": [*deps, "work.py"], "params": [name], kind: [out if cached else {out: {"cache": False}}],
    }  # fmt: skip


STAGES = {  # as the recipe has them: a metric and a report that git keeps
    "generate": entry("generate"),
    "train": entry("train", "data/generate"),
    "score": entry("score", "data/train", kind="metrics", cached=False),
    "report": entry("report", "data/score", cached=False),
}


def foreign(entries: dict[str, Any]) -> dict[str, Any]:
    """The same lock as another machine would have written it: only what `generate` makes has equal bytes."""
    hashes = {out: f"{n:02x}{FOREIGN}"[:32] for n, out in enumerate(OUTS.values()) if n}
    for found in entries.values():
        for item in (*found.get("deps", ()), *found["outs"]):
            item["md5"] = hashes.get(item["path"], item["md5"])
    return entries


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that ran here; what its commit says comes from another machine."""
    project = Project(tmp_path_factory.mktemp("restore") / "project")
    (project.root / "data").mkdir(parents=True)
    (project.root / "work.py").write_text(stub.WORK)
    (project.root / ".gitignore").write_text("/trace\n/.scratch\n/.worktrees\n/data/generate\n/data/train\n")
    YAML().dump({"stages": STAGES}, project.root / "dvc.yaml")
    YAML().dump({name: {"value": 0} for name in STAGES}, project.root / "params.yaml")
    new_repository(project.root)
    assert recipe.main(project.root, [], [], [], 1, False) == 0
    here = (project.root / "dvc.lock").read_text()
    (project.root / "dvc.lock").write_text(lockfile.dump(foreign(lockfile.entries(here))))
    reports = [project.root / OUTS[name] for name in ("score", "report")]
    texts = [report.read_text() for report in reports]
    for report in reports:
        report.write_text("of another machine")
    project.run("git", "add", "-A")
    project.run("git", *GIT, "commit", "-qm", "of another machine")
    (project.root / "dvc.lock").write_text(here)
    for report, text in zip(reports, texts, strict=True):
        report.write_text(text)
    stub.traced(project)
    return project


@pytest.fixture
def clone(ran: Project, tmp_path: Path) -> Project:
    """A fresh clone beside a copy of that machine's cache, and nothing else of it."""
    ran.run("git", "clone", "-q", str(ran.root), str(tmp_path / "clone"))
    shutil.copytree(ran.root / ".dvc/cache", tmp_path / "clone/.dvc/cache")
    return Project(tmp_path / "clone")


def states(project: Project, *targets: str) -> dict[str, str]:
    return {name: row.state for name, row in plan.make(project.root, targets).rows.items()}


def run(project: Project, *targets: str) -> int:
    return recipe.main(project.root, list(targets), [], [], 1, False)


@pytest.mark.parametrize("case", ["a clone", "a clone without a lock", "a worktree, as of a sweep"])
def test_what_ran_here_is_restored(ran, clone, case, capsys):
    """The whole graph, as the plan says it, to the last byte; a lock that was removed stays removed."""
    project = clone
    if "worktree" in case:
        project = Project(worktrees.create(ran.root, "point"))
    if "without" in case:
        (project.root / "dvc.lock").unlink()
    assert states(project) == dict.fromkeys(STAGES, RESTORABLE)
    assert run(project) == 0
    assert stub.traced(project) == []
    assert states(project) == dict.fromkeys(STAGES, UNCHANGED)
    for out in OUTS.values():
        assert (project.root / out).read_bytes() == (ran.root / out).read_bytes(), out
    assert lockfile.stages(project.root) == lockfile.stages(ran.root)
    assert "damaged" not in capsys.readouterr().out
    if "worktree" in case:
        worktrees.remove(ran.root, "point")


def test_an_entry_stays_where_nothing_can_be_restored(clone):
    """No cache has any result of `train` any more."""
    with open_repo(clone.root) as repo:
        (found,) = [found for found, _ in runcache.written(repo, 0) if "work.py train " in found["cmd"]]
    value = found["outs"][0]["md5"]
    (clone.root / f".dvc/cache/files/md5/{value[:2]}/{value[2:]}").unlink()
    before = lockfile.stages(clone.root)
    assert states(clone, "train") == {"generate": RESTORABLE, "train": WILL_RUN}
    assert run(clone, "generate") == 0
    assert lockfile.stages(clone.root)["train"] == before["train"]
    assert run(clone) == 0
    assert stub.traced(clone) == ["train"]  # and what is below is restored: its bytes are those of before


def test_of_several_results_one_that_is_whole(clone):
    """DVC would look at the newest only, whose output is gone."""
    (clone.root / "dvc.lock").unlink()
    (folder,) = [
        file.parent for file in (clone.root / ".dvc/cache/runs").glob("*/*/*")
        if "work.py generate " in file.read_text()
    ]  # fmt: skip
    (file,) = folder.iterdir()
    values = YAML(typ="safe").load(file)
    values["outs"][0]["md5"] = FOREIGN
    YAML().dump(values, folder / FOREIGN)
    assert states(clone, "generate") == {"generate": RESTORABLE}
    assert run(clone, "generate") == 0 and stub.traced(clone) == []
