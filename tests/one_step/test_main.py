"""The step as a whole: what it writes, what costs a training again, and kills."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.common import pool
from stages.common.artifacts import read_json, read_mask
from stages.common.params import read_yaml
from stages.common.training import checkpoint
from stages.evaluation.rungs import rung, split_of
from stages.one_step import __main__ as step
from stages.one_step import classification, rrm
from tests.common.conftest import wait_for
from tests.one_step.tiny import SIDE, TRAIN, VAL, project, put
from tests.params_file import write_params

CURVE = "epoch,lr,loss,classes,cross_entropy,energy,distance,labelled"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "1")
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    return tmp_path


def written() -> dict[str, bytes]:
    files = (file for file in sorted(Path("data/one_step").rglob("*")) if file.is_file())
    return {str(file.relative_to("data/one_step")): file.read_bytes() for file in files}


def clear() -> None:
    for name in ("data/one_step", ".scratch"):
        shutil.rmtree(name)


def test_the_network_and_a_mask_for_every_picture() -> None:
    project()
    assert "6 pictures, 0 reused, 6 computed" in step.main()
    files = written()
    masks = {*(f"train/{name}.png" for name in TRAIN), *(f"val/{name}.png" for name in VAL)}
    network = ("config.json", "weights.safetensors", "history.csv", "classification.csv")
    assert set(files) == masks | {f"network/{name}" for name in network}
    labels = read_mask(Path("data/one_step/val/e.png"))
    assert labels.shape == (SIDE - 7, SIDE) and set(np.unique(labels)) <= {0, 1, 2}
    history = files["network/history.csv"].decode().splitlines()
    assert history[0] == CURVE and len(history) == 1 + 2
    assert files["network/classification.csv"].startswith(b"epoch,lr,loss\n1,")
    assert read_json(Path("data/one_step/network/config.json"))["classes"] == ["background", "cat", "dog"]
    found = rung("one_step/train")
    assert not found.maps and not found.merged
    assert split_of("one_step_train", found, step.load_pictures()) == "train"
    assert split_of("one_step", rung("one_step/val"), step.load_pictures()) == "val"


def change(**values: object) -> None:
    write_params(put(read_yaml(Path("params.yaml")), **values))


def test_equal_inputs_give_equal_bytes_in_any_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    project()
    step.main()
    before = written()
    assert "6 reused, 0 computed" in step.main() and written() == before
    clear()
    monkeypatch.setenv("WSSS_WORKERS", "2")
    step.main()
    assert written() == before


def trainings() -> dict[str, set[str]]:
    return {place.name: set(os.listdir(place)) for place in Path(".scratch/training").iterdir()}


def test_what_a_training_does_not_read_does_not_train_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to predict changes masks alone, the labels the second training alone, the encoder both."""
    project()
    step.main()
    first = trainings()
    assert set(first) == {"one_step.classification", "one_step"}
    change(predictions__flip=False, predictions__entropy=True)
    assert "0 reused, 6 computed" in step.main() and trainings() == first
    assert not Path("data/one_step/entropy").exists()
    change(predictions__entropy=False)
    assert "6 reused, 0 computed" in step.main()
    change(one_step__labels__share=0.5)
    step.main()
    second = trainings()
    assert second["one_step.classification"] == first["one_step.classification"]
    assert len(second["one_step"]) == 2
    change(one_step__classification__epochs=1)
    step.main()
    third = trainings()
    assert len(third["one_step.classification"]) == 2 and len(third["one_step"]) == 3
    change(one_step__labels__rule="cam")
    monkeypatch.setattr(rrm.reliable, "infer", None)  # no CRF is asked
    step.main()


def test_masks_are_kept_for_the_weights_that_made_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for the training's inputs alone: on another processor these give other weights."""
    project()
    step.main()
    train = rrm.train

    def elsewhere(params, network, *others):
        made = train(params, network, *others)
        with torch.no_grad():
            next(network.parameters()).mul_(1.001)
        return made

    monkeypatch.setattr(rrm, "train", elsewhere)
    assert "0 reused, 6 computed" in step.main()


class KilledError(Exception):
    """As a kill, as far as the loop is concerned."""


@pytest.mark.parametrize("at", [1, 4])
@pytest.mark.parametrize("training", ["classification", "rrm"])
def test_a_killed_training_goes_on_with_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, training: str, at: int
) -> None:
    project()
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0.0)
    step.main()
    whole = written()
    clear()
    samples = {"classification": classification.LabelledSamples, "rrm": rrm.InsideSamples}[training]
    sample, calls = samples.sample, []

    def killed(self, index, rng):
        calls.append(index)
        if len(calls) == 2 * at:
            raise KilledError
        return sample(self, index, rng)

    monkeypatch.setattr(samples, "sample", killed)
    with pytest.raises(KilledError):
        step.main()
    assert not Path("data/one_step").exists()
    step.main()
    assert len(calls) <= 2 * at + 8  # four steps of two; what was done is not done again
    assert written() == whole


def test_a_kill_between_the_masks_goes_on_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    project()
    step.main()
    whole = written()
    clear()
    labels, calls = step.SplitMasks.__call__, []

    def killed(self, batch):
        calls.append(batch)
        if len(calls) == 4:
            raise KilledError
        return labels(self, batch)

    monkeypatch.setattr(step.SplitMasks, "__call__", killed)
    with pytest.raises(KilledError):
        step.main()
    assert "3 reused, 3 computed" in step.main() and written() == whole
    assert not os.listdir(step.NETWORKS)


@pytest.mark.storm  # of a pool alone tests/common/test_pool.py, of a training that goes on the tests above
def test_a_signal_while_processes_label_leaves_a_checkpoint_and_no_process(marked) -> None:
    project(epochs=5)
    stage = subprocess.Popen(
        [sys.executable, "-m", "stages.one_step"], env={**marked.env, "WSSS_WORKERS": "2"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    checkpoints = Path(".scratch/training/one_step")
    wait_for(lambda: list(checkpoints.glob("*/last.pt")))
    assert len(marked.alive()) >= 4  # the stage, the server of forks, two processes
    stage.send_signal(signal.SIGTERM)
    assert stage.wait(60) == 128 + signal.SIGTERM
    assert not marked.left(5)
    [file] = checkpoints.glob("*/last.pt")
    assert 2 <= torch.load(file, weights_only=True)["progress"][0] < 10
    step.main()
    resumed = written()
    clear()
    step.main()
    assert written() == resumed


def test_a_first_training_alone_has_all_devices_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ranks of the second run the first again: it is on one device, and its key says no other."""
    project()
    asked: dict[str, object] = {}
    monkeypatch.setattr(classification, "fit", lambda *args, **named: asked.update(named) or [{"loss": 1.0}])
    pictures = step.load_pictures().split("train")
    params = step.load("one_step", step.OneStep)
    keys = set()
    for devices in ("1", "2"):
        monkeypatch.setenv("WSSS_DEVICES", devices)
        keys.add(classification.train(params, pictures, 2)[2])
    assert asked == {"alone": True} and len(keys) == 1
    assert pool.worker_count() == 1
