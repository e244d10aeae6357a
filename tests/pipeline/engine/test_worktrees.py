"""Runs beside the user's checkout: what they share with it, what they leave, what they never touch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.engine import recipe, worktrees
from pipeline.memory import graph
from pipeline.project import git, ledger
from stages.common.params import read_yaml
from tests.common.conftest import wait_for
from tests.conftest import Project
from tests.pipeline import stub


def status(project: Project) -> str:
    """What git sees in the user's checkout, and where that is."""
    return project.run("git", "status", "--porcelain", "--branch").stdout + commit(project, "HEAD")


def commit(project: Project, revision: str) -> str:
    return project.run("git", "rev-parse", revision).stdout.strip()


def run(place: Path, *targets: str) -> dict[str, str]:
    """As `wsss run`; the outcomes of what did something, by the ledger."""
    before = len(ledger.read(place))
    assert recipe.main(place, list(targets), [], [], 1, False) == 0
    return {entry["stage"]: entry["outcome"] for entry in ledger.read(place)[before:]}


@pytest.fixture
def clean(project):
    """The project; after the test the user's checkout must be as it was."""
    before = status(project)
    assert "\n " not in before
    yield project
    assert status(project) == before


def test_nothing_is_computed_twice(clean):
    place = worktrees.create(clean.root, "first")
    assert place == clean.root / ".worktrees" / "first"
    assert not (place / "data").exists()
    restored = dict.fromkeys(["parameters", "generate", "dataset", "classifier"], "restored")
    assert run(place, "classifier") == restored
    assert stub.traced(Project(place)) == []
    assert (place / "data/classifier").read_bytes() == (clean.root / "data/classifier").read_bytes()
    assert run(place, "classifier") == {}
    assert ledger.read(place) == ledger.read(clean.root)  # one ledger


def test_what_one_computes_the_other_restores(clean):
    place = worktrees.create(clean.root, "first")
    assert worktrees.override(place, {"generate.value": 4}) == ["generate.value: 0 -> 4"]
    assert run(place, "generate") == {"parameters": "ran", "generate": "ran"}
    assert stub.traced(Project(place)) == ["generate"] and stub.traced(clean) == []
    clean.change(generate__value=4)
    assert run(clean.root, "generate") == {"parameters": "restored", "generate": "restored"}
    clean.run("git", "checkout", "-q", "params.yaml", "dvc.lock")


def test_links_to_pictures_are_shared_and_outputs_are_not(project, tmp_path):
    pictures, raw = tmp_path / "pictures", project.root / "data" / "raw"
    for folder in (pictures, raw / "own", raw / "synthetic"):
        folder.mkdir(parents=True)
    (raw / "voc").symlink_to(pictures)
    (raw / "gone").symlink_to(tmp_path / "gone")
    (raw / ".synthetic.partial").mkdir()  # of a killed `generate`: not for others
    path = project.root / "dvc.yaml"
    path.write_text(path.read_text().replace("data/generate", "data/raw/synthetic"))
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "synthetic")
    place = worktrees.create(project.root, "first")
    found = {entry.name: entry.readlink() for entry in (place / "data/raw").iterdir()}
    assert found == {"voc": pictures, "own": raw / "own", "gone": tmp_path / "gone"}
    assert (place / ".scratch").resolve() == project.root / ".scratch"
    (raw / "voc").unlink()
    (raw / "voc").symlink_to(raw / "own")
    worktrees.create(project.root, "first")  # follows
    assert (place / "data/raw/voc").readlink() == raw / "own"


def test_remotes_of_this_machine_are_shared(clean):
    clean.run("dvc", "remote", "add", "--local", "-d", "disk", "/somewhere")
    place = Project(worktrees.create(clean.root, "first"))
    assert "/somewhere" in place.run("dvc", "remote", "list").stdout
    assert place.run("dvc", "cache", "dir").stdout.strip() == str(clean.root / ".dvc/cache")
    assert "dir" not in (clean.root / ".dvc/config.local").read_text()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("seeds.valeu", "params.yaml has no seeds.valeu; did you mean seeds.value?"),
        ("sedes.value", "params.yaml has no sedes.value; did you mean seeds.value?"),
        ("seeds.value.deeper", "params.yaml has no seeds.value.deeper; did you mean seeds.value?"),
        ("quite_another", "params.yaml has no quite_another"),
    ],
)
def test_an_unknown_parameter_names_the_nearest(clean, key, message):
    before = (clean.root / "params.yaml").read_bytes()
    with pytest.raises(ValueError) as caught:
        worktrees.override(clean.root, {"report.value": 9, key: 1})
    assert str(caught.value) == message
    assert (clean.root / "params.yaml").read_bytes() == before  # not half of it


