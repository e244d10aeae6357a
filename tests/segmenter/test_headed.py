"""A head that learns along: on the shared map, in the checkpoint, and not in what is kept."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from stages.common.networks.encoders import train_mode
from stages.common.training.loop import fit
from stages.common.training.optimiser import make_optimizer
from stages.common.training.strategy import MAIN
from stages.segmenter.headed import Headed, headed, kept
from stages.segmenter.network import build_segmenter, network_module, rebuild_segmenter, saved_config
from stages.segmenter.network_params import FITS
from stages.segmenter.training import prepare
from stages.segmenter.upsampled import upsampled
from tests.segmenter import scenes
from tests.segmenter.test_network import encoder, options

SHARED = [name for name, fit in FITS.items() if fit.shared]
DEEPLAB = {"network": "deeplabv3plus", "options": {"decoder_channels": 8, "decoder_atrous_rates": [1, 2, 3]}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_DEVICE", "cpu")


def made(**changes):
    changes = {"terms": {"dfr": scenes.DFR}, **DEEPLAB, **changes}
    base = scenes.params()
    stride = base.encoder.model_copy(update={"output_stride": 8}).model_dump()
    chosen = scenes.params(encoder=stride, **changes)
    torch.manual_seed(chosen.seed)
    return chosen, prepare("segmenter", chosen, scenes.CLASSES, scenes.samples(Path("set"), chosen))


def trained(key, **changes):
    chosen, prepared = made(**changes)
    return prepared, fit("segmenter", prepared.strategy, prepared.samples, chosen, key)


@pytest.mark.parametrize("name", FITS)
def test_the_file_of_a_network_with_a_shared_map_says_what_scores_it(name):
    assert hasattr(importlib.import_module(network_module(name)), "scoring") == (name in SHARED)


@pytest.mark.parametrize("name", SHARED)
def test_the_map_is_what_the_scores_are_made_of(name):
    torch.manual_seed(0)
    network = build_segmenter(name, encoder("small", FITS[name].strides[0]), 3, options(name))
    both = headed(network, name, {"one": lambda n: nn.Conv2d(n, 5, 1), "all": lambda n: nn.Identity()}).eval()
    x = torch.randn(1, 3, 64, 96)
    found, features = both(x)
    torch.testing.assert_close(found, network(x), rtol=0, atol=0)
    assert features["one"].shape[:2] == (1, 5) and kept(both) is network
    stride = 4 if name in ("deeplabv3plus", "upernet", "fpn") else FITS[name].strides[0]
    assert features["all"].shape[2:] == (64 // stride, 96 // stride)
    last, library = both._scoring[0], getattr(network, "segmentation_head", None)
    again = library(features["all"]) if library else upsampled(last(features["all"]), x)
    torch.testing.assert_close(again, found)
    assert not last._forward_pre_hooks


def test_without_heads_a_network_is_as_it_is():
    network = nn.Linear(1, 1)
    assert headed(network, "fcn", {}) is network and kept(network) is network


def test_the_head_is_a_new_layer_and_the_encoder_freezes_as_before():
    chosen, prepared = made()
    main = prepared.strategy.networks[MAIN]
    assert isinstance(main, Headed) and main.encoder is prepared.network.encoder
    settings = chosen.optimizer.model_copy(update={"head_multiple": 7})
    groups = make_optimizer(main, main.encoder, settings).param_groups
    head = {id(p) for p in main.heads.parameters()}
    multiples = {g["multiple"] for g in groups if head & {id(p) for p in g["params"]}}
    assert multiples == {7}
    assert sum(len(g["params"]) for g in groups) == len(list(prepared.network.parameters())) + 2
    frozen = chosen.encoder.model_copy(update={"freeze": ["levels.0"]})
    train_mode(main, main.encoder, frozen)
    assert main.heads.training and not prepared.network.encoder.levels[0].training


def test_columns_whose_sum_is_the_loss_and_a_head_that_learns():
    before = {k: v.clone() for k, v in made()[1].strategy.networks[MAIN].heads.state_dict().items()}
    prepared, history = trained("key", epochs=3)
    assert list(history[0]) == ["epoch", "lr", "loss", "pixel", "dfr", "pairs", "fd", "fr"]
    for row in history:
        assert np.isclose(row["loss"], row["pixel"] + row["dfr"], rtol=1e-5)
        assert np.isclose(row["dfr"], row["pairs"] + row["fd"] + row["fr"], rtol=1e-5)
        assert row["pairs"] > 0 and row["fr"] > 0
    assert history[-1]["pixel"] < history[0]["pixel"]
    after = prepared.strategy.networks[MAIN].heads.state_dict()
    assert all(not torch.equal(after[name], before[name]) for name in before)


def test_the_segmenter_starts_as_without_and_what_is_kept_has_no_head():
    _, plain = made(terms={})
    _, with_head = made()
    states = [prepared.network.state_dict() for prepared in (plain, with_head)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_saved_weights_predict_the_same_with_the_head_deleted():
    chosen, prepared = made()
    fit("segmenter", prepared.strategy, prepared.samples, chosen, "key")
    main = prepared.strategy.networks[MAIN].eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted = main(x)[0]
        again = rebuild_segmenter(saved_config(chosen, tuple("abcd"))).eval()
        again.load_state_dict(prepared.network.state_dict())
        again.to(memory_format=torch.channels_last)  # as the loop left the other: or it rounds otherwise
        del main.heads
        assert torch.equal(again(x), wanted) and torch.equal(prepared.network(x), wanted)


def content(prepared, history):
    state = prepared.strategy.networks[MAIN].state_dict()  # the head's, too
    return save({name: t.contiguous() for name, t in state.items()}), history


@pytest.mark.parametrize("stop", [3, 13])
def test_killed_it_goes_on_to_the_same_bytes(monkeypatch, tmp_path, stop):
    """In the first epoch, of which nothing is kept, and in the second."""
    whole = content(*trained("key"))
    (tmp_path / "second").mkdir()
    monkeypatch.chdir(tmp_path / "second")
    placed, seen = scenes.MaskedSamples.placed, []

    def killed(self, index, rng):
        seen.append(index)
        if len(seen) == stop:
            raise KeyboardInterrupt  # a kill, as far as the loop is concerned
        return placed(self, index, rng)

    monkeypatch.setattr(scenes.MaskedSamples, "placed", killed)
    with pytest.raises(KeyboardInterrupt):
        trained("key")
    monkeypatch.setattr(scenes.MaskedSamples, "placed", placed)
    assert content(*trained("key")) == whole
