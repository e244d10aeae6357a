"""The plan: each state with its reason, worked out by hand; and that a run does what the plan has said."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.engine import recipe
from pipeline.memory import plan
from pipeline.memory.plan import BLOCKED, FROZEN, MAY_RUN, RESTORABLE, UNCHANGED, WILL_RUN
from pipeline.project import ledger
from tests.common.conftest import wait_for
from tests.conftest import ROOT, Project, drawn
from tests.pipeline import stub
from tests.pipeline.stub import IGNORING, below, set_params

pytestmark = pytest.mark.usefixtures("warmed")

ALL = list(stub.READS)
SECTIONS = [name for name in ALL if "@" not in name and name != "parameters"] + ["evaluation"]
OTHERS = [name for name in SECTIONS if name not in ("affinity", "evaluation")]
RUNGS = [name for name in ALL if "@" in name]


def states(project: Project, *targets: str, **options: list[str]) -> dict[str, str]:
    return {name: row.state for name, row in plan.make(project.root, targets, **options).rows.items()}


def why(project: Project, stage: str) -> tuple[str, ...]:
    return plan.make(project.root).rows[stage].why


def expected(**named: list[str]) -> dict[str, str]:
    """States of all stages: `expected(will_run=[...])`; unchanged where nothing is said."""
    said = {name: state.replace("_", " ") for state, names in named.items() for name in names}
    return {name: said.get(name, UNCHANGED) for name in ALL}


def run(project: Project, *targets: str, force: tuple[str, ...] = (), jobs: int = 1) -> int:
    """As `wsss run`, in this process, which has imported everything already."""
    return recipe.main(project.root, list(targets), [], list(force), jobs, False)


def outcomes(project: Project) -> dict[str, str]:
    """By the ledger: the last outcome of each stage that did something; then it is emptied."""
    found = {entry["stage"]: entry["outcome"] for entry in ledger.read(project.root)}
    ledger.path(project.root).unlink(missing_ok=True)
    return found


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def keeps_its_word(project: Project, *targets: str, force: tuple[str, ...] = ()) -> set[str]:
    """Run what was planned: all that "will run" has run, and nothing but that and what "may run".

    Returns what ran. `parameters` traces nothing: its outcome is in the ledger.
    """
    rows = plan.make(project.root, targets, force).rows.values()
    will, may, back = (
        {row.stage for row in rows if row.state == state} for state in (WILL_RUN, MAY_RUN, RESTORABLE)
    )
    stub.traced(project)
    outcomes(project)
    assert run(project, *targets, force=force) == 0
    traced, outcome = set(stub.traced(project)), outcomes(project)
    ran = {name for name, what in outcome.items() if what == "ran"}
    assert traced == ran - {"parameters"}
    assert will <= ran <= will | may
    assert back <= {name for name, what in outcome.items() if what == "restored"}
    assert set(states(project, *targets).values()) <= {UNCHANGED, FROZEN}
    return ran


# What the plan says


def test_never_ran(tmp_path):
    project = stub.make(tmp_path / "new")
    planned = plan.make(project.root)
    assert {name: row.state for name, row in planned.rows.items()} == dict.fromkeys(ALL, WILL_RUN)
    assert {row.why for row in planned.rows.values()} == {("never ran here",)}
    assert planned.estimate() is None


def test_up_to_date(project):
    planned = plan.make(project.root)
    assert {name: row.state for name, row in planned.rows.items()} == expected()
    assert {row.why for row in planned.rows.values()} == {()} and planned.estimate() == 0


@pytest.mark.parametrize("section", ["generate", "affinity", "evaluation", "report"])
def test_a_parameter(project, section):
    project.change(**{f"{section}__value": 7})
    ours = RUNGS if section == "evaluation" else [section]
    planned = plan.make(project.root)
    found = {name: row.state for name, row in planned.rows.items()}
    assert found == expected(will_run=["parameters", *ours], may_run=below(*ours))
    assert planned.rows["parameters"].why == ("params.yaml changed",)
    for name in ours:
        assert planned.rows[name].why == (f"{section}.value: 0 -> 7",)
    for name in below(*ours):
        above = [other for other in ALL if other in stub.ABOVE[name] and found[other] != UNCHANGED]
        above = [other for other in above if other != "parameters"]  # constant
        assert planned.rows[name].why == (f"below {', '.join(above)}",)


def test_a_parameter_s_leaves_are_named(project):
    set_params(project, "report", columns={"miou": True, "names": ["a"]}, text="")
    assert run(project, "report") == 0
    set_params(project, "report", columns={"miou": None, "names": ["a", 1.5]}, text="x y")
    del_value(project, "report", "value")
    assert why(project, "report") == (
        "report.value: 0 -> null",
        "report.columns.miou: true -> null",
        'report.columns.names: ["a"] -> ["a", 1.5]',
        'report.text: "" -> x y',
    )


def del_value(project: Project, section: str, key: str) -> None:
    yaml, path = YAML(), project.root / "params.yaml"
    content = yaml.load(path)
    del content[section][key]
    yaml.dump(content, path)


def test_two_parameters_of_one_branch(project):
    """The lower one has changed for sure, whatever comes from above."""
    project.change(segmenter__value=1, report__value=2)
    assert states(project) == expected(
        will_run=["parameters", "segmenter", "report"], may_run=["predictions", "evaluation@predictions"]
    )
    assert why(project, "report") == ("report.value: 0 -> 2", "below evaluation@predictions")


def test_code(project):
    """All read it: even those below have changed for sure."""
    with (project.root / "work.py").open("a") as file:
        file.write("# an edit\n")
    assert states(project) == expected(will_run=ALL[1:])
    assert why(project, "generate") == ("work.py changed",)
    assert why(project, "dataset") == ("work.py changed", "below generate")


def test_an_output_is_missing(project):
    (project.root / "data/seeds").unlink()
    assert states(project) == expected(restorable=["seeds"])
    assert why(project, "seeds") == ("data/seeds is missing",)
    assert keeps_its_word(project) == set()


def test_an_output_was_edited(project):
    before = (project.root / "data/seeds").read_text()
    edit(project.root / "data/seeds", before, "by hand")
    assert states(project) == expected(restorable=["seeds"])
    assert why(project, "seeds") == ("data/seeds was edited",)
    assert keeps_its_word(project) == set()
    assert (project.root / "data/seeds").read_text() == before


def cached(project: Project, path: str) -> Path:
    """The object of an output in the cache."""
    name = hashlib.md5((project.root / path).read_bytes()).hexdigest()
    return project.root / ".dvc/cache/files/md5" / name[:2] / name[2:]


def test_an_output_that_the_cache_lost(project):
    cached(project, "data/report").unlink()
    assert states(project) == expected(will_run=["report"])
    assert why(project, "report") == ("data/report is not in the cache, or damaged there",)
    assert keeps_its_word(project) == {"report"}


def test_an_output_that_is_nowhere(project):
    cached(project, "data/evaluation-crf").unlink()
    (project.root / "data/evaluation-crf").unlink()
    assert states(project) == expected(will_run=["evaluation@crf"], may_run=["report"])
    assert keeps_its_word(project) == {"evaluation@crf"}  # the same bytes: it ends there


def test_the_command(project):
    old = "python work.py report data/report data/parameters.ok"
    edit(project.root / "dvc.yaml", old, f"{old} data/parameters.ok")
    assert states(project) == expected(will_run=["report"])
    assert why(project, "report") == ("the command changed",)


def change_yaml(project: Project, stage: str, **lists: list[object]) -> None:
    """Add to lists of a stage in dvc.yaml."""
    yaml, path = YAML(), project.root / "dvc.yaml"
    content = yaml.load(path)
    for key, values in lists.items():
        content["stages"][stage].setdefault(key, []).extend(values)
    yaml.dump(content, path)


def test_what_is_new_in_dvc_yaml(project):
    (project.root / "extra").write_text("x")
    change_yaml(project, "report", deps=["extra"], params=["predictions.value"], outs=["data/more"])
    assert states(project) == expected(will_run=["report"])
    assert why(project, "report") == ("extra is new", "predictions.value is new")
    change_yaml(project, "classifier", outs=["data/second"])
    assert why(project, "classifier") == ("data/second is missing",)
    (project.root / "data/second").write_text("x")
    assert why(project, "classifier") == ("data/second is new",)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "data/raw/voc",
            "data/raw/voc is missing: `wsss link voc PATH` puts your pictures there; "
            "or go on from the results of classifier: `wsss run --from seeds`",
        ),
        ("pictures", "pictures is missing, and no stage makes it"),
    ],
)
def test_data_is_missing(project, path, message):
    change_yaml(project, "classifier", deps=[path])
    assert states(project) == expected(blocked=["classifier", *below("classifier")])
    assert why(project, "classifier") == (message,)
    assert why(project, "seeds") == ("needs classifier",)
    assert why(project, "affinity") == ("needs affinity_labels",)


def test_data_is_missing_but_its_results_are_there(project):
    """Pulled from a colleague, who has the pictures: the way on is named."""
    (project.root / "data/raw/voc").mkdir(parents=True)
    change_yaml(project, "dataset", deps=["data/raw/voc"])
    stub.wsss(project, "run", "dataset")
    (project.root / "data/raw/voc").rmdir()
    (said,) = why(project, "dataset")
    assert said.endswith("; or go on from the results of dataset: `wsss run --from classifier`")
    made = plan.make(project.root, start=["classifier"])
    assert plan.BLOCKED not in {row.state for row in made.rows.values()}
    (project.root / "data/dataset").unlink()
    assert "--from" not in why(project, "dataset")[0]


def test_tracked_data_is_missing(project):
    """A .dvc file: dvc has it, or a remote."""
    source = "outs:\n- {md5: 0123456789abcdef0123456789abcdef, size: 1, hash: md5, path: raw}\n"
    (project.root / "raw.dvc").write_text(source)
    change_yaml(project, "report", deps=["raw/pictures"])
    assert states(project) == expected(blocked=["report"])
    assert why(project, "report") == (
        "raw/pictures is missing: `dvc checkout raw.dvc`, or `dvc pull` it first",
    )
    (project.root / "raw").mkdir()
    (project.root / "raw/pictures").write_text("x")
    assert states(project) == expected(will_run=["report"])
    assert why(project, "report") == ("raw/pictures is new",)


def test_a_parameter_is_missing(project):
    change_yaml(project, "report", params=["report.colour", {"other.yaml": ["a"]}])
    assert states(project) == expected(blocked=["report"])
    assert why(project, "report") == (
        "params.yaml has no report.colour, which it reads", "other.yaml is missing",
    )  # fmt: skip


@pytest.fixture
def checked(tmp_path):
    """The recipe's dvc.yaml, params.yaml and code, and no more."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return Project(tmp_path)