def test_overrides_keep_comments_and_types(tmp_path):
    text = "seeds:\n  value: 1   # of them\n  scales: [0.5, 1.0]\nreport: {value: null}\n"
    (tmp_path / "params.yaml").write_text(text)
    values = {"seeds.value": 1, "seeds.scales": [1, 2.5], "report.value": {"a": True}}
    said = worktrees.override(tmp_path, values)
    assert said == ["seeds.scales: [0.5, 1.0] -> [1, 2.5]", "report.value: None -> {'a': True}"]
    assert "value: 1   # of them" in (tmp_path / "params.yaml").read_text()
    assert read_yaml(tmp_path / "params.yaml") == {
        "seeds": {"value": 1, "scales": [1, 2.5]}, "report": {"value": {"a": True}},
    }  # fmt: skip
    assert worktrees.override(tmp_path, values) == []


def test_a_finished_run_is_a_branch(clean):
    """Whatever hooks and signatures the user's own commits have."""
    hook = clean.root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    for name in ("pre-commit", "post-checkout", "commit-msg"):
        hook.with_name(name).write_text("#!/bin/sh\ntouch ran-a-hook\nexit 1\n")
        hook.with_name(name).chmod(0o755)
    clean.run("git", "config", "commit.gpgsign", "true")
    place = worktrees.create(clean.root, "first")
    worktrees.override(place, {"generate.value": 3})
    run(place, "generate")
    (place / "reports").mkdir()
    (place / "reports" / "metrics.json").write_text("{}")
    (place / "reports" / "big.png").write_text("x")
    (place / "reports" / ".gitignore").write_text("/big.png\n")
    (place / "work.py").write_text("# not a result\n")
    assert worktrees.keep(place, "first", "Run first") == "wsss/run/first"
    shown = clean.run("git", "show", "--stat=200", "--format=%s|%an|%P", "wsss/run/first").stdout
    assert shown.splitlines()[0] == f"Run first|wsss|{commit(clean, 'HEAD')}"
    assert {line.split("|")[0].strip() for line in shown.splitlines()[1:] if "|" in line} == {
        "params.yaml", "dvc.lock", "reports/metrics.json", "reports/.gitignore",
    }  # fmt: skip
    diff = clean.run("dvc", "params", "diff", "HEAD", "wsss/run/first").stdout.split()
    assert diff[-4:] == ["params.yaml", "generate.value", "0", "3"]
    assert git.branches(clean.root) == worktrees.names(clean.root) == ["first"]

    worktrees.remove(clean.root, "first")
    assert not place.exists()
    assert worktrees.names(clean.root) == [] and git.branches(place.parent) == ["first"]
    assert not list(clean.root.rglob("ran-a-hook"))


def test_a_run_that_changed_nothing_is_kept_too(clean):
    place = worktrees.create(clean.root, "same")
    worktrees.keep(place, "same", "Run same")
    assert commit(clean, "wsss/run/same^") == commit(clean, "HEAD")


def test_an_old_worktree_is_brought_to_the_revision(clean):
    first = commit(clean, "HEAD~1")  # nothing had run
    place = worktrees.create(clean.root, "nightly", "HEAD~1")
    assert commit(Project(place), "HEAD") == first and not (place / "dvc.lock").exists()
    worktrees.override(place, {"seeds.value": 3})
    (place / "work.py").write_text("# edited\n")
    assert worktrees.create(clean.root, "nightly", "main") == place
    assert commit(Project(place), "HEAD") == commit(clean, "main") and (place / "dvc.lock").exists()
    assert Project(place).run("git", "status", "--porcelain").stdout == ""


def test_one_that_was_deleted_by_hand_is_made_again(clean):
    place = worktrees.create(clean.root, "first")
    clean.run("rm", "-r", str(place))
    assert worktrees.create(clean.root, "first") == place and (place / "dvc.yaml").is_file()


