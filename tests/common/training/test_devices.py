"""One training on two devices, which are two processes on a CPU: the same result, and how it ends."""

import json
import signal
import socket
import subprocess
import sys

import pytest
import torch

from tests.conftest import drawn

TRAINING = """
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stages.common.training.loop import fit
from stages.common.training.params import Optimizer
from stages.common.training.strategy import Strategy, Turn, one
from tests.common.training import tiny

MODE = sys.argv[1]
RANK = int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)
OPTIMIZER = {**tiny.OPTIMIZER, "lr": 0.01}
PARAMS = tiny.params(optimizer=OPTIMIZER, encoder={**tiny.ENCODER, "batch_norm": "frozen"}, epochs=6)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh())
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.encoder(x))


class Eraser(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6), nn.Linear(6, 5))
        self.norm = nn.BatchNorm1d(5)
        self.second = nn.Linear(5, 1)

    def forward(self, x):
        mask = torch.sigmoid(self.layers(x))
        return {"mask": mask, "size": (mask.mean(), self.norm(x)), "unused": self.second(x)}


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


def loss(networks, batch, done):
    loss = (networks["main"](batch[0]) - batch[1]).square().mean() / 100
    if MODE == "explode" and RANK == 1 and Noise.drawn > 6:
        loss = loss * float("nan")
    return {"loss": loss, "twice": 2 * loss}


def twice(networks, batch, done):
    # As Puzzle does: the learner computes two kinds of input.
    x, target = batch
    whole, part = networks["main"](x), networks["main"](x[:, [1, 0, 2, 4, 3]])
    with torch.no_grad():
        mask = networks["eraser"](x)["mask"]
    erased = networks["helper"](x * mask + part)["mask"]
    fit = (whole - target).square().mean() / 100
    return {"loss": fit + done * (whole - part).abs().mean() / 10 + erased.mean(), "fit": fit}


def adversary(networks, batch, done):
    x = batch[0]
    out, other = networks["eraser"](x), networks["eraser"](x + 1)
    left = networks["main"](x * out["mask"]).abs().mean() / 10
    return {"loss": left + done * (out["size"][0] + other["size"][0])}


def strategy():
    torch.manual_seed(0)
    if MODE.startswith("turns"):
        own = Optimizer.model_validate({**OPTIMIZER, "lr": 0.02})
        networks = {"main": Net(), "eraser": Eraser(), "helper": Eraser()}
        due = lambda step: step % 4 != 1
        return Strategy(networks, (Turn("main", twice), Turn("eraser", adversary, own, due)))
    if MODE == "puzzle":
        return Strategy({"main": Net(), "eraser": Eraser(), "helper": Eraser()}, (Turn("main", twice),))
    return one(Net(), loss)


# "turns": batch norm is frozen, so that two devices give what one gives. "turns-norm": it trains.
if MODE in ("turns-norm", "puzzle"):
    PARAMS = PARAMS.model_copy(update={"encoder": PARAMS.encoder.model_copy(update={"batch_norm": "train"})})
chosen = strategy()
if MODE.startswith("turns") or MODE == "puzzle":  # what each rank has in the end, before it leaves
    from stages.common.training import learners

    end = learners.Learners.end

    def told(self):
        end(self)
        tensors = {name: net.state_dict() for name, net in self.strategy.networks.items()}
        torch.save(tensors, f"all{RANK}.pt")

    learners.Learners.end = told
try:
    history = fit("a", chosen, Noise(), PARAMS, "key")
except ValueError as error:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(2) from None
Path(f"history{RANK}.json").write_text(json.dumps(history))
assert "WSSS_RANK_ZERO" not in os.environ  # or what this process starts would end as a rank
torch.save(chosen.networks["main"].state_dict(), f"weights{RANK}.pt")
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


def test_two_hosts_under_torchrun_train_the_same_network(root, marked, trained):
    """Two launchers in two folders, on the loopback. The first host alone returns from the training."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    hosts = []
    for number in (0, 1):
        (root / f"host{number}").mkdir()
        command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
        command += ["--node-rank", str(number), "--master-addr", "127.0.0.1", "--master-port", str(port)]
        hosts.append(
            subprocess.Popen(
                [*command, "../train.py", "well"], cwd=root / f"host{number}",
                env={**marked.env, "WSSS_DEVICE": "cpu", "WSSS_PROGRESS": "lines"},
                text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
    said = [host.communicate(timeout=120)[1] for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], said
    assert sorted(path.name for path in (root / "host1").iterdir()) == ["rank1"]
    weights, history = result(root / "host0")
    for name, tensor in trained[2][0].items():  # as two processes of one host, to the bit
        assert torch.equal(tensor, weights[name]), name
    assert history == trained[2][1]
    assert "@epoch" in said[0] and "@epoch" not in said[1]


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


@pytest.mark.storm
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


@pytest.mark.storm
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


@pytest.mark.storm
def test_a_loss_that_is_not_finite_in_one_rank_is_an_error_of_the_training(start, marked):
    child = start(2, "exploded", "explode")
    err = child.communicate(timeout=120)[1]
    assert child.returncode == 2 and err.count("not finite in epoch 2, step 3") == 1
    assert not marked.left(2)


def turned(root, folder):
    """The tensors of all networks, by rank."""
    files = sorted((root / folder).glob("all*.pt"))
    return [
        {
            f"{name}.{key}": tensor
            for name, network in torch.load(file).items()
            for key, tensor in network.items()
        }
        for file in files
    ]


def test_two_networks_in_turn_train_on_two_devices_as_on_one(root, start, marked):
    found, rows = {}, {}
    for devices in (1, 2):
        child = start(devices, f"turns{devices}", "turns")
        err = child.communicate(timeout=120)[1]
        assert child.returncode == 0, err
        assert not marked.left(2)
        found[devices], rows[devices] = turned(root, f"turns{devices}"), result(root / f"turns{devices}")[1]
    first, second = found[2]
    assert all(torch.equal(first[name], second[name]) for name in first)
    exact = {name: tensor for name, tensor in found[1][0].items() if not name.startswith("eraser.norm")}
    torch.testing.assert_close({name: first[name] for name in exact}, exact, rtol=1e-4, atol=1e-4)
    for row, wanted in zip(rows[2], rows[1], strict=True):
        assert row == pytest.approx(wanted, rel=1e-3, abs=1e-5)
    assert list(rows[2][0]) == ["epoch", "lr", "loss", "fit", "eraser.loss"]
    assert rows[2][-1]["fit"] < rows[2][0]["fit"] / 2


@pytest.mark.parametrize("mode", drawn(["puzzle", "turns-norm"], 0))
def test_ranks_have_the_same_weights_and_statistics_where_batch_norm_trains(root, start, marked, mode):
    """Although each has another half of the batch, and a network is called twice before the gradient."""
    child = start(2, mode, mode)
    err = child.communicate(timeout=120)[1]
    assert child.returncode == 0, err
    assert not marked.left(2)
    first, second = turned(root, mode)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["main.encoder.1.running_mean"].abs().max() > 0.1
    assert first["main.encoder.1.num_batches_tracked"] == 36  # eighteen steps of two calls
    moved = first["eraser.norm.running_mean"].abs().max() > 0.1
    assert moved == (mode == "turns-norm")  # only where it learns
