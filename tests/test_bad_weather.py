"""What else can go wrong around a run: two at once, a stage that hangs, damage, edits, a full disk.

On the stub graph. kill -9 has a file of its own, test_kill_points.py; the real recipe is in test_recipe.py.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.engine import recipe
from pipeline.engine.stage import Run
from pipeline.memory import lockfile
from pipeline.project.outcomes import BLOCKED, RAN, TIMEOUT, UNCHANGED
from tests.common.conftest import wait_for
from tests.conftest import Project, drawn, warm_environment
from tests.pipeline import stub
from tests.test_kill_points import assert_right, wanted


class Quiet:
    def line(self, stage, text): ...
    def progress(self, stage, what, done, total): ...
    def epoch(self, stage, values): ...


@pytest.fixture
def project(ran_stub, tmp_path):
    return ran_stub.copy(tmp_path / "project")


def behave(project: Project, section: str, **values: object) -> None:
    """Give a stage's section of params.yaml more than its value."""
    yaml = YAML()
    params = yaml.load(project.root / "params.yaml")
    params[section].update(values)
    yaml.dump(params, project.root / "params.yaml")


def in_the_background(project: Project, *arguments: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *arguments], cwd=project.root, text=True,
        env={**os.environ, "PYTHONPATH": stub.ROOT, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def is_at_work(project: Project, stage: str) -> bool:
    trace = project.root / "trace"
    return trace.exists() and stage in trace.read_text().split()


def table(output: str) -> dict[str, tuple[str, str]]:
    """Outcome, and the rest of the line, of each stage in the table at the end."""
    rows = (line.split(maxsplit=2) for line in output.splitlines() if "│" not in line)
    return {row[0]: (row[1], " ".join(row[2:])) for row in rows if len(row) > 1 and row[0] in stub.READS}


def test_the_second_run_is_refused_at_once_and_told_who_is_there(project, marked):
    behave(project, "report", seconds=600)
    first = in_the_background(project, "run", WSSS_TEST_MARK=marked.mark)
    wait_for(lambda: is_at_work(project, "report"))
    assert stub.wsss(project, "plan").stdout.count("will run") >= 1  # to look is allowed
    start = time.monotonic()
    second = stub.wsss(project, "run", check=False)
    assert time.monotonic() - start < 10
    assert second.returncode == 1 and first.poll() is None  # it did not wait for the first
    holder = rf"wsss-run-{first.pid} \(pid {first.pid} on \S+, since [-\d]+ [:\d]+\)"
    assert re.fullmatch(rf"error: this worktree is held by {holder}\n", second.stdout)
    first.terminate()
    assert first.wait(30) == 130 and not marked.alive()


def test_a_stage_that_hangs_meets_its_deadline(tmp_path, marked, monkeypatch):
    """With a child, and deaf to SIGTERM. The branch beside it goes on; what is below it is named blocked."""
    monkeypatch.setenv("WSSS_TEST_MARK", marked.mark)
    project = stub.make(tmp_path / "project", meta={"affinity": {"timeout": "4s"}})
    project.run("dvc", "repro", "-q", "affinity_labels")
    behave(project, "affinity", hang=True, children=True)
    engine = Run(project.root, "test", Quiet(), grace=1)
    with engine.open():
        planned = engine.make_plan()
        results = recipe.run(engine, planned, list(planned.rows), 2)
    found = {name: result.outcome for name, result in results.items()}
    below = ["pseudo_labels", "segmenter", "predictions", "report"]
    below += ["evaluation@pseudo_labels", "evaluation@predictions"]
    beside = ["evaluation@seeds", "evaluation@crf"]
    above = ["generate", "dataset", "classifier", "seeds", "affinity_labels"]
    assert found == {
        "parameters": RAN, **dict.fromkeys(above, UNCHANGED), "affinity": TIMEOUT,
        **dict.fromkeys(below, BLOCKED), **dict.fromkeys(beside, RAN),
    }  # fmt: skip
    assert results["affinity"].why == "longer than 4 s (meta.timeout)"
    assert {results[name].why for name in below} == {"affinity timeout"}
    assert not marked.alive()


class TestDamage:
    """Each is named by the plan or by the run, and `wsss run` is enough to repair it."""

    def test_an_output_that_was_edited(self, project):
        (project.root / "data/seeds").write_text("by hand")
        planned = stub.wsss(project, "plan").stdout
        assert re.search(r"seeds +restorable .*data/seeds was edited", planned)
        self.repaired(project, "seeds", "restored")

    @pytest.mark.storm
    def test_an_output_that_is_gone(self, project):
        (project.root / "data/seeds").unlink()
        assert re.search(r"seeds +restorable .*data/seeds is missing", stub.wsss(project, "plan").stdout)
        self.repaired(project, "seeds", "restored")

    @pytest.mark.parametrize("how", drawn(["edited", "gone"], 1))
    def test_its_copy_in_the_cache(self, project, how):
        """The output is right, its copy is not, and DVC does not trust it: it would be missed later."""
        copy = self.copy_of(project, "seeds")
        copy.chmod(0o644)
        copy.unlink() if how == "gone" else copy.write_text("damaged")
        planned = stub.wsss(project, "plan").stdout
        assert re.search(r"seeds +will run .*data/seeds is not in the cache, or damaged there", planned)
        self.repaired(project, "seeds", "ran")
        assert copy.read_bytes() == wanted(project)["data/seeds"]

    def test_both(self, project):
        """A read-only copy DVC trusts, and would restore; the run looks first."""
        copy = self.copy_of(project, "seeds")
        with copy.open("r+b") as file:
            file.write(b"damaged")
        assert copy.stat().st_mode & 0o777 == 0o444
        (project.root / "data/seeds").write_text("by hand")
        said = self.repaired(project, "seeds", "ran")
        assert f"the cache's copy of data/seeds was damaged: {copy} is removed" in said
        assert copy.read_bytes() == wanted(project)["data/seeds"]

    def test_a_result_of_the_run_cache(self, project):
        """Back to parameters that ran before: their result is damaged."""
        before = self.copy_of(project, "seeds")
        project.change(seeds__value=7)
        stub.wsss(project, "run", "seeds")
        with before.open("r+b") as file:
            file.write(b"damaged")
        project.change(seeds__value=0)
        assert re.search(r"seeds +restorable ", stub.wsss(project, "plan").stdout)
        self.repaired(project, "seeds", "ran", others="parameters")

    @pytest.mark.storm
    def test_half_an_entry_of_the_run_cache(self, project):
        for entry in (project.root / ".dvc/cache/runs").glob("*/*/*"):
            entry.write_bytes(entry.read_bytes()[:40])
        (project.root / "dvc.lock").unlink()
        done = stub.wsss(project, "run")
        assert {row[0] for row in table(done.stdout).values()} == {"ran"}
        assert_right(project)

    def copy_of(self, project: Project, stage: str) -> Path:
        outs = YAML(typ="safe").load(project.root / "dvc.lock")["stages"][stage]["outs"]
        return project.root / ".dvc/cache/files/md5" / outs[0]["md5"][:2] / outs[0]["md5"][2:]

    def repaired(self, project: Project, stage: str, outcome: str, others: str = "") -> str:
        done = stub.wsss(project, "run")
        found = {name: row[0] for name, row in table(done.stdout).items()}
        assert set(found) == set(stub.READS) and found.pop(stage) == outcome
        assert {name for name in found if found[name] != "unchanged"} == {others} - {""}
        assert_right(project)
        return done.stdout


class TestEditOfDvcYaml:
    """While a run is at work."""

    def edited_in_between(self, project: Project, stage: str, old: str, new: str) -> tuple[int, str]:
        """Run until `stage` is at work, then edit dvc.yaml; what the run says."""
        running = in_the_background(project, "run", **warm_environment())
        wait_for(lambda: is_at_work(project, stage))
        text = (project.root / "dvc.yaml").read_text()
        assert text.count(old) == 1
        (project.root / "dvc.yaml").write_text(text.replace(old, new))
        output, _ = running.communicate(timeout=180)
        (project.root / "dvc.yaml").write_text(text)
        return running.returncode, output

    def again(self, project: Project) -> None:
        behave(project, "segmenter", seconds=0)
        assert stub.wsss(project, "run").returncode == 0
        assert_right(project)

    @pytest.mark.storm
    def test_a_stage_that_comes_later_is_run_as_it_is_now(self, project):
        behave(project, "segmenter", value=5, seconds=2)
        old = "python work.py predictions data/predictions"
        code, output = self.edited_in_between(project, "segmenter", old, f"echo edited; {old}")
        assert code == 0 and re.search(r"predictions +│ edited", output)
        self.again(project)

    @pytest.mark.storm
    def test_a_stage_that_is_done_is_not_called_up_to_date(self, project):
        behave(project, "segmenter", value=5, seconds=2)
        old = "python work.py generate data/generate"
        code, output = self.edited_in_between(project, "segmenter", old, f"echo edited; {old}")
        assert code == 1
        outcome, rest = table(output)["generate"]
        assert outcome == "failed" and "not up to date after the run: the command changed" in rest
        self.again(project)

    def test_a_file_that_cannot_be_read(self, project):
        behave(project, "segmenter", value=5, seconds=2)
        code, output = self.edited_in_between(project, "segmenter", "  report:\n", "  report: [\n")
        assert code == 1
        bad = [rest for outcome, rest in table(output).values() if outcome == "failed"]
        assert bad and all("dvc.yaml" in rest for rest in bad) and "Traceback" not in output
        self.again(project)

    @pytest.mark.storm
    def test_a_stage_that_is_gone(self, project):
        behave(project, "segmenter", value=5, seconds=2)
        text = (project.root / "dvc.yaml").read_text()
        entry = text[text.index("  report:\n") : text.index("  evaluation:\n")]
        code, output = self.edited_in_between(project, "segmenter", entry, "")
        outcome, rest = table(output)["report"]
        assert (code, outcome) == (1, "failed") and "gone from dvc.yaml" in rest
        self.again(project)


FULL = """
import subprocess, sys
from pathlib import Path
from tests import test_bad_weather
place = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], check=True)
test_bad_weather.on_a_full_disk(place, int(sys.argv[2]), sys.argv[3])
"""


@pytest.mark.parametrize(
    ("left", "what"),
    drawn([(0, "all"), (90, "hashes"), (24, "all"), (4, "all"), (12, "all"), (44, "all")], 1),
)
def test_a_full_disk(tmp_path, left, what):
    """A disk of 3 MB with `left` KiB to spare; mounted where nobody but this test's process sees it."""
    own = next((way for way in (["-Urm"], ["-m"]) if succeeds("unshare", *way, "true")), None)
    if own is None:
        pytest.skip("unshare gives no mount of one's own here: neither a user namespace nor root")
    done = subprocess.run(
        ["unshare", *own, sys.executable, "-c", FULL, str(tmp_path), str(left), what],
        env={**os.environ, "PYTHONPATH": stub.ROOT}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def on_a_full_disk(place: Path, left: int, what: str) -> None:
    """In the namespace: a run that has no space fails, says why, spoils nothing; the next one completes."""
    project = stub.make(place / "project")
    if what == "hashes":  # DVC's database too is there
        project.run("dvc", "config", "core.site_cache_dir", str(place / "site"))
    project.run("dvc", "repro", "-q")
    lockfile.keep(project.root)
    before = wanted(project)
    project.change(predictions__value=5, evaluation__value=5)
    after = wanted(project)
    fill(place / "ballast", left)

    done = stub.wsss(project, "run", "-j", "2", check=False)
    assert done.returncode == 1, done.stdout
    assert re.search("(?i)no space left on|disk is full|disk i/o error", done.stdout), done.stdout
    assert "pipeline/" not in done.stdout, f"a traceback of the engine:\n{done.stdout}"
    for path in set(after) - {stub.out("parameters")}:  # which a shell writes
        file = project.root / path
        assert not file.exists() or file.read_bytes() in (before[path], after[path]), path
    lock = (project.root / "dvc.lock").read_text()
    assert set(YAML(typ="safe").load(lock)["stages"]) == set(stub.READS)

    (place / "ballast").unlink()
    done = stub.wsss(project, "run", "-j", "2", check=False)
    assert done.returncode == 0, done.stdout
    assert_right(project)


def fill(ballast: Path, left: int) -> None:
    """Fill the disk with a file, but for `left` KiB."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    os.truncate(ballast, ballast.stat().st_size - left * 1024)
