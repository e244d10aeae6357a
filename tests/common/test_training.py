"""The training loop on a linear network: resume, schedules, groups, and what is not finite."""

import json
import os
import signal
import time

import numpy as np
import pytest
import torch
from torch import nn

from stages.common import training
from stages.common.params import check
from stages.common.training_params import Training

ENCODER = {
    "name": "small", "output_stride": 8, "weights": {"source": "none", "name": "", "sha256": ""},
    "mean": [0.5] * 3, "std": [0.5] * 3, "freeze": [], "batch_norm": "train",
}  # fmt: skip
OPTIMIZER = {
    "name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "decay_bias": False,
    "poly_power": 0.9, "warmup": 0.0, "head_multiple": 10, "bias_multiple": 2,
}  # fmt: skip
AUGMENT = {"longest_side": None, "scale": None, "crop": 16, "flip": 0.5, "jitter": [0, 0, 0, 0]}


def params(**changes) -> Training:
    values = {
        "encoder": ENCODER, "optimizer": OPTIMIZER, "augment": AUGMENT,
        "batch": 4, "epochs": 3, "precision": "fp32", "threads": 1, "seed": 0,
    }  # fmt: skip
    return check(Training, {**values, **changes}, "test")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.encoder(x))


class Noise:
    def __init__(self, stop_at: int = -1) -> None:
        self.drawn, self.stop_at = 0, stop_at

    def __len__(self) -> int:
        return 13

    def sample(self, index, rng):
        self.drawn += 1
        if self.drawn == self.stop_at:
            raise KeyboardInterrupt  # a kill, as far as the loop is concerned
        x = torch.from_numpy(rng.normal(size=5).astype(np.float32)) + index
        return x, x.sum(0, keepdim=True)


def loss(model, batch):
    return {"loss": (model(batch[0]) - batch[1]).square().mean() / 100}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    monkeypatch.delenv("WSSS_DEVICES", raising=False)


@pytest.mark.parametrize("kill_at", [14, 17, 30])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_killed_and_resumed_ends_with_the_same_weights(monkeypatch, capsys, kill_at, name):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)  # at every step, so mid-epoch too
    chosen = params(optimizer={**OPTIMIZER, "name": name, "lr": 0.01})
    whole = Net()
    wanted = training.fit("a", whole, Noise(), loss, chosen, "whole")
    with pytest.raises(KeyboardInterrupt):
        training.fit("a", Net(), Noise(kill_at), loss, chosen, "key")
    resumed = Net()
    capsys.readouterr()
    monkeypatch.setenv("WSSS_PROGRESS", "lines")
    found = training.fit("a", resumed, Noise(), loss, chosen, "key")
    said = capsys.readouterr()
    step = int(said.out.partition("resumed from step ")[2])
    told = [json.loads(line.split(" ", 1)[1]) for line in said.err.splitlines() if "@progress" in line]
    assert step > 0 and (told[0]["done"], told[0]["unit"]) == (step, "steps")  # the count goes on from there
    assert told[-1]["done"] == told[0]["total"] == told[-1]["total"]
    assert found == wanted and len(found) == 3
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_checkpoint_of_another_key_is_not_used(capsys):
    training.fit("a", Net(), Noise(), loss, params(epochs=1), "one")
    training.fit("a", Net(), Noise(), loss, params(epochs=1), "two")
    assert "resumed" not in capsys.readouterr().out


def test_a_training_that_ended_is_not_lost_if_its_process_dies_before_dvc_has_saved_it(capsys):
    samples, first, again = Noise(), Net(), Net()
    wanted = training.fit("a", first, samples, loss, params(), "key")
    drawn = samples.drawn
    assert training.fit("a", again, samples, loss, params(), "key") == wanted
    assert samples.drawn == drawn  # nothing is trained anew
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert "trained before; to train anew, remove .scratch/training/a/key" in capsys.readouterr().out


def test_old_checkpoints_go_but_not_one_that_another_training_may_go_on_with(tmp_path):
    """Another working tree's: .scratch may be shared."""
    folder = tmp_path / ".scratch/training/a"
    for key, days in (("theirs", 6.9), ("old", 8)):
        training.fit("a", Net(), Noise(), loss, params(epochs=1), key)
        then = time.time() - days * 86400
        os.utime(folder / key, (then, then))
    training.fit("a", Net(), Noise(), loss, params(epochs=1), "mine")
    assert sorted(place.name for place in folder.iterdir()) == ["mine", "theirs"]