def test_what_is_left_of_one_can_be_removed(clean):
    """After a power cut in the middle of its making, or when another run was quicker."""
    place = worktrees.create(clean.root, "first")
    (place / ".git").unlink()
    (clean.root / ".worktrees" / "half").mkdir()
    for name in ("first", "half", "first"):
        worktrees.remove(clean.root, name)
    assert worktrees.names(clean.root) == []
    assert len(clean.run("git", "worktree", "list").stdout.splitlines()) == 1


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".a", "-a", "a b", "a..b", "a.lock", "a.", "x" * 62])
def test_a_name_that_git_would_refuse_is_refused_at_once(clean, name):
    with pytest.raises(ValueError, match=r"is no name of a run: letters, digits and . _ - only"):
        worktrees.create(clean.root, name)
    assert worktrees.names(clean.root) == []


def test_an_unknown_revision(clean):
    with pytest.raises(ValueError, match=r"^git knows no revision 'v9'$"):
        worktrees.create(clean.root, "first", "v9")
    assert worktrees.names(clean.root) == []


def test_a_revision_without_the_project(clean):
    clean.run("git", "checkout", "-q", "--orphan", "empty")
    clean.run("git", "rm", "-qr", "--cached", "dvc.yaml")
    clean.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "without")
    clean.run("git", "checkout", "-qf", "main")
    with pytest.raises(ValueError, match=r"^revision empty has no dvc.yaml: commit it first$"):
        worktrees.create(clean.root, "first", "empty")
    assert worktrees.names(clean.root) == []


def test_from_inside_a_worktree(clean):
    """It is the main one's neighbour, not its child."""
    place = worktrees.create(clean.root, "first")
    assert git.main_root(place) == git.main_root(clean.root) == clean.root
    assert worktrees.create(place, "second") == clean.root / ".worktrees" / "second"
    assert worktrees.names(place) == ["first", "second"]


def test_a_project_in_a_folder_of_its_repository(tmp_path):
    made = Project(tmp_path / "repo" / "deep" / "project")
    stub.make(made.root)
    made.run("rm", "-r", ".git", ".dvc")
    top = Project(tmp_path / "repo")
    top.run("git", "init", "-q", "-b", "main")
    made.run("dvc", "init", "-q", "--subdir")
    made.run("dvc", "config", "core.analytics", "false")
    top.run("git", "add", "-A")
    top.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "stub")
    before = status(top)
    place = worktrees.create(made.root, "first")
    assert place == made.root / ".worktrees" / "first" / "deep" / "project"
    assert place == worktrees.folder(made.root, "first") == worktrees.folder(place, "first")
    assert list(graph.read(place).stages) == list(stub.READS)
    worktrees.override(place, {"generate.value": 2})
    assert run(place, "generate") == {"parameters": "ran", "generate": "ran"}
    worktrees.keep(place, "first", "Run first")
    files = top.run("git", "show", "--name-only", "--format=", "wsss/run/first").stdout.split()
    assert sorted(files) == ["deep/project/dvc.lock", "deep/project/params.yaml"]
    assert worktrees.names(place) == ["first"]
    worktrees.remove(made.root, "first")
    assert worktrees.names(made.root) == [] and status(top) == before


def test_two_at_once_compute_a_stage_once(clean, tmp_path):
    """The second waits for the first, and restores what that has made."""
    places = [worktrees.create(clean.root, name) for name in ("first", "second")]
    for place in places:
        stub.set_params(Project(place), "generate", value=1, meet=2)  # waits for another one
    command = [sys.executable, "-m", "pipeline.cli", "run", "generate"]
    environment = {**os.environ, "PYTHONPATH": stub.ROOT}
    started: list[subprocess.Popen[bytes]] = []

    def start(place: Path) -> Path:
        output = tmp_path / f"{place.name}.txt"
        with output.open("wb") as file:
            started.append(subprocess.Popen(command, cwd=place, env=environment, stdout=file, stderr=file))
        return output

    try:
        start(places[0])
        wait_for(lambda: (places[0] / "here-generate").exists())
        output = start(places[1])
        holder = f"waiting: the same generate is held by wsss-run-{started[0].pid} (pid {started[0].pid} on "
        wait_for(lambda: holder in output.read_text())
        (places[0] / "here-it-is").touch()
        assert [process.wait(60) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert [stub.traced(Project(place)) for place in places] == [["generate"], []]
    assert (places[0] / "data/generate").read_bytes() == (places[1] / "data/generate").read_bytes()
    rows = [line.split() for line in output.read_text().splitlines() if line.startswith("generate ")]
    assert rows[-1][:2] == ["generate", "restored"]
