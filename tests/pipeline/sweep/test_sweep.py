"""`wsss sweep` as people use it, over five stages that take no time."""

import os
import re
import signal
import time

import pytest

from pipeline.engine import worktrees
from pipeline.project import git
from pipeline.project.tables import read_csv
from pipeline.upkeep.checks import held
from stages.common.params import read_yaml
from tests.common.conftest import wait_for
from tests.conftest import Project, drawn
from tests.pipeline import stub
from tests.pipeline.sweep.conftest import commit

GRID = ("seeds.value=1,2", "pseudo_labels.value=3,5", "--name", "grid")
SHARED = ["generate", *["pseudo_labels"] * 4, *["report"] * 4, "seeds", "seeds"]  # each work once
MIOU = [(41, 107), (41, 111), (42, 108), (42, 112)]  # 40 + s and 60 + 2 p + 40 + s


def locks(project, names):
    """dvc.lock of each run."""
    texts = [project.run("git", "show", f"wsss/run/{name}:dvc.lock").stdout for name in names]
    found = []
    for text in texts:
        (project.root.parent / "lock.yaml").write_text(text)
        found.append(read_yaml(project.root.parent / "lock.yaml"))
    return found


def rows(project, name="grid"):
    return read_csv(project.root / "reports/sweeps" / name / "points.csv")


def test_four_points_run_each_shared_stage_once_and_equal_four_runs(swept):
    before = swept.run("git", "rev-parse", "HEAD", "main").stdout
    done = swept.sweep(*GRID, "-j", "2")
    assert done.returncode == 0, done.stdout
    assert swept.traced() == SHARED
    assert "15 stages to compute, 5 shared between runs, 0 from the cache; time not known yet" in done.stdout
    names = [row["run"] for row in rows(swept)]
    assert names == [f"grid-0{n}" for n in (1, 2, 3, 4)]
    assert [(row["seeds.value"], row["pseudo_labels.value"]) for row in rows(swept)] == [
        ("1", "3"), ("1", "5"), ("2", "3"), ("2", "5")
    ]  # fmt: skip
    assert [(float(r["seeds.miou"]), float(r["pseudo_labels.miou"])) for r in rows(swept)] == MIOU
    assert sum(int(row["ran"]) for row in rows(swept)) == 15  # 11, and the check of each
    assert sum(int(row["restored"]) for row in rows(swept)) == 5
    page = (swept.root / "reports/sweeps/grid/index.html").read_text()
    assert "wsss diff grid-01 grid-02" in page and page.count("<svg") == 3
    assert swept.left() == [] and swept.run("git", "rev-parse", "HEAD", "main").stdout == before

    single = Project(swept.root.parent / "single")
    swept.run("git", "clone", "-q", "-b", "main", str(swept.root), str(single.root))
    wanted = []
    for seeds in (1, 2):
        for labels in (3, 5):
            single.change(seeds__value=seeds, pseudo_labels__value=labels)
            stub.wsss(single, "run")
            wanted.append(read_yaml(single.root / "dvc.lock"))
    assert locks(swept, names) == wanted

    again = swept.sweep(*GRID)
    assert again.returncode == 0 and "4 of 4 runs are finished" in again.stdout
    assert swept.traced() == [] and sum(int(row["ran"]) for row in rows(swept)) == 15


@pytest.mark.parametrize("number", drawn([signal.SIGKILL, signal.SIGINT], 1))
def test_it_goes_on_where_it_was(swept, number):
    """Ended in the middle of the second run."""
    stub.set_params(swept, "pseudo_labels", seconds=1)
    commit(swept)
    process = swept.start("seeds.value=1,2,3", "--name", "grid")
    try:
        wait_for(lambda: swept.trace.exists() and swept.trace.read_text().count("pseudo_labels") == 2)
        process.send_signal(number)
        text = process.communicate(timeout=180)[0]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert git.branches(swept.root) == ["grid-01"]
    assert swept.traced() == ["generate", "pseudo_labels", "pseudo_labels", "report", "seeds", "seeds"]
    if number == signal.SIGINT:
        assert swept.left() == [] and "cancelling: what runs has 20 s" in text
        assert [row["outcome"] for row in rows(swept)] == ["finished", "cancelled", "not run"]
    else:
        assert swept.left() == ["grid-02"]
    done = swept.sweep("--resume", "grid")
    assert done.returncode == 0, done.stdout
    assert ("removed what a killed run had left: .worktrees/grid-02" in done.stdout) == (
        number == signal.SIGKILL
    )
    assert "1 of 3 runs are finished" in done.stdout
    assert swept.traced() == ["pseudo_labels", "pseudo_labels", "report", "report", "seeds"]
    assert swept.left() == [] and {row["outcome"] for row in rows(swept)} == {"finished"}
    assert [float(row["pseudo_labels.miou"]) for row in rows(swept)] == [101, 102, 103]


def test_runs_that_end_at_a_stage(swept):
    """A shorter sweep, its plan, and one of that name with other stages."""
    asked = ("seeds.value=1,2", "--name", "some", "--to", "seeds")
    done = swept.sweep(*asked)
    assert done.returncode == 0 and "5 stages to compute, 1 shared" in done.stdout, done.stdout
    assert swept.traced() == ["generate", "seeds", "seeds"]
    assert git.run(swept.root, "log", "-n1", "--format=%s", "wsss/run/some-02").strip() == (
        "Run some-02 of sweep some to seeds"
    )
    again = swept.sweep("--resume", "some")
    assert "2 of 2 runs are finished" in again.stdout and swept.traced() == []
    assert "sweep some is there with other --to" in refused(swept, *asked, "--to", "pseudo_labels")
    swept.run("rm", "-r", "reports")
    assert "wsss/run/some-01, wsss/run/some-02: there already" in refused(swept, *asked[:3])
    assert "2 of 2 runs are finished" in swept.sweep(*asked).stdout


