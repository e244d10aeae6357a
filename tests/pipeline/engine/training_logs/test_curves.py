"""Which folder a training is written to: the one where it began, or a new one."""

import os
from pathlib import Path

import pytest

from pipeline.engine.training_logs import curves


def begun(place: Path, epoch: int, key: str = "k", run: str = "workspace", first: int = 1) -> curves.Curve:
    curve = curves.find(place, run, "classifier", key, first)
    curve.note(epoch)
    return curve


def test_a_training_that_goes_on_goes_on_in_its_folder(tmp_path: Path) -> None:
    """Whatever the run is called; also where its last epoch is told again, and after a pause of the logs."""
    first = begun(tmp_path, 3)
    assert first.folder == tmp_path / "workspace" / "classifier" / "1"
    assert (first.name, first.run, first.stage) == ("workspace/classifier/1", "workspace", "classifier")
    for epoch in (3, 4, 9):
        assert curves.find(tmp_path, "nightly", "classifier", "k", epoch) == first


def test_one_that_begins_again_or_has_other_inputs_gets_a_new_folder(tmp_path: Path) -> None:
    first = begun(tmp_path, 3)
    again = curves.find(tmp_path, "workspace", "classifier", "k", 2)
    other = curves.find(tmp_path, "workspace", "classifier", "other", 3)
    elsewhere = curves.find(tmp_path, "nightly", "classifier", "other", 3)
    another = curves.find(tmp_path, "workspace", "segmenter", "k", 3)
    names = [curve.name for curve in (again, other, elsewhere, another)]
    assert names == ["workspace/classifier/2", "workspace/classifier/3", "nightly/classifier/1",
                     "workspace/segmenter/1"]  # fmt: skip
    assert [curve.epoch for curve in (again, other)] == [0, 0]
    assert len({curve.id for curve in (first, again, other)}) == 3


def test_of_two_trainings_of_the_same_inputs_the_later_goes_on(tmp_path: Path) -> None:
    first, second = begun(tmp_path, 9), begun(tmp_path, 4)
    assert second.name == "workspace/classifier/2"
    for older, later, epoch in ((first, second, 5), (second, first, 10)):
        os.utime(older.folder / curves.STATE, (1, 1))
        os.utime(later.folder / curves.STATE, (2, 2))
        assert curves.find(tmp_path, "workspace", "classifier", "k", epoch) == later


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": "k"}', '{"key": "k", "id": "x", "epoch": "many"}'])
def test_a_damaged_state_is_of_no_training(tmp_path: Path, text: str) -> None:
    (begun(tmp_path, 3).folder / curves.STATE).write_text(text)
    assert curves.find(tmp_path, "workspace", "classifier", "k", 4).name == "workspace/classifier/2"


def test_a_key_is_of_what_the_result_hangs_on() -> None:
    inputs = {"cmd": "python", "deps": {"data/dataset": {"md5": "1"}}, "params": {"params.yaml": {"lr": 1}}}
    assert curves.key(inputs) == curves.key(dict(reversed(inputs.items())))
    assert curves.key(inputs) != curves.key(inputs | {"params": {"params.yaml": {"lr": 2}}})


def test_a_run_is_called_as_its_worktree(tmp_path: Path) -> None:
    main = tmp_path / "project"
    assert curves.run_of(main, main) == "workspace"
    assert curves.run_of(main / ".worktrees" / "beta-01-s0", main) == "beta-01-s0"
    assert curves.run_of(main / ".worktrees" / "beta-01" / "inner", main) == "beta-01"
    assert curves.run_of(tmp_path / "my tree", main) == "my-tree"  # one that the user has made


@pytest.mark.parametrize(
    ("stage", "step", "wanted"),
    [
        ("segmenter", "segmenter", "segmenter"),
        ("segmenter", "segmenter_edges", "segmenter_edges"),
        ("affinity@affinity_labels", "affinity", "affinity-affinity_labels"),
        ("few_shot@0", "few_shot@0", "few_shot-0"),
        ("one_step@rrm", "one_step.classification", "one_step-rrm.classification"),
        ("ceiling@segmenter", "else", "ceiling-segmenter.else"),
        ("work", "../../etc", "work...-..-etc"),
    ],
)
def test_a_stages_trainings_have_a_name_each(stage: str, step: str, wanted: str) -> None:
    assert curves.name(stage, step) == wanted


def test_a_name_is_one_folder() -> None:
    assert curves.plain("flow run brave-otter") == "flow-run-brave-otter"
    assert "/" not in curves.plain("../../x") and not curves.plain("../x").startswith(".")
    assert curves.plain("..") == curves.plain("é") == "_"
