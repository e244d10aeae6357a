"""What `wsss prune` removes, counted by hand: on the stub graph each stage writes one file of 64 bytes."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.engine import worktrees
from pipeline.engine.stage import Run
from pipeline.memory import plan, users
from pipeline.project import locks, places
from pipeline.upkeep import prune
from stages.common.params import read_yaml
from tests.common.conftest import wait_for
from tests.conftest import Project
from tests.pipeline import stub
from tests.pipeline.engine.test_stage import Recorder as Told

BELOW = [  # seeds and what reads from it, by stub.READS
    "seeds", "affinity_labels", "affinity", "pseudo_labels", "segmenter", "predictions",
    "evaluation@seeds", "evaluation@crf", "evaluation@pseudo_labels", "evaluation@predictions", "report",
]  # fmt: skip
STAGES = len(stub.READS)  # 15; all outputs differ
ME = ("-c", "user.name=t", "-c", "user.email=t@t")


@pytest.fixture(scope="module")
def ran(ran_stub: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two commits and their results: seeds.value 0, then 1. The second is checked out."""
    project = ran_stub.copy(tmp_path_factory.mktemp("prune") / "project")
    commit(project, "zero")
    project.change(seeds__value=1)
    project.run("dvc", "repro", "-q")
    commit(project, "one")
    return project


@pytest.fixture
def project(ran: Project, tmp_path: Path) -> Project:
    return ran.copy(tmp_path / "project")


def commit(project: Project, message: str) -> None:
    project.run("git", "add", "-A")
    project.run("git", *ME, "commit", "-qm", message)


def objects(project: Project) -> set[str]:
    folder = project.root / ".dvc" / "cache" / "files" / "md5"
    return {path.parent.name + path.name for path in folder.glob("*/*")}


def rows(project: Project) -> list[Path]:
    return list((project.root / ".dvc" / "cache" / "runs").glob("*/*/*"))


def locked(project: Project, revision: str = "") -> set[str]:
    """The outputs' hashes of a dvc.lock."""
    text = project.run("git", "show", f"{revision or 'HEAD'}:dvc.lock").stdout
    file = project.root / "read.yaml"
    file.write_text(text)
    stages = read_yaml(file)["stages"]
    file.unlink()
    return {out["md5"] for entry in stages.values() for out in entry["outs"]}


def states(project: Project) -> dict[str, str]:
    return {row.stage: row.state for row in plan.make(project.root).rows.values()}


def test_what_no_commit_of_the_last_names_is_gone(project: Project) -> None:
    old, new = locked(project, "HEAD~1"), locked(project)
    assert (len(old), len(new), len(old - new)) == (STAGES, STAGES, len(BELOW))
    assert objects(project) == old | new
    assert len(rows(project)) == STAGES + len(BELOW) + 1  # `parameters` has two with one output

    said = stub.wsss(project, "prune", "--keep-last", "1", "--yes").stdout
    freed = 64 * len(BELOW)
    assert f"{len(BELOW)} of {STAGES + len(BELOW)} objects" in said
    assert f"     64 B  {stub.out('seeds')}\n" in said
    assert f"removed {len(BELOW)} objects and {len(BELOW)} rows: {freed} B are free" in said
    assert objects(project) == new
    assert len(rows(project)) == STAGES + 1

    assert set(states(project).values()) == {"unchanged"}
    project.change(seeds__value=0)
    assert {name for name, state in states(project).items() if state == "will run"} == {"seeds"}
    assert "0 of 15 objects" in stub.wsss(project, "prune", "--keep-last", "1", "--yes").stdout


def _branch(project: Project) -> None:
    project.run("git", "branch", "wsss/run/zero", "HEAD~1")


def _tag(project: Project) -> None:
    project.run("git", *ME, "tag", "-a", "v0", "-m", "zero", "HEAD~1")


def _experiment(project: Project) -> None:
    project.run("git", "update-ref", "refs/exps/ab/cdef/zero", "HEAD~1")


def _stash(project: Project) -> None:
    project.run("git", "checkout", "-q", "HEAD~1", "--", "dvc.lock")
    project.run("git", *ME, "stash")


def _head_of_a_worktree(project: Project) -> None:
    project.run("git", "worktree", "add", "-q", "--detach", "../beside", "HEAD~1")


def _workspace_of_a_worktree(project: Project) -> None:
    place = worktrees.create(project.root, "left")
    worktrees.write_lock(place, project.run("git", "show", "HEAD~1:dvc.lock").stdout)