def test_a_failed_point_does_not_stop_the_others(swept):
    stub.set_params(swept, "seeds", fail=False)
    commit(swept)
    done = swept.sweep("seeds.fail=true,false", "--name", "bad")
    assert done.returncode == 1
    why = "seeds failed: it was told to fail; blocked: pseudo_labels, report"
    assert [(row["outcome"], row["why"]) for row in rows(swept, "bad")] == [("failed", why), ("finished", "")]
    assert (
        f"bad-01: {why}" in done.stdout and "`wsss sweep --resume bad` goes on with the 1 that" in done.stdout
    )
    log = "reports/sweeps/bad/logs/bad-01/seeds.log"
    assert f"the output of a failed stage: {log}" in done.stdout
    assert "error: it was told to fail" in (swept.root / log).read_text()
    assert swept.left() == [] and git.branches(swept.root) == ["bad-02"]
    assert why in (swept.root / "reports/sweeps/bad/index.html").read_text()


def test_the_plan_starts_nothing(swept):
    done = swept.sweep(*GRID, "--seeds", "2", "--plan")
    assert done.returncode == 0 and "4 points x 2 seeds" in done.stdout
    table = {
        line.split()[0]: line.split()[1:]
        for line in done.stdout.splitlines()
        if re.match("[a-z_]+ +[0-9]", line)
    }
    assert table == {
        "parameters": ["8", "0", "0", "?"], "generate": ["1", "7", "0", "?"], "seeds": ["4", "4", "0", "?"],
        "pseudo_labels": ["8", "0", "0", "?"], "report": ["8", "0", "0", "?"],
    }  # fmt: skip
    assert swept.traced() == [] and swept.left() == []
    assert not (swept.root / "reports").exists() and git.branches(swept.root) == []


def refused(swept, *arguments, **env):
    """Its message, and nothing was done."""
    done = swept.sweep(*arguments, **env)
    assert done.returncode == 1 and swept.traced() == [] and swept.left() == []
    assert "Traceback" not in done.stdout
    return done.stdout[done.stdout.index("error: ") + 7 :].rstrip()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seeds.valeu=1", "value=2"], "params.yaml has no seeds.valeu; did you mean seeds.value, "),
        (
            ["seeds.seed=1,2", "--seeds", "2"],
            "sweep grid-.*: 1 problem.*\n  --seeds sets seeds.seed: leave it out",
        ),
        (["seeds.value=1", "--revision", "v9"], "git knows no revision 'v9'"),
        (
            ["--resume", "gird"],
            r"there is no sweep 'gird' \(no reports/sweeps/gird/sweep.yaml\); there are: none",
        ),
        (["--resume", "grid", "--seeds", "2"], "--resume grid takes everything from the sweep"),
        (["seeds.value=1", "--through", "smoke"], "--through smoke: only prefect is known"),
        (["seeds.value=1", "--through", "prefect"], "PREFECT_API_URL is not set"),
        (["seeds.value=1", "--to", "sedes"], ".*sedes.*seeds"),
        (["--resume", "grid", "--to", "seeds"], "--resume grid takes everything from the sweep"),
        (["seeds.value=1", "--name", "a/b"], "'a/b-01-s0' is no name of a run"),
    ],
)
def test_what_cannot_be(swept, arguments, message):
    assert re.match(message, refused(swept, *arguments, PREFECT_API_URL=""))
    assert not (swept.root / "reports").exists()


def test_a_server_that_does_not_answer(swept):
    said = refused(swept, "seeds.value=1", "--through", "prefect", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert said.startswith("no Prefect server answers at http://127.0.0.1:9/api: ")


def test_another_sweep_of_that_name(swept):
    assert swept.sweep("report.value=1", "--name", "one").returncode == 0
    swept.traced()
    assert "sweep one is there with other points: `wsss sweep --resume one` goes on" in refused(
        swept, "report.value=1,2", "--name", "one"
    )
    stub.set_params(swept, "report", seconds=0)
    said = swept.sweep("report.value=1", "--name", "one").stdout
    assert "warning: the sweep runs commit " in said and "without your changes in: params.yaml" in said
    commit(swept)
    assert "is there with other commit (" in refused(swept, "report.value=1", "--name", "one")
    swept.run("rm", "-r", "reports")
    assert "wsss/run/one-01: there already, with other parameters or stages, or of another commit" in refused(
        swept, "report.value=1", "--name", "one"
    )


def test_a_leftover_is_named_with_its_sweep_and_cleared(swept):
    from pipeline.sweep import definition

    sweep = definition.Sweep("grid", "f" * 40, None, ({"seeds.value": 1},), "")
    definition.write(swept.root, sweep)
    place = worktrees.create(swept.root, "grid-01")
    for path in (place, place / ".dvc" / "config.local"):
        os.utime(path, (time.time() - 3600,) * 2)
    (line,) = held.leftover(swept.root)
    assert line.text == ".worktrees/grid-01 is left over by sweep grid"
    assert line.do == "`wsss sweep --resume grid` goes on with it, or `wsss doctor --clear-worktrees`"
    assert held.clear_worktrees(swept.root) == ["worktree .worktrees/grid-01"] and swept.left() == []