def test_parameters_that_are_not_valid_block_everything(checked):
    checked.change(seeds__method="camm", classifier__batch=-1)
    rows = plan.make(checked.root).rows
    assert len(rows) == 20 and {name for name, row in rows.items() if row.state != BLOCKED} == {"code"}
    assert rows["generate@synthetic"].why == ("needs parameters",)
    text = "\n".join(rows["parameters"].why)
    assert "seeds.method: Input should be 'cam', 'grad_cam', " in text and "classifier.batch" in text
    with pytest.raises(ValueError, match=r"seeds\.method: Input should be"):  # nobody would check them
        plan.make(checked.root, start=["affinity"])


def mark(project: Project, stage: str, line: str) -> None:
    """Add a line to a stage of dvc.yaml."""
    cmd = f"    cmd: python work.py {stage} "
    edit(project.root / "dvc.yaml", cmd, f"    {line}\n{cmd}")


def test_frozen(project):
    mark(project, "predictions", "frozen: true")
    assert states(project) == expected(frozen=["predictions"])
    project.change(segmenter__value=1)
    assert states(project) == expected(will_run=["parameters", "segmenter"], frozen=["predictions"])
    assert states(project, "predictions") == {"predictions": FROZEN}  # what is above cannot matter
    assert keeps_its_word(project) == {"parameters", "segmenter"}

    edit(project.root / "data/predictions", "", "by hand ")
    found = expected(frozen=["predictions"], will_run=["evaluation@predictions"], may_run=["report"])
    assert states(project) == found and why(project, "predictions") == ("data/predictions was edited",)

    (project.root / "data/predictions").unlink()
    found = expected(blocked=["predictions", "evaluation@predictions", "report"])
    assert states(project) == found
    assert why(project, "predictions") == (
        "frozen, and data/predictions is missing: "
        "`dvc checkout data/predictions`, or `dvc unfreeze predictions`",
    )
    project.run("dvc", "checkout", "-q", "data/predictions")
    assert states(project) == expected(frozen=["predictions"])


