"""Kill, resume, damage, and what is kept for how long."""

import json
import os
import signal
import time

import pytest
import torch

from stages.common.training import checkpoint
from stages.common.training.loop import fit
from tests.common.training.tiny import LAST, OPTIMIZER, Net, Noise, bytes_of, differ, pair, params, train


@pytest.mark.parametrize("kill_at", [14, 17, 30])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_killed_and_resumed_ends_with_the_same_weights(monkeypatch, capsys, kill_at, name):
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0)  # at every step, so mid-epoch too
    chosen = params(optimizer={**OPTIMIZER, "name": name, "lr": 0.01})
    whole = Net()
    wanted = train(whole, Noise(), chosen, "whole")
    with pytest.raises(KeyboardInterrupt):
        train(Net(), Noise(kill_at), chosen, "key")
    resumed = Net()
    capsys.readouterr()
    monkeypatch.setenv("WSSS_PROGRESS", "lines")
    found = train(resumed, Noise(), chosen, "key")
    said = capsys.readouterr()
    step = int(said.out.partition("resumed from step ")[2])
    told = [json.loads(line.split(" ", 1)[1]) for line in said.err.splitlines() if "@progress" in line]
    assert step > 0 and (told[0]["done"], told[0]["unit"]) == (step, "steps")  # the count goes on from there
    assert told[-1]["done"] == told[0]["total"] == told[-1]["total"]
    assert found == wanted and len(found) == 3
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_random_numbers_go_on_where_they_were(kind):
    """Dropout on a GPU draws from the GPU's own generator."""
    if kind == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    place = torch.device(kind, 0) if kind == "cuda" else torch.device(kind)
    states = checkpoint.random_state(place)
    drawn = torch.rand(5), torch.rand(5, device=place)
    checkpoint.set_random_state(states, place)
    assert torch.equal(drawn[0], torch.rand(5)) and torch.equal(drawn[1], torch.rand(5, device=place))


def test_a_checkpoint_of_another_key_is_not_used(capsys):
    train(Net(), Noise(), params(epochs=1), "one")
    train(Net(), Noise(), params(epochs=1), "two")
    assert "resumed" not in capsys.readouterr().out


def test_a_training_that_ended_is_not_lost_if_its_process_dies_before_dvc_has_saved_it(capsys):
    samples, first, again = Noise(), Net(), Net()
    wanted = train(first, samples, params(), "key")
    drawn = samples.drawn
    assert train(again, samples, params(), "key") == wanted
    assert samples.drawn == drawn  # nothing is trained anew
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert "trained before; to train anew, remove .scratch/training/a/key" in capsys.readouterr().out


def test_old_checkpoints_go_but_not_one_that_another_training_may_go_on_with(tmp_path):
    """Another working tree's: .scratch may be shared."""
    folder = tmp_path / ".scratch/training/a"
    for key, days in (("theirs", 6.9), ("old", 8)):
        train(Net(), Noise(), params(epochs=1), key)
        then = time.time() - days * 86400
        os.utime(folder / key, (then, then))
    train(Net(), Noise(), params(epochs=1), "mine")
    assert sorted(place.name for place in folder.iterdir()) == ["mine", "theirs"]


@pytest.mark.parametrize(
    "damage", ["empty", "half", "zeros", "garbage", "other", "list", "nan", "names", "part"]
)
def test_a_damaged_checkpoint_is_none_and_said(tmp_path, monkeypatch, capsys, damage):
    wanted = train(Net(), Noise(), params(), "whole")
    place = tmp_path / LAST
    with pytest.raises(KeyboardInterrupt):
        train(Net(), Noise(17), params(), "key")
    content = place.read_bytes()
    state = torch.load(place, weights_only=True)
    if damage in ("other", "list", "nan", "names", "part"):
        tensors = state["networks"]["main"]
        bad = tensors["head.weight"] * float("nan")
        torch.save({
            "other": {**state, "networks": {"main": {**tensors, "head.weight": torch.zeros(3)}}},
            "list": [1, 2],
            "nan": {**state, "networks": {"main": {**tensors, "head.weight": bad}}},
            "names": {**state, "networks": {"oc": tensors}, "optimizers": {"oc": {}}},
            "part": {name: value for name, value in state.items() if name != "random"},
        }[damage], place)  # fmt: skip
    else:
        middle = len(content) // 2
        hole = content[: middle - 500] + bytes(1000) + content[middle + 500 :]
        place.write_bytes(
            {"empty": b"", "half": content[:middle], "garbage": b"x" * 3000, "zeros": hole}[damage]
        )
    capsys.readouterr()
    assert train(Net(), Noise(), params(), "key") == wanted
    said = capsys.readouterr().out
    assert "last.pt is damaged (" in said and "trained from the first step" in said
    assert "resumed" not in said


