"""Trained networks in their folders: what is damaged, foreign or not finite is one message."""

import pytest
import torch
from torch import nn

from stages.common.networks import store

HISTORY = [{"epoch": 1, "lr": 0.1, "loss": 1.0}]


@pytest.fixture
def saved(tmp_path):
    model = nn.Conv2d(3, 2, 1)
    store.save_network(tmp_path / "network", model, {"classes": ["a"]}, HISTORY)
    return tmp_path / "network"


def test_what_was_saved_is_loaded(saved):
    model = nn.Conv2d(3, 2, 1).train()
    store.save_network(saved, model, {"classes": ["a"]}, HISTORY)
    found = store.load_into(nn.Conv2d(3, 2, 1), saved)
    assert torch.equal(found.weight, model.weight) and torch.equal(found.bias, model.bias)
    assert not found.training and store.read_config(saved, "classes") == {"classes": ["a"]}


@pytest.mark.parametrize(
    ("groups", "place", "wanted"),
    [
        (4, "cuda", torch.contiguous_format),
        (4, torch.device("cuda", 1), torch.contiguous_format),
        (4, "cpu", torch.channels_last),
        (2, "cuda", torch.channels_last),
        (1, "cuda", torch.channels_last),
    ],
)
def test_depthwise_convolutions_lie_otherwise_on_a_gpu(groups, place, wanted):
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=groups))
    assert store.layout(model, place) == wanted


def test_a_loaded_network_has_its_layout(saved, monkeypatch):
    assert store.load_into(nn.Conv2d(3, 2, 1), saved).weight.is_contiguous(memory_format=torch.channels_last)
    asked = []
    monkeypatch.setattr(store, "layout", lambda model, place: asked.append(place) or torch.contiguous_format)
    store.load_into(nn.Conv2d(3, 2, 1), saved, "cpu:0")
    assert asked == ["cpu:0"]


@pytest.mark.parametrize("damage", ["cut", "empty", "header", "pickle"])
def test_damaged_weights_are_one_message(saved, damage):
    path = saved / "weights.safetensors"
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[: len(content) - 5],
            "empty": b"",
            "header": (2**60).to_bytes(8, "little") + content[8:],
            "pickle": b"\x80\x04K\x01.",
        }[damage]
    )
    with pytest.raises(ValueError, match=r"weights\.safetensors is damaged"):
        store.load_into(nn.Conv2d(3, 2, 1), saved)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (nn.Conv2d(3, 4, 1), r"2 of another shape, e.g. weight \[2, 3, 1, 1\] for \[4, 3, 1, 1\]"),
        (nn.Sequential(nn.Conv2d(3, 2, 1)), r"2 missing, e.g. 0\.weight; 2 not known, e.g. \w+"),
    ],
)
def test_weights_of_another_network_are_one_message(saved, other, message):
    with pytest.raises(ValueError, match=message):
        store.load_into(other, saved)


def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(saved, monkeypatch):
    model = nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        model.bias[1] = float("inf")
    with pytest.raises(ValueError, match="bias is not finite"):
        store.save_network(saved, model, {}, HISTORY)
    store.load_into(nn.Conv2d(3, 2, 1), saved)  # that of before is still there
    with monkeypatch.context() as patch:
        patch.setattr(store, "not_finite", lambda _: "")
        store.save_network(saved, model, {}, HISTORY)
    with pytest.raises(ValueError, match="bias is not finite: its training diverged"):
        store.load_into(nn.Conv2d(3, 2, 1), saved)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[1]", "must hold an object"),
        ('{"classes": []}', "it has no encoder"),
    ],
)
def test_a_damaged_or_foreign_config_is_one_message(saved, text, message):
    (saved / "config.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        store.read_config(saved, "classes", "encoder")


def test_missing_weights_are_named(saved):
    (saved / "weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"weights\.safetensors is missing"):
        store.load_into(nn.Conv2d(3, 2, 1), saved)