def test_what_always_runs(project):
    mark(project, "report", "always_changed: true")
    assert states(project) == expected(will_run=["report"]) and why(project, "report") == ("always runs",)
    stub.traced(project)
    assert run(project) == 0  # and is no fault of the run
    assert stub.traced(project) == ["report"]
    project.change(predictions__value=1)
    assert states(project)["report"] == WILL_RUN


def test_forced(project):
    assert states(project, force=["report"]) == expected(will_run=["report"])
    assert plan.make(project.root, force=["report"]).rows["report"].why == ("forced",)
    assert states(project, force=["evaluation"]) == expected(will_run=RUNGS, may_run=["report"])
    with pytest.raises(ValueError, match=r"^report cannot be forced: not among the stages of this run$"):
        plan.make(project.root, ["seeds"], ["report"])
    assert keeps_its_word(project, force=("report",)) == {"report"}
    assert keeps_its_word(project, "evaluation", force=("evaluation@crf",)) == {"evaluation@crf"}


def test_targets_and_start(project):
    project.change(dataset__value=1, report__value=1)
    needs = ["parameters", "generate", "dataset", "classifier", "seeds", "evaluation@seeds"]
    assert list(states(project, "evaluation@seeds")) == needs
    assert list(states(project, start=["predictions"])) == ["predictions", "evaluation@predictions", "report"]
    found = states(project, start=["predictions"])  # what is above stays as it lies there
    assert found == {"predictions": UNCHANGED, "evaluation@predictions": UNCHANGED, "report": WILL_RUN}
    assert states(project, "evaluation@predictions", start=["predictions"]) == {
        "predictions": UNCHANGED, "evaluation@predictions": UNCHANGED,
    }  # fmt: skip


