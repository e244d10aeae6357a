"""The recipe on 12 pictures, end to end, through DVC: what runs, what is cached, what resumes.

All in one file, so that xdist's loadscope builds the recipe once.
"""

import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.common.artifacts import read_json, read_mask, read_npz
from stages.common.fingerprint import file_hash
from tests.common.conftest import Marked, wait_for
from tests.conftest import Project, drawn

SABOTEUR = Path(__file__).parent / "pipeline" / "saboteur"
ORDER = ["seeds", "crf", "pseudo_labels", "predictions"]
ALL = {
    "code", "parameters", "generate@synthetic", "dataset", "classifier", "seeds", "affinity_labels@seeds",
    "affinity@affinity_labels", "pseudo_labels", "segmenter", "predictions",
    *(f"{stage}@{rung}" for rung in ORDER for stage in ("evaluation", "gallery")), "report",
}  # fmt: skip
GALLERIES = {f"gallery@{rung}" for rung in ORDER}
STATES = ("unchanged", "restorable", "will run", "may run", "blocked", "frozen")


@pytest.fixture
def project(recipe, tmp_path):
    return recipe.copy(tmp_path / "project")


@pytest.fixture
def marked():
    processes = Marked()
    yield processes
    processes.left(0)


def hashes(folder: Path) -> dict[str, str]:
    return {str(f.relative_to(folder)): file_hash(f) for f in sorted(folder.rglob("*")) if f.is_file()}


def test_every_stage_ran_and_the_ladder_has_its_rungs(recipe):
    assert recipe.stages_that_ran(recipe.first_run) == ALL
    rows = list(csv.DictReader((recipe.root / "reports/ladder.csv").open()))
    assert list(rows[0]) == ["rung", "split", "miou", "miou_best_threshold", "precision", "recall", "images"]
    assert [row["rung"] for row in rows] == ORDER
    assert [row["split"] for row in rows] == ["train"] * 3 + ["val"]
    assert [row["images"] for row in rows] == ["8", "8", "8", "4"]
    assert [bool(row["miou_best_threshold"]) for row in rows] == [True, False, False, False]
    for row in rows:
        assert 0 < float(row["miou"]) < 100 and row["miou"] == f"{float(row['miou']):.2f}"


def test_one_picture_through_all_formats(recipe):
    data = recipe.root / "data"
    row = next(csv.DictReader((data / "dataset/index.csv").open()))
    name, size = row["id"], (int(row["height"]), int(row["width"]))
    seeds = read_npz(data / f"seeds/{name}.npz")
    assert seeds["maps"].dtype == "float16" and seeds["maps"].shape == (len(row["labels"].split(";")), 8, 8)
    assert tuple(seeds["size"]) == size and seeds["maps"].max() <= 1
    affinity = read_npz(data / f"affinity/maps/{name}.npz")
    assert affinity["affinities"].shape == (34, 16, 16) and affinity["affinities"].dtype == "float16"
    for folder in ("masks", "affinity_labels/affinity", "affinity_labels/crf", "pseudo_labels"):
        assert read_mask(data / folder / f"{name}.png").shape == size, folder


def test_second_run_is_all_cached(recipe):
    output = recipe.run("dvc", "repro").stdout
    assert recipe.stages_that_ran(output) == set()
    assert output.count("didn't change, skipping") == len(ALL)
    assert "up to date" in output


def test_beta_reruns_from_the_walk_only(project):
    project.change(pseudo_labels__random_walk__beta=2)
    ran = project.stages_that_ran(project.run("dvc", "repro").stdout)
    assert "pseudo_labels" in ran
    scores = {"evaluation@pseudo_labels", "evaluation@predictions", *GALLERIES, "report"}
    below = {"segmenter", "predictions", *scores}
    assert ran <= {"code", "parameters", "pseudo_labels", *below}


def test_code_of_a_method_reruns_only_what_uses_it(project):
    with (project.root / "stages/seeds/vgatt.py").open("a") as file:
        file.write("# an edit\n")
    assert project.stages_that_ran(project.run("dvc", "repro").stdout) == {"code"}
    with (project.root / "stages/pseudo_labels/random_walk.py").open("a") as file:
        file.write("# an edit\n")
    ran = project.stages_that_ran(project.run("dvc", "repro", "pseudo_labels").stdout)
    assert ran == {"code", "pseudo_labels"}


