"""kill -9 at forty seeded points of a run: nothing survives, and the next run ends with equal outputs.

The points are touches of the project's files (tests/pipeline/saboteur), so they lie where it hurts: while DVC
rewrites dvc.lock or its list of files in use, moves a result into the cache, or checks it out; and in the
stage. One class per victim: xdist's loadscope hands out classes. `make test` tries one point of each.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.common.conftest import Marked
from tests.conftest import Project, drawn, once
from tests.pipeline import stub

SABOTEUR = Path(__file__).parent / "pipeline" / "saboteur"
CHANGES = {  # a section of params.yaml: stages that it makes run, of which one is the place of the kill
    "segmenter": ["segmenter", "predictions", "evaluation@predictions", "report"],
    "predictions": ["predictions", "evaluation@predictions", "report"],
    "evaluation": ["evaluation@seeds", "evaluation@crf", "evaluation@pseudo_labels", "report"],
}
WORST = [  # in place of chance: half a dvc.lock, half a list of files in use, a result without an entry
    r"cut dvc\.lock",
    r"cut \.dvc/tmp/rwlock",
    r"os\.chmod \.dvc/cache/runs/../[0-9a-f]{64}",
]
SPARE = {"dvc": 6, "stage": 0}  # touches that may not come: a folder of the cache that is there already
GRACE = 20


@pytest.fixture(scope="session")
def built(ran_stub, tmp_path_factory):
    """A project that has run, partly twice, and what each process touched the second time, in touches/."""

    def make(place: Path) -> None:
        project = ran_stub.copy(place)
        project.change(segmenter__value=1, predictions__value=1, evaluation__value=1)
        (place / "touches").mkdir()
        wsss(project, "run", WSSS_TEST_COUNT=str(place / "touches"))
        assert_right(project)

    return Project(once(tmp_path_factory, "kill", make))


def sections(project: Project) -> dict[str, dict[str, int]]:
    return YAML(typ="safe").load(project.root / "params.yaml")


def wsss(
    project: Project, *arguments: str, check: bool = True, **env: str
) -> subprocess.CompletedProcess[str]:
    path = f"{SABOTEUR}{os.pathsep}{stub.ROOT}"
    return project.run(sys.executable, "-m", "pipeline.cli", *arguments, check=check, PYTHONPATH=path, **env)


def wanted(project: Project) -> dict[str, bytes]:
    """The outputs by path, from the parameters alone: what a run that nobody disturbs writes."""
    params = sections(project)
    found = {stub.out("parameters"): b"ok"}
    for name in list(stub.READS)[1:]:
        above = stub.READS[name][1:] if "@" in name else stub.READS[name]
        digest = hashlib.sha256(repr(params[name.split("@")[0]]["value"]).encode())
        for path in ["data/parameters.ok", *map(stub.out, above)]:
            digest.update(found[path])
        found[stub.out(name)] = digest.hexdigest().encode()
    return found


def assert_right(project: Project) -> None:
    """Outputs, and dvc.lock: every input and output of every stage has the hash of the right bytes."""
    outputs = wanted(project)
    for path, content in outputs.items():
        assert (project.root / path).read_bytes() == content, path
    stages = YAML(typ="safe").load(project.root / "dvc.lock")["stages"]
    assert set(stages) == set(stub.READS)
    for name, entry in stages.items():
        files = [*entry["deps"], *entry["outs"]]
        made = {file["path"]: file["md5"] for file in files if file["path"].startswith("data/")}
        assert made == {path: hashlib.md5(outputs[path]).hexdigest() for path in made}, name
        if name != "parameters":
            values = entry["params"]["params.yaml"]
            assert values == {section: sections(project)[section] for section in values}, name


def kill(
    built: Project, folder: Path, marked: Marked, seed: int, program: str, victim: str, at: str = ""
) -> None:
    """Change a parameter, run, kill `victim` at a seeded touch of `program` (or at `at`); then run again."""
    draw = random.Random(f"{program} {victim} {seed}")
    section = draw.choice(list(CHANGES))
    stage = draw.choice(CHANGES[section])
    touches = (built.root / "touches" / f"{program}-{stage}").read_text().splitlines()
    number = draw.randint(1, len(touches) - SPARE[program])
    order = {"program": program, "stage": stage, "victim": victim, "at": at or number}
    order["share"] = (0, 60, 99)[seed % 3] if not at else (60, 0)[seed < len(WORST)]
    where = f"{order} of {len(touches)}, {at or touches[number - 1]}"
    project = built.copy(folder / "project")
    project.change(**{f"{section}__value": 2 + seed})

    sabotage = {"WSSS_TEST_KILL": json.dumps(order), "WSSS_TEST_MARK": marked.mark}
    done = wsss(project, "run", "-j", "2", check=False, **sabotage)
    assert (project.root / "struck").exists(), f"{where}:\n{done.stdout}"
    assert done.returncode == (-signal.SIGKILL if victim == "engine" else 1), f"{where}:\n{done.stdout}"
    assert not marked.left(GRACE + 5), where
    done = stub.wsss(project, "run", "-j", "2", check=False)
    assert done.returncode == 0, f"{where}:\n{done.stdout}"
    assert_right(project)


class TestStage:
    @pytest.mark.parametrize("seed", drawn(range(6), 1))
    def test_killed_at_work(self, built, tmp_path, marked, seed):
        kill(built, tmp_path, marked, seed, "stage", "self")


class TestDvc:
    @pytest.mark.parametrize("seed", drawn(range(8), 0))
    def test_killed_anywhere(self, built, tmp_path, marked, seed):
        kill(built, tmp_path, marked, seed, "dvc", "self")

    @pytest.mark.parametrize(("seed", "at"), drawn(enumerate(WORST * 2), 1))
    def test_killed_where_it_hurts(self, built, tmp_path, marked, seed, at):
        kill(built, tmp_path, marked, seed, "dvc", "self", at)

    @pytest.mark.parametrize("seed", drawn(range(4), 0))
    def test_killed_while_its_stage_is_at_work(self, built, tmp_path, marked, seed):
        kill(built, tmp_path, marked, seed, "stage", "dvc")


class TestEngine:
    @pytest.mark.parametrize("seed", drawn(range(6), 1))
    def test_killed_while_dvc_saves_and_restores(self, built, tmp_path, marked, seed):
        kill(built, tmp_path, marked, seed, "dvc", "engine")

    @pytest.mark.parametrize("seed", drawn(range(4), 0))
    def test_killed_while_a_stage_is_at_work(self, built, tmp_path, marked, seed):
        kill(built, tmp_path, marked, seed, "stage", "engine")


class TestSupervisor:
    @pytest.mark.parametrize("seed", drawn(range(3), 0))
    def test_killed_anywhere(self, built, tmp_path, marked, seed):
        kill(built, tmp_path, marked, seed, "dvc", "supervisor")

    @pytest.mark.parametrize("seed", drawn(range(3), 1))
    def test_killed_while_a_stage_is_at_work(self, built, tmp_path, marked, seed):
        kill(built, tmp_path, marked, seed, "stage", "supervisor")
