"""The recipe on 12 pictures, killed, cancelled and damaged: what goes on, to the same bytes.

A file of its own, so that it runs beside tests/test_recipe.py over the one recipe that both copy.
"""

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

from stages.common.fingerprint import file_hash
from tests.common.conftest import wait_for
from tests.conftest import Project, drawn

SABOTEUR = Path(__file__).parent / "pipeline" / "saboteur"


@pytest.fixture
def project(recipe, tmp_path):
    return recipe.copy(tmp_path / "project")


@pytest.mark.parametrize("step", drawn(["classifier", "segmenter"], 1))
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
    # That it saves the step it is at: tests/common/training/test_checkpoint.py.
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


@pytest.mark.parametrize("seed", drawn(range(10), 0))
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


@pytest.mark.storm
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
    wanted = project.hashes("data/seeds")
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
        assert project.hashes("data/seeds") == wanted
        assert hashlib.md5(copy.read_bytes()).hexdigest() == digest