def test_methods_switch_and_come_back_from_the_cache(project):
    before = hashes(project.root / "data/seeds")
    for method, layer in (("vgatt", "encoder.levels.1"), ("grad_cam", "encoder.levels.2")):
        project.change(seeds__method=method, seeds__layer=layer)
        project.run("dvc", "repro", "seeds")
        assert hashes(project.root / "data/seeds") != before
    project.change(seeds__method="cam", seeds__layer="last")
    output = project.run("dvc", "repro", "seeds").stdout
    assert "is cached" in output and hashes(project.root / "data/seeds") == before


@pytest.mark.parametrize("start", drawn(["fork", "spawn"], 1))
def test_same_inputs_same_bytes_cold_and_with_other_workers(project, start):
    if start == "fork" and sys.platform == "win32":
        pytest.skip("fork is of POSIX")
    out = project.root / "data"
    steps = ["seeds", "affinity_labels", "pseudo_labels", "predictions", *(["affinity"] * (start == "fork"))]
    before = {step: hashes(out / step) for step in steps}
    subprocess.run(["rm", "-rf", project.root / ".scratch"], check=True)
    for step in steps:
        line = project.run(
            sys.executable, "-m", f"stages.{step}", WSSS_WORKERS="2", WSSS_START_METHOD=start
        ).stdout
        assert "0 reused" in line
        assert hashes(out / step) == before[step], step


def test_only_new_pictures_are_computed(project):
    line = project.run(sys.executable, "-m", "stages.seeds").stdout
    assert "8 pictures, 8 reused, 0 computed" in line
    project.change(generate__train=10)
    project.run("dvc", "repro", "dataset")
    before = file_hash(project.root / "data/classifier/weights.safetensors")
    line = project.run(sys.executable, "-m", "stages.seeds").stdout  # as with a frozen classifier
    assert file_hash(project.root / "data/classifier/weights.safetensors") == before
    assert "10 pictures, 8 reused, 2 computed" in line


@pytest.mark.parametrize("step", ["classifier", "segmenter"])
def test_killed_training_resumes_to_the_same_weights(project, step):
    """kill -9 as soon as there is a checkpoint; longer training, so that the kill comes in the middle."""
    project.change(**{f"{step}__epochs": 12})
    project.run(sys.executable, "-m", f"stages.{step}")
    weights = project.root / f"data/{step}/weights.safetensors"
    wanted = file_hash(weights)
    weights.unlink()
    shutil.rmtree(project.root / ".scratch/training")  # the checkpoint of a training that has ended stays
    child = subprocess.Popen(
        [sys.executable, "-m", f"stages.{step}"], cwd=project.root, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    scratch = project.root / ".scratch/training" / step
    deadline = time.monotonic() + 60
    while not list(scratch.glob("*/last.pt")) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert list(scratch.glob("*/last.pt"))
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL and not weights.exists()
    output = project.run(sys.executable, "-m", f"stages.{step}").stdout
    assert 0 < int(output.split("resumed from step ")[1].split()[0]) < 12 * 2
    assert file_hash(weights) == wanted


def test_sigterm_ends_the_stage_in_order(project):
    # That it saves the step it is at: tests/common/test_training.py.
    project.change(classifier__epochs=200)
    scratch = project.root / ".scratch/training/classifier"
    known = set(scratch.glob("*/last.pt"))  # of trainings that have ended
    child = subprocess.Popen([sys.executable, "-m", "stages.classifier"], cwd=project.root,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 60
    while set(scratch.glob("*/last.pt")) == known and time.monotonic() < deadline:
        time.sleep(0.005)
    assert set(scratch.glob("*/last.pt")) > known
    child.terminate()
    assert child.wait(30) == 143


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seeds__method", "camm", "seeds.method: Input should be 'cam', 'grad_cam' or 'vgatt'"),
        ("classifier__batch", "many", "classifier.batch"),
        ("pseudo_labels__random_walk__beta", -1, "pseudo_labels.random_walk.beta"),
        ("dataset__name", "nowhere", "wsss link nowhere PATH"),
    ],
)
def test_a_bad_parameter_stops_before_anything_is_deleted(project, key, value, message):
    before = hashes(project.root / "data/seeds")
    project.change(**{key: value})
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0 and message in done.stdout
    assert hashes(project.root / "data/seeds") == before
    for out in ("data/dataset", "data/masks", "data/classifier", "data/pseudo_labels", "data/predictions"):
        assert (project.root / out).is_dir(), out