def _a_broken_commit(project: Project) -> None:
    """`dvc gc` stops at it."""
    _branch(project)
    text = (project.root / "dvc.yaml").read_text()
    (project.root / "dvc.yaml").write_text("stages: [")
    commit(project, "broken")
    project.run("git", "branch", "broken")
    (project.root / "dvc.yaml").write_text(text)
    commit(project, "mended")


KEEPERS = [
    _branch, _tag, _experiment, _stash, _head_of_a_worktree, _workspace_of_a_worktree, _a_broken_commit,
]  # fmt: skip


@pytest.mark.parametrize("keep", KEEPERS)
def test_what_is_named_elsewhere_stays(
    project: Project, keep: Callable[[Project], None], capsys: pytest.CaptureFixture[str]
) -> None:
    before = objects(project)
    keep(project)
    assert prune.main(project.root, 1, True, []) == 0
    assert f"0 of {STAGES + len(BELOW)} objects" in capsys.readouterr().out
    assert objects(project) == before
    project.change(seeds__value=0)
    assert {name for name, state in states(project).items() if state == "restorable"} == {
        "parameters",
        *BELOW,
    }


def test_a_lock_that_git_does_not_know_counts(project: Project) -> None:
    new = locked(project)
    project.run("git", "rm", "-q", "--cached", "dvc.lock")
    project.run("git", *ME, "commit", "-qm", "forgotten")
    prune.main(project.root, 1, True, [])
    assert objects(project) == new


def test_the_last_commits_stay_and_can_be_restored(project: Project) -> None:
    assert f"0 of {STAGES + len(BELOW)} objects" in stub.wsss(project, "prune", "--yes").stdout  # of ten
    stub.traced(project)
    project.change(seeds__value=0)
    stub.wsss(project, "run", "affinity_labels")
    assert stub.traced(project) == []


def test_metrics_that_git_keeps_stay_restorable(project: Project) -> None:
    """`dvc gc` removes their objects from the cache, and the stage then runs again."""
    file = project.root / "dvc.yaml"
    values = read_yaml(file)
    del values["stages"]["report"]["outs"]
    values["stages"]["report"]["metrics"] = [{stub.out("report"): {"cache": False}}]
    YAML().dump(values, file)
    project.change(report__value=3)
    stub.wsss(project, "run", "report")
    commit(project, "git keeps the report")
    assert prune.main(project.root, 1, True, []) == 0
    (project.root / stub.out("report")).unlink()
    assert states(project)["report"] == "restorable"


def test_folders_go_with_their_files(project: Project) -> None:
    """Two folders share a file: when one goes, its list and the two files of its own go."""
    prune.main(project.root, 1, True, [])
    rest = objects(project)
    for name, texts in {"a": ("1", "22", "333"), "b": ("1",)}.items():
        (project.root / name).mkdir()
        for text in texts:
            (project.root / name / text).write_text(text)
        project.run("dvc", "add", "-q", name)
    commit(project, "folders")
    assert len(objects(project) - rest) == 3 + 2  # three files, two lists
    (project.root / "a.dvc").unlink()
    found = prune.survey(prune.cache_of(project.root), [project.root], 1)
    assert not found.objects, "HEAD names it"
    commit(project, "one folder less")
    found = prune.survey(prune.cache_of(project.root), [project.root], 1)
    sizes = sorted(size for path, size in found.objects.items() if not path.name.endswith(".dir"))
    assert (len(found.objects), sizes) == (3, [2, 3])
    prune.main(project.root, 1, True, [])
    assert len(objects(project) - rest) == 2
    assert project.run("dvc", "status", "b.dvc").stdout.endswith("up to date.\n")


def test_what_a_kill_left_in_the_cache_goes(project: Project) -> None:
    prune.main(project.root, 1, True, [])
    before, complete = objects(project), set(rows(project))
    half = project.root / ".dvc" / "cache" / "files" / "md5" / "ab" / "c.tmp"
    half.parent.mkdir(exist_ok=True)
    half.write_text("12345")
    row = project.root / ".dvc" / "cache" / "runs" / "ab" / ("ab" + "0" * 62) / ("0" * 64)
    row.parent.mkdir(parents=True)
    row.write_text("cmd: python")
    found = prune.survey(prune.cache_of(project.root), [project.root], 1)
    assert (found.objects, found.rows, found.by_output) == ({half: 5}, [row], {"other": 5})
    prune.remove(found.objects, found.rows)
    assert objects(project) == before
    assert set(rows(project)) == complete
    assert not row.parents[0].exists()