def test_the_checkpoint_is_on_the_disk_before_it_takes_its_name(monkeypatch):
    """Or a power cut leaves an empty file under the name."""
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(checkpoint.os, "fsync", lambda handle: (done.append("fsync"), sync(handle)))
    monkeypatch.setattr(checkpoint.os, "replace", lambda *paths: (done.append("rename"), replace(*paths)))
    train(Net(), Noise(), params(epochs=1), "key")
    assert done == ["fsync", "rename"]


def test_a_checkpoint_that_cannot_be_written_leaves_no_part_of_it(tmp_path, monkeypatch):
    def full(state, file):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(OSError, match="no space left"):
        train(Net(), Noise(), params(), "key")
    assert list((tmp_path / ".scratch/training/a/key").iterdir()) == []


def test_sigterm_saves_the_step_and_ends(tmp_path, monkeypatch):
    """In the middle of an epoch, where no checkpoint is due."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", float("inf"))

    class Ended(Noise):
        def sample(self, index, rng):
            found = super().sample(index, rng)
            if self.drawn == 6:  # of the second batch of four
                signal.raise_signal(signal.SIGTERM)
            return found

    with pytest.raises(SystemExit) as end:
        train(Net(), Ended(), params(), "key")
    assert end.value.code == 143
    state = torch.load(tmp_path / LAST, weights_only=True)
    assert state["progress"][0] == 2


def but_one(step):
    return step != 1


class Few(Noise):
    """Two steps of two samples an epoch."""

    def __len__(self):
        return 5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_networks_in_turn_killed_at_every_step_end_with_the_same_bytes(monkeypatch, capsys, precision):
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0)
    chosen = params(precision=precision, batch=2, epochs=2)
    whole = pair(due=but_one)
    before = bytes_of(whole)
    history = fit("a", whole, Few(), chosen, "whole")
    wanted = bytes_of(whole)
    moved = differ(wanted, before)
    assert {"main.head.weight", "eraser.layers.0.weight"} <= moved and not any("helper" in n for n in moved)
    for step in range(1, 4):
        key, killed, resumed = f"key{step}", pair(due=but_one), pair(due=but_one)
        with pytest.raises(KeyboardInterrupt):
            fit("a", killed, Few(2 * step + 1), chosen, key)
        assert differ(bytes_of(killed), wanted)
        capsys.readouterr()
        assert fit("a", resumed, Few(), chosen, key) == history
        assert capsys.readouterr().out == f"resumed from step {step}\n"
        assert not differ(bytes_of(resumed), wanted), step


def test_networks_and_optimizers_are_saved_by_name_and_helpers_are_not(tmp_path):
    fit("a", pair(), Noise(), params(epochs=1), "key")
    state = torch.load(tmp_path / LAST, weights_only=True)
    assert set(state["networks"]) == set(state["optimizers"]) == {"main", "eraser"}
    assert state["networks"]["eraser"].keys() == pair().networks["eraser"].state_dict().keys()
    rates = {name: group["param_groups"][0]["lr"] for name, group in state["optimizers"].items()}
    done = (1 - 2 / 3) ** 0.9  # at the last of three steps
    assert rates == pytest.approx({"main": 0.1 * done, "eraser": 10 * 0.01 * done})


def test_a_second_network_that_is_not_finite_is_damage(tmp_path, capsys):
    wanted = fit("a", pair(), Noise(), params(epochs=1), "key")
    state = torch.load(tmp_path / LAST, weights_only=True)
    state["networks"]["eraser"]["layers.0.bias"][0] = float("inf")
    torch.save(state, tmp_path / LAST)
    assert fit("a", pair(), Noise(), params(epochs=1), "key") == wanted
    assert (
        "last.pt is damaged (layers.0.bias is not finite): trained from the first" in capsys.readouterr().out
    )