def test_a_damaged_map_is_named(project):
    file = next((project.root / "data/seeds").glob("*.npz"))
    os.chmod(file, 0o644)
    file.write_bytes(file.read_bytes()[:50])
    done = project.run(sys.executable, "-m", "stages.affinity_labels", check=False)
    assert done.returncode == 2 and file.name in done.stdout and "Traceback" not in done.stdout
    assert (project.root / "data/affinity_labels/crf").is_dir()  # the old result stays


def test_diffs_say_what_changed(project):
    """dvc params diff and dvc metrics diff after one change, as the README shows them."""
    project.run("git", "add", "-A")
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "run")
    project.change(evaluation__threshold=0.6)
    project.run("dvc", "repro")
    assert "evaluation.threshold" in project.run("dvc", "params", "diff").stdout
    metrics = project.run("dvc", "metrics", "diff").stdout
    changed = ["reports/rungs/seeds/metrics.json", "threshold", "0.35", "0.6"]
    assert any(row.split()[:4] == changed for row in metrics.splitlines())
    assert read_json(project.root / "reports/rungs/seeds/metrics.json")["threshold"] == 0.6


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    drawn(
        [
            ("pseudo_labels__random_walk__beta", 3, {"pseudo_labels"}),
            ("predictions__flip", False, {"predictions"}),
            ("evaluation__threshold", 0.5, {*GALLERIES, *(f"evaluation@{rung}" for rung in ORDER)}),
        ],
        1,
    ),
)
def test_a_run_keeps_the_plan_s_word(project, key, value, stages):
    """All that "will run" has run, and nothing but that and what "may run"; then nothing is left to do."""

    def planned() -> dict[str, set[str]]:
        rows = json.loads(project.run(*wsss, "plan", "--json").stdout)["stages"]
        return {state: {row["stage"] for row in rows if row["state"] == state} for state in STATES}

    wsss = [sys.executable, "-m", "pipeline.cli"]
    assert planned()["unchanged"] == ALL
    project.change(**{key: value})
    before = planned()
    assert before["will run"] == {"code", "parameters", *stages} and "report" in before["may run"]
    output = project.run(*wsss, "run").stdout
    ran = {line.split()[0] for line in output.splitlines() if "│ Running stage '" in line}
    assert before["will run"] <= ran <= before["will run"] | before["may run"], output
    assert planned()["unchanged"] == ALL


# What each stage is killed with: a change of its own parameters, so that no other stage of weight runs.
CHANGES = {
    "classifier": {"classifier__epochs": 6},
    "seeds": {"seeds__flip": False},
    "affinity_labels@seeds": {"affinity_labels__irn__threshold_foreground": 0.4},
    "affinity@affinity_labels": {"affinity__epochs": 5},
    "pseudo_labels": {"pseudo_labels__random_walk__beta": 4},
    "segmenter": {"segmenter__epochs": 6},
    "predictions": {"predictions__flip": False},
    "evaluation@seeds": {"evaluation__threshold": 0.5},
}
WORST = ["classifier", "segmenter"]  # resumed in the middle
KILLS = [("stage", "self"), ("stage", "dvc"), ("stage", "engine"), ("dvc", "self"), ("dvc", "engine")]


def lock_of(project: Project) -> dict[str, Any]:
    return YAML(typ="safe").load(project.root / "dvc.lock")


def outputs_of(project: Project, stage: str) -> dict[str, str]:
    files: list[Path] = []
    for out in lock_of(project)["stages"][stage]["outs"]:
        path = project.root / out["path"]
        files += path.rglob("*") if path.is_dir() else [path]
    return {str(f.relative_to(project.root)): file_hash(f) for f in files if f.is_file()}


