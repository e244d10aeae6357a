"""RRM's network (ZHANG 2.2.3, 2.3.1): one encoder, a branch that classifies and two that segment."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder
from stages.one_step.attention import attended
from stages.one_step.params import Heads

DROPOUT = 0.5  # of whole channels, before the class scores


class Found(NamedTuple):
    """What the losses need, of pictures [B, 3, H, W]."""

    classes: Tensor  # scores [B, C] of the C foreground classes
    masks: Tensor  # scores [B, C + 1, h, w], the background first
    features: Tensor  # F_m [B, M, h, w], of the local branch and of the attention (Eq. 2.22)


class Rrm(nn.Module):
    """Scores [B, C + 1, H, W] of pictures [B, 3, H, W]: the mean of both branches (Eq. 2.13), bilinear."""

    def __init__(self, encoder: nn.Module, classes: int, heads: Heads) -> None:
        super().__init__()
        self.encoder = encoder
        channels: int = encoder.out_channels[-1]  # type: ignore[index, assignment]
        width, wide = heads.attention_width, heads.dilation
        self.reweighted = heads.attention == "reweighted"
        self.drop = nn.Dropout2d(DROPOUT)
        self.classes = nn.Conv2d(channels, classes, 1, bias=False)
        nn.init.zeros_(self.classes.weight)  # as the classifier's head: no noise is left in the maps
        self.local = nn.Conv2d(channels, heads.local, 3, padding=wide, dilation=wide)
        self.local_scores = nn.Conv2d(heads.local, classes + 1, 3, padding=wide, dilation=wide)
        self.attention = nn.ModuleList(nn.Conv2d(channels, width, 1, bias=False) for _ in range(3))
        self.far = nn.Conv2d(2 * width, width, 3, padding=1)
        self.far_scores = nn.Conv2d(width, classes + 1, 3, padding=1)

    def features(self, pictures: Tensor) -> Tensor:
        """The encoder's last level, F [B, D, h, w]."""
        found: Tensor = self.encoder(pictures)[-1]
        return found

    def forward(
        self, pictures: Tensor, asked: Literal["masks", "classes", "maps", "all"] = "masks"
    ) -> Tensor | Found:
        """`masks`, at the pictures' size; `classes`, scores [B, C]; `maps`, the signed CAM [B, C, h, w],
        whose means are the class scores without dropout (Eq. 2.1); `all` in one pass, as `Found`.
        """
        features = self.features(pictures)
        if asked == "classes":
            return self._classify(features)
        if asked == "maps":
            return F.conv2d(features, self.classes.weight)
        scores, common = self._segment(features)
        if asked == "all":
            return Found(self._classify(features), scores, common)
        return F.interpolate(scores, pictures.shape[2:], mode="bilinear", align_corners=False)

    def _classify(self, features: Tensor) -> Tensor:
        return self.classes(self.drop(features).mean((2, 3), keepdim=True)).flatten(1)

    def _segment(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [B, C + 1, h, w], and F_m (Eq. 2.8-2.13, 2.22)."""
        local = self.local(features).relu()
        f1, f2, f3 = (layer(features) for layer in self.attention)
        far = torch.cat([attended(f1, f2, f3, self.reweighted), f3], 1)
        scores = self.local_scores(local) + self.far_scores(self.far(far).relu())
        return scores / 2, torch.cat([local, far], 1)


@contextlib.contextmanager
def still(network: nn.Module) -> Iterator[None]:
    """Inside the block the network is in eval mode and no gradient is noted; then every module is as it was.

    Pictures at other scales would spoil the running statistics of batch norm.
    """
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def build_rrm(encoder: Encoder, classes: int, heads: Heads) -> Rrm:
    """A new network of `classes` foreground classes with the encoder's initial weights."""
    return Rrm(build_encoder(encoder), classes, heads)


def saved_config(encoder: Encoder, heads: Heads, classes: tuple[str, ...]) -> dict[str, Any]:
    """What config.json holds."""
    return {"encoder": encoder.model_dump(), "heads": heads.model_dump(), "classes": list(classes)}


def rebuild_rrm(config: dict[str, Any]) -> Rrm:
    """The network of a saved config.json, without weights (they are loaded next)."""
    params = Encoder.model_validate(config["encoder"])
    bare = params.model_copy(update={"weights": params.weights.model_copy(update={"source": "none"})})
    with torch.random.fork_rng(devices=[]):
        return build_rrm(bare, len(config["classes"]) - 1, Heads.model_validate(config["heads"]))
