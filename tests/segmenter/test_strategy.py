"""Losses of several heads, and two steps of every network of ours: the same bytes, killed or not."""

import numpy as np
import pytest
import torch

from stages.common.params import check, read_yaml
from stages.common.training.loop import fit
from stages.common.training.strategy import MAIN
from stages.segmenter.network_params import FITS
from stages.segmenter.params import Segmenter
from stages.segmenter.strategy import strategy, weighted
from tests.segmenter.test_network import ENCODERS, options

OURS = [name for name, fit in FITS.items() if not isinstance(fit.options, tuple)]
SMALL = {"deeplabv2": {"rates": [1, 2]}, "deeplabv1": {"rate": 2}}


def test_weighted_losses_add_up():
    x = torch.tensor(3.0)
    assert weighted(x, torch.square) == 9
    assert weighted([(x, 1.0), (2 * x, 0.5)], torch.square) == 9 + 0.5 * 36


class Noise:
    """Four pictures of 64 pixels, some of whose pixels are unknown."""

    def __init__(self, stop_at: int = -1) -> None:
        self.drawn, self.stop_at = 0, stop_at

    def __len__(self) -> int:
        return 4

    def sample(self, index: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        self.drawn += 1
        if self.drawn == self.stop_at:
            raise KeyboardInterrupt  # a kill, as far as the loop is concerned
        labels = rng.integers(0, 3, (64, 64))
        labels[rng.random((64, 64)) < 0.1] = 255
        picture = rng.standard_normal((3, 64, 64)).astype(np.float32)
        return torch.from_numpy(picture), torch.from_numpy(labels)


def params(network: str, root) -> Segmenter:
    values = read_yaml(root / "params.yaml")["segmenter"]
    values |= {"network": network, "options": {**options(network), **SMALL.get(network, {})}}
    values |= {"batch": 4, "epochs": 2, "threads": 1}
    values["augment"]["crop"] = 64
    values["encoder"] |= {"name": ENCODERS.get(network, "small"), "output_stride": FITS[network].strides[0]}
    return check(Segmenter, values, "x")


def trained(chosen: Segmenter, key: str, samples: Noise) -> tuple[dict[str, torch.Tensor], list[float]]:
    torch.manual_seed(0)
    learning = strategy(chosen, 3)
    history = fit("segmenter", learning, samples, chosen, key)
    network = learning.networks[MAIN]
    assert not network.training
    return network.state_dict(), [row["loss"] for row in history]


@pytest.mark.parametrize("network", OURS)
def test_two_steps_are_the_same_bytes_and_a_killed_training_goes_on(network, request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    chosen = params(network, request.config.rootpath)
    torch.manual_seed(0)
    before = strategy(chosen, 3).networks[MAIN].state_dict()
    state, losses = trained(chosen, "whole", Noise())
    with pytest.raises(KeyboardInterrupt):
        trained(chosen, "killed", Noise(stop_at=6))
    again, same = trained(chosen, "killed", Noise())
    assert losses == same and all(torch.equal(state[name], again[name]) for name in state)
    assert np.isfinite(losses).all()
    still = {name for name in state if torch.equal(state[name], before[name])}
    assert not still, "these weights do not learn"