@pytest.mark.parametrize("damage", ["empty", "half", "zeros", "garbage", "other", "list", "nan"])
def test_a_damaged_checkpoint_is_none_and_said(tmp_path, monkeypatch, capsys, damage):
    wanted = training.fit("a", Net(), Noise(), loss, params(), "whole")
    place = tmp_path / ".scratch/training/a/key/last.pt"
    with pytest.raises(KeyboardInterrupt):
        training.fit("a", Net(), Noise(17), loss, params(), "key")
    content = place.read_bytes()
    state = torch.load(place, weights_only=True)
    if damage in ("other", "list", "nan"):
        tensors = state["model"]
        torch.save({
            "other": {**state, "model": {**tensors, "head.weight": torch.zeros(3)}},
            "list": [1, 2],
            "nan": {**state, "model": {**tensors, "head.weight": tensors["head.weight"] * float("nan")}},
        }[damage], place)  # fmt: skip
    else:
        middle = len(content) // 2
        hole = content[: middle - 500] + bytes(1000) + content[middle + 500 :]
        place.write_bytes(
            {"empty": b"", "half": content[:middle], "garbage": b"x" * 3000, "zeros": hole}[damage]
        )
    capsys.readouterr()
    assert training.fit("a", Net(), Noise(), loss, params(), "key") == wanted
    said = capsys.readouterr().out
    assert "last.pt is damaged (" in said and "trained from the first step" in said
    assert "resumed" not in said


def test_the_checkpoint_is_on_the_disk_before_it_takes_its_name(monkeypatch):
    """Or a power cut leaves an empty file under the name."""
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(training.os, "fsync", lambda handle: (done.append("fsync"), sync(handle)))
    monkeypatch.setattr(training.os, "replace", lambda *paths: (done.append("rename"), replace(*paths)))
    training.fit("a", Net(), Noise(), loss, params(epochs=1), "key")
    assert done == ["fsync", "rename"]


def test_what_watches_an_epoch_adds_to_its_row_and_changes_no_weight(monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    plain, watched, resumed = Net(), Net(), Net()
    rows = training.fit("a", plain, Noise(), loss, params(), "plain")

    def watch(model):
        assert not model.training
        with torch.inference_mode():
            return {"val": float(model(torch.ones(3, 5)).sum())}

    found = training.fit("a", watched, Noise(), loss, params(), "watched", watch)
    assert [{k: v for k, v in row.items() if k != "val"} for row in found] == rows
    pairs = zip(plain.state_dict().values(), watched.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    with pytest.raises(KeyboardInterrupt):
        training.fit("a", Net(), Noise(30), loss, params(), "killed", watch)
    assert training.fit("a", resumed, Noise(), loss, params(), "killed", watch) == found


def test_weights_that_only_the_last_step_made_not_finite_are_not_handed_on(tmp_path):
    """No loss follows that would show it."""

    def steep(model, batch):
        return {"loss": 1e18 * model.head.weight[0, 0]}  # finite, and so is its gradient

    chosen = params(epochs=1, batch=13, optimizer={**OPTIMIZER, "lr": 1e30})
    with pytest.raises(ValueError, match=r"head\.weight is not finite after step 1"):
        training.fit("a", Net(), Noise(), steep, chosen, "key")
    assert not (tmp_path / ".scratch/training/a/key/last.pt").exists()


def test_one_picture_under_batch_norm_is_told_in_our_words():
    class One(Noise):
        def __len__(self):
            return 1

    with pytest.raises(ValueError, match=r"a: batch norm cannot train on 1 picture.*raise a.batch \(now 4\)"):
        training.fit("a", Net(), One(), loss, params(), "key")


def test_a_checkpoint_that_cannot_be_written_leaves_no_part_of_it(tmp_path, monkeypatch):
    def full(state, file):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(training.torch, "save", full)
    with pytest.raises(OSError, match="no space left"):
        training.fit("a", Net(), Noise(), loss, params(), "key")
    assert list((tmp_path / ".scratch/training/a/key").iterdir()) == []


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("3", "WSSS_DEVICES=3 must divide the batch, which is 4"),
        ("two", "WSSS_DEVICES=two: give a number of devices, 1 or more"),
        ("0", "WSSS_DEVICES=0"),
    ],
)
def test_a_number_of_devices_that_cannot_be_is_refused(monkeypatch, devices, message):
    monkeypatch.setenv("WSSS_DEVICES", devices)
    with pytest.raises(ValueError, match=message):
        training.fit("a", Net(), Noise(), loss, params(), "key")


def test_what_is_not_finite_names_step_and_cure_and_keeps_the_checkpoint(tmp_path):
    calls = []

    def explode(model, batch):
        calls.append(1)
        value = loss(model, batch)["loss"]
        return {"loss": value * (float("nan") if len(calls) == 5 else 1)}

    message = r"not finite in epoch 2, step 4; lower a.optimizer.lr \(now 0.1\)"
    with pytest.raises(ValueError, match=message) as error:
        training.fit("a", Net(), Noise(), explode, params(), "key")
    assert "the last good state, of step 3, is in .scratch/training/a/key/last.pt" in str(error.value)
    state = torch.load(tmp_path / ".scratch/training/a/key/last.pt", weights_only=True)
    assert state["progress"][0] == 3
    assert all(torch.isfinite(t).all() for t in state["model"].values())