def test_without_a_terminal_it_only_says(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    before = objects(project)
    assert prune.main(project.root, 1, False, []) == 0
    said = capsys.readouterr().out
    assert f"{len(BELOW)} of {STAGES + len(BELOW)} objects" in said
    assert said.endswith("nothing is removed: there is nobody to ask, add --yes\n")
    assert objects(project) == before


@pytest.mark.parametrize(
    ("answer", "left"), [("n", STAGES + len(BELOW)), ("", STAGES + len(BELOW)), ("y", STAGES)]
)
def test_it_asks(project: Project, monkeypatch: pytest.MonkeyPatch, answer: str, left: int) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    prune.main(project.root, 1, False, [])
    assert len(objects(project)) == left


@pytest.mark.parametrize("keep", [_branch, _workspace_of_a_worktree])
def test_what_came_while_it_asked_stays(
    project: Project, keep: Callable[[Project], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_: str) -> str:
        keep(project)
        return "y"

    before = objects(project)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    prune.main(project.root, 1, False, [])
    assert objects(project) == before


def test_it_removes_no_more_than_it_said(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch that goes while it asks waits for the next time."""
    before = objects(project)
    half = project.root / ".dvc" / "cache" / "files" / "md5" / "ab" / "c.tmp"
    half.parent.mkdir(exist_ok=True)
    half.write_text("12345")
    _branch(project)

    def answer(_: str) -> str:
        project.run("git", "branch", "-D", "wsss/run/zero")
        return "y"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    prune.main(project.root, 1, False, [])
    assert objects(project) == before
    assert len(rows(project)) == STAGES + len(BELOW) + 1


@contextmanager
def working(project: Project, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run whose first stage is at work."""
    project.change(generate={"value": 7, "seconds": 5})
    (project.root / "trace").unlink(missing_ok=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        command, cwd=project.root, env={**os.environ, "PATH": path, "PYTHONPATH": stub.ROOT},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (project.root / "trace").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        yield process
    finally:
        process.wait()


def test_never_while_a_run_works(project: Project) -> None:
    beside = worktrees.create(project.root, "beside")
    before = objects(project)
    with working(project, sys.executable, "-m", "pipeline.cli", "run", "generate") as process:
        for root in (project.root, beside):
            with pytest.raises(locks.HeldError, match=rf"wsss-run-{process.pid} \(pid {process.pid} on "):
                prune.main(root, 1, True, [])
        assert objects(project) == before
    assert process.returncode == 0
    assert states(project)["generate"] == "unchanged"
    assert not locks.is_held(places.worktree_lock(beside)), "what it took before it saw the run"
    said = stub.wsss(project, "prune", "--keep-last", "1", "--yes").stdout
    assert f"{len(BELOW)} of {STAGES + len(BELOW) + 1} objects" in said  # and generate's new one stays


def test_never_while_a_plain_dvc_works(project: Project) -> None:
    before = objects(project)
    with working(project, "dvc", "repro", "-s", "generate") as process:
        words = rf"a stage runs in .*: pid {process.pid} \(.*repro -s generate\)"
        with pytest.raises(ValueError, match=words):
            prune.main(project.root, 1, True, [])
    assert objects(project) > before


def test_never_while_a_stage_of_another_host_works(project: Project) -> None:
    """Known by its lock beside the cache only."""
    path = places.input_lock(prune.cache_of(project.root), "seeds", "0" * 64)
    with locks.take(path, "wsss-run-on-a", "x"), pytest.raises(locks.HeldError, match="wsss-run-on-a"):
        prune.main(project.root, 1, True, [])
    assert prune.main(project.root, 1, False, []) == 0


def test_while_it_removes_nothing_starts(project: Project) -> None:
    beside = worktrees.create(project.root, "beside")
    cache = prune.cache_of(project.root)
    with prune.quiet(prune.workspaces(project.root, [], cache), cache):
        for place in (project.root, beside):
            listener = Told()
            engine = Run(place, "wsss-run-x", listener)
            engine.cancelled.set()  # or it would wait
            with pytest.raises(locks.HeldError, match=f"is held by wsss-prune-{os.getpid()} "), engine.open():
                pass
        with pytest.raises(locks.HeldError, match="the list of worktrees is held by wsss-prune"):
            locks.take(places.worktrees_lock(project.root), "a sweep's run", "the list of worktrees")
        said = project.run("dvc", "repro", "-s", "generate", check=False)
        assert (said.returncode, "Unable to acquire lock" in said.stdout) == (255, True)


def test_a_run_waits_for_it(project: Project) -> None:
    listener, opened = Told(), threading.Event()
    cache = prune.cache_of(project.root)

    def run() -> None:
        with Run(project.root, "wsss-run-x", listener).open():
            opened.set()

    with prune.quiet(prune.workspaces(project.root, [], cache), cache):
        thread = threading.Thread(target=run)
        thread.start()
        wait_for(lambda: listener.lines)
        assert listener.lines[0].startswith(f"waiting for wsss-prune-{os.getpid()} (pid ")
        assert not opened.is_set()
    thread.join(60)
    assert opened.is_set()


def test_one_that_is_refused_takes_no_lock(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the sweep that opened its worktree at that moment would fail."""
    taken, take = [], locks.take
    monkeypatch.setattr(locks, "take", lambda *args: taken.append(args[0]) or take(*args))
    path = places.state(project.root) / "sweeps" / "s.lock"
    for busy, what in ((path, "sweep s"), (places.worktree_lock(project.root), str(project.root))):
        with take(busy, "wsss-sweep-1", "x"), pytest.raises(locks.HeldError, match=f"{what} is held by"):
            prune.main(project.root, 1, True, [])
    assert taken == []


def test_a_clone_that_used_the_cache_must_be_named(project: Project, tmp_path: Path) -> None:
    """Its cache is this clone's: nothing here but its note tells of it."""
    cache = prune.cache_of(project.root)
    project.run("git", "clone", "-q", str(project.root), str(tmp_path / "other"))
    other = Project(tmp_path / "other")
    other.run("dvc", "cache", "dir", "--local", str(cache))
    other.run("git", "checkout", "-q", "HEAD~1")  # whose results only it names
    before = objects(project)
    users.note(project.root)  # its own: no note
    users.note(other.root)
    with pytest.raises(ValueError, match=rf"used by {other.root} too, .*: --projects PATH"):
        prune.main(project.root, 1, True, [])
    prune.main(project.root, 1, True, [other.root])
    assert objects(project) == before
    shutil.rmtree(other.root)
    with pytest.raises(ValueError, match=r"no more remove the note: rm .*/users/[0-9a-f]{16}$") as error:
        prune.main(project.root, 1, True, [])
    Path(str(error.value).rpartition(" ")[2]).unlink()
    prune.main(project.root, 1, True, [])
    assert objects(project) < before


def test_a_clone_of_another_host_is_not_taken_for_one_that_is_no_more(project: Project) -> None:
    """Its folder is not here, and nobody can ask what it names."""
    note = prune.cache_of(project.root) / "users" / "x"
    note.parent.mkdir()
    note.write_text("otherhost\n/home/bob/proj\n")
    with pytest.raises(
        ValueError, match="otherhost:/home/bob/proj too, what only a clone of another"
    ) as error:
        prune.main(project.root, 1, True, [])
    assert "rm " not in str(error.value)
    before = objects(project)
    with pytest.raises(ValueError, match=r"there is no dvc\.yaml"):
        prune.main(project.root, 1, True, [Path("/home/bob/proj")])
    assert objects(project) == before
    prune.main(project.root, 1, True, [Path("otherhost:/home/bob/proj")])
    assert objects(project) < before


def test_a_run_notes_its_clone(project: Project, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    project.run("dvc", "cache", "dir", "--local", str(cache))
    for _ in range(2):
        with Run(project.root, "wsss-run-x", Told()).open():
            pass
    assert [user.root for user in users.others(cache, [])] == [project.root]
    assert users.others(cache, [project.root]) == []


def test_a_cache_that_others_may_use(project: Project, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    os.rename(project.root / ".dvc" / "cache", cache)
    project.run("dvc", "cache", "dir", "--local", str(cache))
    count = len(list(cache.glob("files/md5/*/*")))
    with pytest.raises(ValueError, match=r"lies outside this project: .* --projects"):
        prune.main(project.root, 1, True, [])

    project.run("git", "clone", "-q", str(project.root), str(tmp_path / "other"))
    other = Project(tmp_path / "other")
    other.run("git", "checkout", "-q", "HEAD~1")
    with pytest.raises(ValueError, match=r"its cache is .*other/\.dvc/cache, not "):
        prune.main(project.root, 1, True, [other.root])
    other.run("dvc", "cache", "dir", "--local", str(cache))
    prune.main(project.root, 1, True, [other.root])
    assert len(list(cache.glob("files/md5/*/*"))) == count, "the other clone is at the old commit"
    prune.main(project.root, 1, True, [project.root])  # the user says there is no other
    assert len(list(cache.glob("files/md5/*/*"))) == count - len(BELOW)


def test_a_damaged_lock_is_mended_first(project: Project) -> None:
    """What it has lost, and its copy still names, is not garbage."""
    file = project.root / "dvc.lock"
    file.write_text(file.read_text()[: file.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"dvc\.lock: damaged: .*`wsss run` there mends it"):
        prune.main(project.root, 1, True, [])
    stub.wsss(project, "run")
    prune.main(project.root, 1, True, [])
    assert set(states(project).values()) == {"unchanged"}