def sabotaged(project: Project, stage: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`wsss run STAGE` with tests/pipeline/saboteur in all of its processes."""
    command = [sys.executable, "-m", "pipeline.cli", "run", stage]
    return project.run(*command, check=False, PYTHONPATH=str(SABOTEUR), **env)


@pytest.fixture(scope="module")
def undisturbed(recipe, tmp_path_factory):
    """By stage: dvc.lock and the outputs' bytes after its change, and what its processes touched."""
    made = {}

    def one(stage: str):
        if stage not in made:
            folder = tmp_path_factory.mktemp("undisturbed")
            project = recipe.copy(folder / "project")
            project.change(**CHANGES[stage])
            (folder / "touches").mkdir()
            done = sabotaged(project, stage, WSSS_TEST_COUNT=str(folder / "touches"))
            assert done.returncode == 0, done.stdout
            made[stage] = lock_of(project), outputs_of(project, stage), folder / "touches"
        return made[stage]

    return one


@pytest.mark.parametrize("seed", drawn(range(10), 1))
def test_kill_9_anywhere_and_the_next_run_has_equal_outputs(project, undisturbed, marked, seed):
    """At a seeded touch of the project's files: a checkpoint, a picture's maps, a move into the cache ..."""
    draw = random.Random(seed)
    stage = draw.choice([*CHANGES, *WORST])
    program, victim = KILLS[seed % len(KILLS)]
    wanted, outputs, folder = undisturbed(stage)
    touches = (folder / f"{program}-{stage}").read_text().splitlines()
    at = draw.randint(1, len(touches) - 6 * (program == "dvc"))  # a folder of the cache may be there already
    order = {
        "program": program,
        "stage": stage,
        "victim": victim,
        "at": at,
        "share": draw.choice([0, 60, 99]),
    }
    where = f"{order}, {touches[at - 1]}"

    project.change(**CHANGES[stage])
    done = sabotaged(project, stage, WSSS_TEST_KILL=json.dumps(order), WSSS_TEST_MARK=marked.mark)
    assert (project.root / "struck").exists(), f"{where}:\n{done.stdout}"
    # A stage with `retries` is run again at once.
    allowed = (-signal.SIGKILL,) if victim == "engine" else (0, 1)
    assert done.returncode in allowed, f"{where}:\n{done.stdout}"
    assert not marked.left(25), where
    done = project.run(sys.executable, "-m", "pipeline.cli", "run", stage, check=False)
    assert done.returncode == 0, f"{where}:\n{done.stdout}"
    assert lock_of(project) == wanted, where
    assert outputs_of(project, stage) == outputs, where


def test_cancelled_training_is_resumed(project, marked):
    """SIGTERM to `wsss run`: a checkpoint is saved, nothing is left, the next run goes on from there."""
    project.change(classifier__epochs=60)
    scratch = project.root / ".scratch/training/classifier"
    weights = project.root / "data/classifier/weights.safetensors"
    before, old = set(scratch.glob("*/last.pt")), file_hash(weights)  # of the training that has ended
    command = [sys.executable, "-m", "pipeline.cli", "run", "classifier"]
    first = subprocess.Popen(command, cwd=project.root, env=marked.env, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: set(scratch.glob("*/last.pt")) - before)
    start = time.monotonic()
    first.terminate()
    output, _ = first.communicate(timeout=35)
    assert first.returncode == 130 and "cancelled" in output
    assert not marked.left(max(0.0, 35 - (time.monotonic() - start)))
    assert len(set(scratch.glob("*/last.pt")) - before) == 1
    assert file_hash(weights) == old  # DVC removes it before a stage starts: it was put back

    project.run(sys.executable, "-m", "pipeline.cli", "run", "classifier")
    log = (project.root / ".dvc/tmp/wsss/logs/classifier.log").read_text()
    step = int(log.split("resumed from step ")[1].split()[0])
    assert 0 < step < 60 * 2
    resumed = file_hash(weights)
    assert resumed != old
    subprocess.run(["rm", "-rf", project.root / ".scratch"], check=True)
    project.run(sys.executable, "-m", "stages.classifier")
    assert file_hash(weights) == resumed


def test_a_damaged_map_is_named_and_restored(project):
    """By one command, `wsss run`, whether or not the cache's copy is damaged too."""
    wanted = hashes(project.root / "data/seeds")
    file = sorted((project.root / "data/seeds").glob("*.npz"))[3]
    name = f"data/seeds/{file.name}"
    digest = hashlib.md5(file.read_bytes()).hexdigest()
    copy = project.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    wsss = [sys.executable, "-m", "pipeline.cli"]
    for both in (False, True):
        file.write_bytes(file.read_bytes()[:50])
        if both:
            with copy.open("r+b") as stream:
                stream.write(b"damage")
        planned = json.loads(project.run(*wsss, "plan", "seeds", "--json").stdout)["stages"]
        rows = {row["stage"]: row for row in planned}
        assert rows["seeds"]["why"] == [f"{name} was edited"] and rows["seeds"]["state"] == "restorable"
        said = project.run(*wsss, "run", "seeds").stdout
        assert (f"the cache's copy of {name} was damaged" in said) == both
        assert hashes(project.root / "data/seeds") == wanted
        assert hashlib.md5(copy.read_bytes()).hexdigest() == digest