def test_no_good_state_is_named_where_none_was_saved():
    def explode(model, batch):
        return {"loss": loss(model, batch)["loss"] * float("nan")}

    with pytest.raises(ValueError, match="not finite") as error:
        training.fit("a", Net(), Noise(), explode, params(), "key")
    assert "last good state" not in str(error.value)


def test_poly_schedule_and_multiples_by_hand():
    net = Net()
    optimizer = training.make_optimizer(net, net.encoder, params().optimizer)
    training.set_rate(optimizer, params().optimizer, 0.5)
    rate = 0.1 * 0.5**0.9
    found = {
        (tuple(sorted(p.ndim for p in g["params"])), round(g["lr"] / rate, 6), g["weight_decay"])
        for g in optimizer.param_groups
    }
    assert found == {((2,), 1, 0.01), ((1, 1, 1), 2, 0.0), ((2,), 10, 0.01), ((1,), 20, 0.0)}
    assert {g["momentum"] for g in optimizer.param_groups} == {0.9}


def test_warmup_is_linear():
    net = Net()
    chosen = params(optimizer={**OPTIMIZER, "warmup": 0.5, "poly_power": 0.0}).optimizer
    optimizer = training.make_optimizer(net, net.encoder, chosen)
    training.set_rate(optimizer, chosen, 0.25)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05, rel=0.01)


def test_frozen_parts_do_not_change():
    net = Net()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    training.fit(
        "a", net, Noise(), loss, params(encoder={**ENCODER, "freeze": ["0"], "batch_norm": "frozen"}), "k"
    )
    after = net.state_dict()
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert changed == {"head.weight", "head.bias"}


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(ValueError, match="fp16 needs a GPU"):
        training.fit("a", Net(), Noise(), loss, params(precision="fp16"), "key")


def test_unknown_frozen_block_names_the_nearest():
    chosen = params(encoder={**ENCODER, "freeze": ["O"]})
    with pytest.raises(ValueError, match="no block 'O'"):
        training.fit("a", Net(), Noise(), loss, chosen, "key")


def test_sigterm_saves_the_step_and_ends(tmp_path, monkeypatch):
    """In the middle of an epoch, where no checkpoint is due."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", float("inf"))

    class Ended(Noise):
        def sample(self, index, rng):
            found = super().sample(index, rng)
            if self.drawn == 6:  # of the second batch of four
                signal.raise_signal(signal.SIGTERM)
            return found

    with pytest.raises(SystemExit) as end:
        training.fit("a", Net(), Ended(), loss, params(), "key")
    assert end.value.code == 143
    state = torch.load(tmp_path / ".scratch/training/a/key/last.pt", weights_only=True)
    assert state["progress"][0] == 2


class Numbers:
    """Samples that a process of the loader can have."""

    def __len__(self):
        return 4

    def sample(self, index, rng):
        return (torch.tensor([index, int(rng.integers(1000)), os.getpid()]),)


def test_the_loaders_processes_are_not_forked_and_draw_the_same_samples(monkeypatch):
    """A fork of a process with threads may wait for ever."""
    monkeypatch.delenv("WSSS_START_METHOD", raising=False)
    drawn, batches = training._Drawn(Numbers(), 0), [[(0, 1), (0, 3)], [(1, 0), (1, 2)]]
    here = [batch[0] for batch in training._loader(drawn, batches, 0, False)]
    loader = training._loader(drawn, batches, 1, False)
    assert loader.multiprocessing_context.get_start_method() != "fork"
    there = [batch[0] for batch in loader]
    assert [batch[:, :2].tolist() for batch in there] == [batch[:, :2].tolist() for batch in here]
    assert os.getpid() not in {pid for batch in there for pid in batch[:, 2].tolist()}


def test_who_is_rank_zero_is_not_taken_for_its_own_child(monkeypatch):
    monkeypatch.setenv(training.RANK_ZERO, str(os.getpid()))
    monkeypatch.setattr(training, "die_with_parent", lambda *_: pytest.fail("it would end"))
    training._know_rank_zero()
    assert os.environ[training.RANK_ZERO] == str(os.getpid())


def test_a_second_training_on_several_devices_is_refused_with_a_reason(monkeypatch):
    """Its ranks would run the command again, and with it the first training."""
    monkeypatch.setattr(training, "_launches", [])
    monkeypatch.delenv(training.RANK_ZERO, raising=False)
    training._know_rank_zero()
    assert os.environ.pop(training.RANK_ZERO) == str(os.getpid())
    with pytest.raises(RuntimeError, match="on several devices once"):
        training._know_rank_zero()
