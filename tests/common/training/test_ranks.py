"""Where a training may compute; how it goes on several devices is in test_devices.py."""

import os

import pytest

from stages.common.training import ranks
from tests.common.training.tiny import Net, Noise, params, train


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(ValueError, match="fp16 needs a GPU"):
        train(Net(), Noise(), params(precision="fp16"), "key")


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
        train(Net(), Noise(), params(), "key")


def test_a_batch_that_torchruns_processes_cannot_share_is_refused(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ValueError, match="torchrun's 3 processes must divide the batch, which is 4"):
        train(Net(), Noise(), params(), "key")


def test_who_is_rank_zero_is_not_taken_for_its_own_child(monkeypatch):
    monkeypatch.setenv(ranks.RANK_ZERO, str(os.getpid()))
    monkeypatch.setattr(ranks, "die_with_parent", lambda *_: pytest.fail("it would end"))
    ranks._know_rank_zero()
    assert os.environ[ranks.RANK_ZERO] == str(os.getpid())


def test_a_second_training_on_several_devices_is_refused_with_a_reason(monkeypatch):
    """Its ranks would run the command again, and with it the first training."""
    monkeypatch.setattr(ranks, "_launches", [])
    monkeypatch.delenv(ranks.RANK_ZERO, raising=False)
    ranks._know_rank_zero()
    assert os.environ.pop(ranks.RANK_ZERO) == str(os.getpid())
    with pytest.raises(RuntimeError, match="on several devices once"):
        ranks._know_rank_zero()


def test_a_training_alone_starts_no_ranks(monkeypatch):
    """Also where the batch would not divide: it is not shared."""
    monkeypatch.setenv("WSSS_DEVICES", "3")
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    monkeypatch.setattr(ranks, "_launched", lambda *_: pytest.fail("ranks were started"))
    fabric = ranks.make_fabric(params(), 13, static=True, alone=True)
    assert fabric.world_size == 1 and fabric.device.type == "cpu"
