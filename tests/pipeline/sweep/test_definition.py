"""What a sweep is: its runs and their names, what is kept of it, what the schema refuses."""

import shutil
from dataclasses import replace

import pytest

from pipeline.project import git
from pipeline.sweep import definition
from pipeline.sweep.definition import Sweep, Trial
from stages.common.params import read_yaml
from tests.conftest import ROOT, Project

POINTS = ({"seeds.method": "vgatt", "a.b": [0.5, 1]}, {"seeds.method": "cam", "a.b": None})
SWEEP = Sweep("beta", "f" * 40, None, POINTS, "2026-01-01T00:00:00+0000")
BASE = {"generate": {"seed": 5}, "classifier": {"seed": 0, "deep": {"seed": 0}}, "seeds": {"method": "cam"}}


def test_a_point_without_seeds_is_one_run():
    assert SWEEP.trials(BASE) == [
        Trial("beta-01", "beta-01", None, POINTS[0]), Trial("beta-02", "beta-02", None, POINTS[1]),
    ]  # fmt: skip


def test_a_point_with_seeds_is_a_run_each():
    """Every key `seed`, but that of the data set."""
    trials = replace(SWEEP, seeds=2).trials(BASE)
    assert [(trial.name, trial.point, trial.seed) for trial in trials] == [
        ("beta-01-s0", "beta-01", 0), ("beta-01-s1", "beta-01", 1),
        ("beta-02-s0", "beta-02", 0), ("beta-02-s1", "beta-02", 1),
    ]  # fmt: skip
    assert trials[3].overrides == {**POINTS[1], "classifier.seed": 1, "classifier.deep.seed": 1}


def test_the_recipe_s_seeds():
    assert definition.seed_keys(read_yaml(ROOT / "params.yaml")) == [
        "classifier.seed", "ordinary_classifier.seed", "diagnosis.seed", "saliency.seed",
        "saliency.network.seed", "affinity.seed", "graph.seed", "segmenter.seed", "one_step.seed",
        "few_shot.seed",
    ]  # fmt: skip


def test_it_is_kept_as_it_was(tmp_path):
    definition.write(tmp_path, SWEEP)
    again = definition.read(tmp_path, "beta")
    assert again == SWEEP and [list(values) for values in again.points] == [["seeds.method", "a.b"]] * 2
    assert definition.names(tmp_path) == ["beta"]
    short = replace(SWEEP, to=("seeds", "explanation"))
    definition.write(tmp_path, short)
    assert definition.read(tmp_path, "beta") == short and not short.same_as(SWEEP)


def test_one_that_is_not_there_or_spoilt(tmp_path):
    with pytest.raises(
        ValueError, match=r"^there is no sweep 'beta' \(no reports/sweeps/beta/sweep.yaml\); there"
    ):
        definition.read(tmp_path, "beta")
    definition.write(tmp_path, SWEEP)
    (tmp_path / "reports/sweeps/beta/sweep.yaml").write_text("name: beta\n")
    with pytest.raises(ValueError, match=r"^reports/sweeps/beta/sweep.yaml is damaged: 'points'; remove it"):
        definition.read(tmp_path, "beta")


def test_a_name_of_its_own():
    def name(revision="f", points=POINTS, seeds=None, to=()):
        return definition.default_name(revision, list(points), seeds, to)

    assert name() == name() and name().startswith("grid-")
    assert len({name(), name("e"), name(points=POINTS[:1]), name(seeds=2), name(to=["seeds"])}) == 5


@pytest.mark.parametrize(
    ("worktree", "sweep"),
    [("beta-01", "beta"), ("beta-12-s3", "beta"), ("beta-plan", "beta"), ("beta-two-01", "beta-two"),
     ("beta", None), ("beta-1", None), ("beta-01-s", None), ("xbeta-01", None), ("nightly", None)],
)  # fmt: skip
def test_whose_worktree_it_is(tmp_path, worktree, sweep):
    for name in ("beta", "beta-two"):
        definition.write(tmp_path, replace(SWEEP, name=name))
    assert definition.sweep_of(tmp_path, worktree) == sweep


def test_values_by_key():
    assert definition.with_values(BASE, {"classifier.deep.seed": 7})["classifier"] == {
        "seed": 0,
        "deep": {"seed": 7},
    }
    assert BASE["classifier"]["deep"] == {"seed": 0}
    assert definition.value_at(BASE, "classifier.deep.seed") == 0
    assert definition.value_at(BASE, "classifier.shallow.seed") is None


def test_the_schema_is_asked_about_every_point(tmp_path):
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    project = Project(tmp_path)
    project.run("git", "init", "-q")
    project.run("git", "add", "-A")
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "recipe")
    beta = "pseudo_labels.random_walk.beta"
    points = (
        {"seeds.method": "cam", beta: 0},
        {"seeds.method": "kam", beta: 4},
        {"seeds.method": "vgatt", beta: 4},
    )
    sweep = replace(SWEEP, revision=git.resolve(tmp_path, "HEAD"), points=points)
    first, second = definition.problems(tmp_path, sweep, definition.base_values(tmp_path, sweep.revision))
    assert first.startswith(f"seeds.method=cam {beta}=0: {beta}: Input should be greater than ")
    assert second.startswith(f"seeds.method=kam {beta}=4: seeds.method: Input should be 'cam', 'grad_cam', ")
