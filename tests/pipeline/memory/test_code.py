"""The plan names the file of code that changed, and knows what the stage `code` will write before it does."""

import shutil
from pathlib import Path

import pytest

from pipeline.memory import plan
from pipeline.sweep.plan import keys
from stages.common import stamps
from tests.conftest import ROOT, Project, new_repository

DVC = """\
stages:
  code:
    cmd: python -m stages.code
    meta: {stamps: true}
    deps: [params.yaml, stages]
    outs: [data/code, data/nothing]
  seeds:
    cmd: cat data/code/seeds > out.txt
    deps: [data/code/seeds, data/nothing]
    params: [seeds.method]
    outs: [out.txt]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("code") / "project"
    shutil.copytree(ROOT / "stages", root / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dvcignore", root)
    (root / "dvc.yaml").write_text(DVC)
    (root / "params.yaml").write_text("seeds:\n  method: cam\n")
    project = Project(root)
    new_repository(root)
    project.run("dvc", "repro", "-q")
    return project


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    return built.copy(tmp_path / "project")


def states(project: Project) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {name: (row.state, row.why) for name, row in plan.make(project.root).rows.items()}


def edit(project: Project, path: str, line: str = "EDITED = True") -> None:
    with (project.root / path).open("a") as file:
        file.write(f"\n{line}\n")


def test_an_edit_of_a_method_that_is_not_chosen_runs_code_alone(project: Project) -> None:
    edit(project, "stages/seeds/vgatt.py")
    assert states(project) == {"code": (plan.WILL_RUN, ("stages changed",)), "seeds": (plan.UNCHANGED, ())}
    ran = project.stages_that_ran(project.run("dvc", "repro").stdout)
    assert ran == {"code"}


def test_a_comment_runs_code_alone(project: Project) -> None:
    edit(project, "stages/seeds/cam.py", "# a word")
    assert states(project) == {"code": (plan.WILL_RUN, ("stages changed",)), "seeds": (plan.UNCHANGED, ())}
    assert project.stages_that_ran(project.run("dvc", "repro").stdout) == {"code"}


def test_an_edit_of_what_runs_is_named(project: Project) -> None:
    edit(project, "stages/seeds/cam.py")
    edit(project, "stages/seeds/layers.py")
    why = ("stages/seeds/cam.py changed", "stages/seeds/layers.py changed")
    assert states(project)["seeds"] == (plan.WILL_RUN, why)
    assert project.stages_that_ran(project.run("dvc", "repro").stdout) == {"code", "seeds"}
    assert {state for state, _ in states(project).values()} == {plan.UNCHANGED}


def test_what_the_cache_has_is_known_to_be_restorable_before_code_ran(project: Project) -> None:
    """The hashes that the plan predicts are those that DVC finds: or the run cache would have no entry."""
    project.change(seeds__method="grad_cam")
    state, why = states(project)["seeds"]
    assert state == plan.WILL_RUN and "stages/seeds/cam.py is run no more" in why
    project.run("dvc", "repro", "-q")
    project.change(seeds__method="cam")
    assert states(project)["seeds"][0] == plan.RESTORABLE
    assert project.stages_that_ran(project.run("dvc", "repro").stdout) == set()


def test_equal_work_of_a_sweep_is_counted_by_the_stamps(project: Project) -> None:
    """A parameter that only `code` reads is no other work; another stamp is."""
    graph = plan.make(project.root).graph
    code = {f"{stamps.FOLDER}/seeds": "1  stages/seeds/cam.py\n"}
    one = keys(graph, {"seeds": {"method": "cam"}, "other": 1}, code)
    assert keys(graph, {"seeds": {"method": "cam"}, "other": 2}, code)["seeds"] == one["seeds"]
    other = {f"{stamps.FOLDER}/seeds": "2  stages/seeds/cam.py\n"}
    assert keys(graph, {"seeds": {"method": "cam"}, "other": 1}, other)["seeds"] != one["seeds"]


def test_a_stage_refuses_code_that_its_stamp_does_not_name(project: Project) -> None:
    """Its result would be remembered under the code of before."""
    text = (project.root / "dvc.yaml").read_text()
    (project.root / "dvc.yaml").write_text(text.replace("cat data/code/seeds > out.txt", "python door.py"))
    (project.root / "door.py").write_text(
        "from stages.common import inputs\nwith inputs.unchanged():\n    open('out.txt', 'w').close()\n"
    )
    project.run("dvc", "repro", "--single-item", "seeds")
    edit(project, "stages/seeds/cam.py")
    done = project.run("dvc", "repro", "--single-item", "--force", "seeds", check=False)
    assert done.returncode and "seeds/cam.py changed since this run began: run again" in done.stdout
