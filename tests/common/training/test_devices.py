"""One training on two devices, which are two processes on a CPU: the same result, and how it ends."""

import json
import signal
import subprocess
import sys

import pytest
import torch

TRAINING = """
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stages.common import training
from stages.common.params import check
from stages.common.training.params import Training

CHANNELS = {"mean": [0.5] * 3, "std": [0.5] * 3}
ENCODER = {"name": "small", "output_stride": 8, "weights": {"source": "none", "name": "", "sha256": ""},
           **CHANNELS, "freeze": [], "batch_norm": "frozen"}
OPTIMIZER = {"name": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.01, "decay_bias": False,
             "poly_power": 0.9, "warmup": 0.0, "head_multiple": 10, "bias_multiple": 2}
AUGMENT = {"longest_side": None, "scale": None, "crop": 16, "flip": 0.5, "jitter": [0, 0, 0, 0]}
PARAMS = {"encoder": ENCODER, "optimizer": OPTIMIZER, "augment": AUGMENT, "batch": 4, "epochs": 6,
          "precision": "fp32", "threads": 1, "seed": 0}
MODE = sys.argv[1]
RANK = int(os.environ.get("LOCAL_RANK", 0))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh())
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.encoder(x))


class Noise:
    drawn = 0

    def __len__(self):
        return 13  # three batches an epoch

    def sample(self, index, rng):
        Noise.drawn += 1
        Path(f"rank{RANK}").touch()
        if MODE == "hang" and RANK == 1:
            signal.pause()
        if MODE == "fail" and RANK == 1:
            raise RuntimeError("rank 1 broke")
        if MODE == f"terminate{RANK}" and Noise.drawn == 11:  # in the second epoch, in the middle
            os.kill(os.getpid(), signal.SIGTERM)
        x = torch.from_numpy(rng.normal(size=5).astype(np.float32)) + index
        return x, x.sum(0, keepdim=True)


def loss(model, batch):
    loss = (model(batch[0]) - batch[1]).square().mean() / 100
    if MODE == "explode" and RANK == 1 and Noise.drawn > 6:
        loss = loss * float("nan")
    return {"loss": loss, "twice": 2 * loss}


torch.manual_seed(0)
model = Net()
try:
    history = training.fit("a", model, Noise(), loss, check(Training, PARAMS, "test"), "key")
except ValueError as error:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(2) from None
Path(f"history{RANK}.json").write_text(json.dumps(history))
assert "WSSS_RANK_ZERO" not in os.environ  # or what this process starts would end as a rank
torch.save(model.state_dict(), f"weights{RANK}.pt")
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    place = tmp_path_factory.mktemp("devices")
    (place / "train.py").write_text(TRAINING)
    return place


@pytest.fixture(scope="module")
def start(root, marked):
    """Start the training in a folder of its own; returns the process."""

    def run(devices: int, folder: str, mode: str = "well") -> subprocess.Popen:
        (root / folder).mkdir(exist_ok=True)
        known = {"WSSS_DEVICE": "cpu", "WSSS_DEVICES": str(devices), "WSSS_PROGRESS": "lines"}
        return subprocess.Popen(
            [sys.executable, "../train.py", mode], cwd=root / folder, env={**marked.env, **known},
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def trained(root, start, marked):
    """What a training on one and on two devices leaves: weights, history, and its lines on stderr."""
    found = {}
    for devices in (1, 2):
        child = start(devices, f"of{devices}")
        err = child.communicate(timeout=120)[1]
        assert child.returncode == 0, err
        assert not marked.left(2)
        found[devices] = (*result(root / f"of{devices}"), err)
    return found


def result(folder):
    assert not (folder / "weights1.pt").exists() and not (folder / "history1.json").exists()
    return torch.load(folder / "weights0.pt"), json.loads((folder / "history0.json").read_text())


def test_two_devices_train_the_same_network_as_one(trained):
    weights, history, _ = trained[1]
    torch.testing.assert_close(trained[2][0], weights, rtol=1e-4, atol=1e-4)
    for found, wanted in zip(trained[2][1], history, strict=True):  # the means of both ranks
        assert found == pytest.approx(wanted, rel=1e-4)
    assert history[-1]["loss"] < history[0]["loss"] / 2


@pytest.mark.parametrize("devices", [1, 2])
def test_progress_and_epochs_are_told_once(trained, devices):
    _, history, err = trained[devices]
    lines = [line.split(" ", 1) for line in err.splitlines() if line.startswith("@")]
    progress = [json.loads(values) for mark, values in lines if mark == "@progress"]
    assert [progress[0]["done"], progress[-1]["done"], progress[-1]["total"]] == [0, 18, 18]
    assert [row["done"] for row in progress] == sorted({row["done"] for row in progress})
    epochs = [json.loads(values) for mark, values in lines if mark == "@epoch"]
    assert [{**row, "lr": past["lr"]} for row, past in zip(epochs, history, strict=True)] == [
        {"step": "a", "epochs": 6, **past} for past in history
    ]


def test_sigterm_to_any_rank_saves_a_checkpoint_to_go_on_from(root, start, marked, trained):
    for rank, saved in ((0, 6), (1, 12)):  # the eleventh sample of a rank is in its sixth batch
        child = start(2, "ended", f"terminate{rank}")
        err = child.communicate(timeout=120)[1]
        assert child.returncode == 143, err
        assert not marked.left(2)
        state = torch.load(root / "ended/.scratch/training/a/key/last.pt", weights_only=True)
        assert state["progress"][0] == saved
    child = start(2, "ended")
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert out.count("resumed from step 12") == 1
    weights, history = result(root / "ended")
    assert history == trained[2][1]
    for name, tensor in trained[2][0].items():
        assert torch.equal(tensor, weights[name]), name


def test_all_ranks_end_with_the_first(root, start, marked, wait_for):
    """The first is killed while another waits in a sample."""
    child = start(2, "killed", "hang")
    wait_for((root / "killed/rank1").exists)
    assert len(marked.alive()) == 2
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not marked.left(2)


def test_a_rank_that_breaks_ends_all(root, start, marked):
    child = start(2, "broken", "fail")
    err = child.communicate(timeout=120)[1]
    assert child.returncode != 0 and "rank 1 broke" in err
    assert not marked.left(2)
    assert not (root / "broken/weights0.pt").exists()


def test_a_loss_that_is_not_finite_in_one_rank_is_an_error_of_the_training(start, marked):
    child = start(2, "exploded", "explode")
    err = child.communicate(timeout=120)[1]
    assert child.returncode == 2 and err.count("not finite in epoch 2, step 3") == 1
    assert not marked.left(2)
