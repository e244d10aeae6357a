"""Tiny networks, samples and strategies that the tests of the training share."""

import numpy as np
import torch
from torch import nn

from stages.common.params import check
from stages.common.training.loop import fit
from stages.common.training.params import Optimizer, Training
from stages.common.training.strategy import Strategy, Turn, one

ENCODER = {
    "name": "small", "output_stride": 8, "weights": {"source": "none", "name": "", "sha256": ""},
    "mean": [0.5] * 3, "std": [0.5] * 3, "freeze": [], "batch_norm": "train",
}  # fmt: skip
OPTIMIZER = {
    "name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "decay_bias": False,
    "poly_power": 0.9, "warmup": 0.0, "head_multiple": 10, "bias_multiple": 2,
}  # fmt: skip
AUGMENT = {
    "longest_side": None, "scale": None, "crop": 16, "flip": 0.5, "jitter": [0, 0, 0, 0],
    "rand_augment": None,
}  # fmt: skip
LAST = ".scratch/training/a/key/last.pt"  # of the step "a" and the key "key"


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


class Eraser(nn.Module):
    """A network without an encoder, of two outputs."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 5))

    def forward(self, x):
        mask = torch.sigmoid(self.layers(x))
        return {"mask": mask, "size": (mask.mean(), x)}


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


def loss(networks, batch, _):
    return {"loss": (networks["main"](batch[0]) - batch[1]).square().mean() / 100}


def train(net, samples, chosen, key, watch=None, of=loss):
    """One network with one loss, as the step "a"."""
    return fit("a", one(net, of), samples, chosen, key, watch)


def erased(networks, batch, done):
    """Of main: its fit, by a ramp how an erased picture differs, and what a helper says of both."""
    x, target = batch
    seen = networks["main"](x)
    with torch.no_grad():
        mask = networks["eraser"](x)["mask"]
    again = networks["main"](x * mask)
    helped = networks["helper"](torch.cat([seen, again, x[:, :3]], 1))["size"][0]
    fit = (seen - target).square().mean() / 100
    return {"loss": fit + done * (again - seen).abs().mean() / 50 + helped, "fit": fit}


def adversary(networks, batch, done):
    """Of the eraser: main sees little of what it leaves."""
    out = networks["eraser"](batch[0])
    return {"loss": networks["main"](batch[0] * out["mask"]).abs().mean() / 10 + done * out["size"][0]}


def pair(**changes) -> Strategy:
    """Two networks in turn with ramps, and a frozen helper."""
    networks = {"main": Net(), "eraser": Eraser(), "helper": Eraser(2)}
    own = Optimizer.model_validate({**OPTIMIZER, "name": "adamw", "lr": 0.01})
    return Strategy(networks, (Turn("main", erased), Turn("eraser", adversary, own, **changes)))


def bytes_of(strategy: Strategy) -> dict[str, torch.Tensor]:
    """All tensors of all networks, copied."""
    return {
        f"{name}.{key}": tensor.clone()
        for name, network in strategy.networks.items()
        for key, tensor in network.state_dict().items()
    }


def differ(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> set[str]:
    """The names of the tensors that are not equal."""
    assert found.keys() == wanted.keys()
    return {name for name in wanted if not torch.equal(found[name], wanted[name])}