def test_estimates(project):
    took = {"predictions": 60, "evaluation@predictions": 5, "report": 2, "parameters": 1}
    for stage, seconds in took.items():
        ledger.append(project.root, {"stage": stage, "outcome": "ran", "seconds": seconds})
    project.change(predictions__value=1)
    planned = plan.make(project.root)
    assert planned.rows["predictions"].estimate == 60 and planned.rows["seeds"].estimate is None
    assert planned.estimate() == 60 + 5 + 2 + 1
    project.change(segmenter__value=1)  # which never ran here
    assert plan.make(project.root).estimate() is None


def test_json(project):
    project.change(report__value=[1, 2])
    ledger.append(project.root, {"stage": "report", "outcome": "ran", "seconds": 2})
    text = stub.wsss(project, "plan", "report", "--json").stdout
    rows = {row["stage"]: row for row in json.loads(text)["stages"]}
    assert list(rows) == ALL and json.loads(text)["seconds"] is None
    assert rows["report"] == {
        "stage": "report", "state": "will run", "why": ["report.value: 0 -> [1, 2]"], "seconds": 2,
    }  # fmt: skip


def snapshot(project: Project) -> dict[str, object]:
    """All files with content and time of change; .dvc/tmp is DVC's to write."""
    tmp = project.root / ".dvc" / "tmp"
    files = [path for path in project.root.rglob("*") if path.is_file() and not path.is_relative_to(tmp)]
    assert len(files) > 50
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in files}


def test_to_plan_changes_nothing(project):
    project.change(dataset__value=1, report__value=1)
    (project.root / "data/seeds").unlink()
    (project.root / "data/affinity").write_text("by hand")
    cached(project, "data/report").unlink()
    before = snapshot(project)
    stub.wsss(project, "plan")
    stub.wsss(project, "run", "--dry", "--force", "report")
    assert snapshot(project) == before


# What a run makes of it


@pytest.mark.parametrize("section", drawn(["affinity", "evaluation", *OTHERS], 2))
def test_a_run_keeps_the_plan_s_word(project, section):
    """Every parameter of the stub graph: those whose change ends at once, and those that change all below."""
    project.change(**{f"{section}__value": 1})
    ours = RUNGS if section == "evaluation" else [section]
    changed = [] if section in IGNORING else below(*ours)
    assert keeps_its_word(project) == {"parameters", *ours, *changed}


def test_a_run_keeps_its_word_on_two_changes(project):
    project.change(segmenter__value=1, report__value=1)
    ours = {"segmenter", "predictions", "evaluation@predictions", "report"}
    assert keeps_its_word(project) == {"parameters", *ours}


def test_back_again(project):
    """What was once computed is restored."""
    ours = ["segmenter", "predictions", "evaluation@predictions"]
    project.change(segmenter__value=1)
    assert keeps_its_word(project, ours[-1]) == {"parameters", *ours}
    project.change(segmenter__value=0)
    assert states(project) == expected(restorable=["parameters", *ours])
    assert why(project, "segmenter") == ("segmenter.value: 1 -> 0",)
    assert keeps_its_word(project) == set()


def test_what_may_come_from_the_cache(project):
    """Below a stage that will run, one is called sure to run only if no former result can fit."""
    project.change(predictions__value=5, evaluation__value=3)
    assert states(project) == expected(will_run=["parameters", "predictions", *RUNGS], may_run=["report"])
    project.change(predictions__value=0, evaluation__value=1)
    assert keeps_its_word(project, RUNGS[-1]) == {"parameters", RUNGS[-1]}
    project.change(predictions__value=5, evaluation__value=0)
    may = [RUNGS[-1], "report"]
    assert states(project) == expected(will_run=["parameters", "predictions"], may_run=may)
    assert keeps_its_word(project) == {"parameters", "predictions"}  # the one that may is restored


def test_an_executable_dependency(project):
    """That it is executable is a part of DVC's key."""
    (project.root / "work.py").chmod(0o755)
    assert states(project) == expected()
    project.change(report__value=1)
    assert keeps_its_word(project) == {"parameters", "report"}
    project.change(report__value=0)
    assert keeps_its_word(project) == {"report"}  # never ran so with an executable


PARTS = """\
stages:
  folder: {cmd: sh make.sh, deps: [make.sh, given], outs: [out/folder]}
  file: {cmd: cp out/folder/x/one file, deps: [out/folder/x/one], outs: [file]}
  part: {cmd: cat out/folder/x/* > part, deps: [out/folder/x], outs: [part]}
  other: {cmd: cp out/folder/same other, deps: [out/folder/same], outs: [other]}
  whole: {cmd: ls out/* > whole, deps: [out], outs: [whole]}
"""
MAKE = "mkdir -p out/folder/x; cp given out/folder/x/one; cp given out/folder/x/two; echo > out/folder/same"


def small(root: Path, **files: str) -> Project:
    root.mkdir()
    for name, text in {"params.yaml": "{}\n", **files}.items():
        (root / name).write_text(text)
    project = Project(root)
    project.run("dvc", "init", "-q", "--no-scm")
    return project


def test_an_output_that_comes_back(tmp_path):
    """Nothing a stage reads has changed, but the last run had other outputs: the run cache knows both."""
    text = "stages:\n  both: {cmd: cp given a; cp given b, deps: [given], outs: [a, b]}\n"
    project = small(tmp_path / "small", **{"dvc.yaml": text, "given": "1"})
    path = project.root / "dvc.yaml"
    project.run("dvc", "repro", "-q")
    path.write_text(text.replace("[a, b]", "[a]"))
    project.run("dvc", "repro", "-q", "--force")
    (project.root / "b").unlink()
    path.write_text(text)
    assert states(project) == {"both": RESTORABLE} and why(project, "both") == ("b is missing",)
    assert run(project) == 0
    assert outcomes(project) == {"both": "restored"} and (project.root / "b").read_text() == "1"


def test_parts_of_an_output(tmp_path):
    """A dependency lies in a folder that is to be restored, or contains it."""
    project = small(tmp_path / "parts", **{"dvc.yaml": PARTS, "make.sh": MAKE, "given": "1"})
    root = project.root
    readers = ["file", "part", "other", "whole"]
    for given in ("1", "2"):
        (root / "given").write_text(given)
        project.run("dvc", "repro", "-q")
    (root / "given").write_text("3")
    assert states(project) == {"folder": WILL_RUN, **dict.fromkeys(readers, MAY_RUN)}
    assert why(project, "part") == ("below folder",)
    (root / "given").write_text("1")
    assert states(project) == {
        "folder": RESTORABLE, "file": RESTORABLE, "part": RESTORABLE, "other": UNCHANGED, "whole": MAY_RUN,
    }  # fmt: skip
    project.run("rm", "-r", "out")
    assert run(project) == 0
    assert {name for name, what in outcomes(project).items() if what == "restored"} == {
        "folder", "file", "part", "whole",
    }  # fmt: skip
    assert (root / "part").read_text() == "11"
    (root / "out/more").write_text("not of a stage")
    assert states(project) == {**dict.fromkeys(["folder", *readers], UNCHANGED), "whole": WILL_RUN}


def test_while_a_stage_runs(project):
    """The plan answers, says what runs now, and does not disturb it."""
    set_params(project, "predictions", value=1, meet=2)  # it waits for another one
    command = [sys.executable, "-m", "pipeline.cli", "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=project.root, env=environment, stdout=subprocess.PIPE) as process:
        wait_for(lambda: (project.root / "here-predictions").exists())
        rows = plan.make(project.root).rows
        assert stub.wsss(project, "plan", "--json").returncode == 0
        assert process.poll() is None  # neither waited for the stage, which waits for this test
        (project.root / "here-it-is").touch()
        process.communicate(timeout=180)
        assert process.returncode == 0
    found = {name: row.state for name, row in rows.items()}
    ours = ["evaluation@predictions", "report"]
    assert found == expected(will_run=["predictions"], may_run=ours)
    changes = ("predictions.value: 0 -> 1", "predictions.meet: null -> 2")
    assert rows["predictions"].why == ("running now", *changes)
    assert {row.why for name, row in rows.items() if name not in ("predictions", *ours)} == {()}
    assert stub.traced(project) == ["predictions"]
    assert set(states(project).values()) == {UNCHANGED} and why(project, "predictions") == ()


def test_what_a_killed_dvc_left_does_not_run_now(project):
    """Its entries stay in .dvc/tmp/rwlock; a half-written file says nothing."""
    path = project.root / ".dvc/tmp/rwlock"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    writers = {"data/seeds": dead.pid, "data/affinity": os.getpid()}
    write = {str(project.root / out): {"pid": pid, "cmd": "dvc repro"} for out, pid in writers.items()}
    text = json.dumps({"write": write, "read": {}})
    path.write_text(text)
    rows = plan.make(project.root).rows
    assert {name: row.why for name, row in rows.items() if row.why} == {"affinity": ("running now",)}
    path.write_text(text[:40])
    assert not any(row.why for row in plan.make(project.root).rows.values())
