"""The network of C2AM: one map that divides a picture's features into two sides."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder

MOMENTUM, EPSILON = 0.1, 1e-5  # as batch norm has them


class CellNorm(nn.Module):
    """Batch norm of one map over the cells that count, without scale and shift.

    C2AM's code trains no batch norm, so that of the head keeps the scale 1 and the shift 0: about half of
    a batch's cells are positive, which is what keeps all of them from going to one side.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(1))
        self.register_buffer("running_var", torch.ones(1))

    def forward(self, values: Tensor, counted: Tensor | None = None) -> Tensor:
        """Values [B, h, w] at mean 0 and variance 1 over the `counted` [B, h, w], bool (None: over all)."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            weight = torch.ones_like(values) if counted is None else counted.to(values.dtype)
            number = weight.sum().clamp_min(1)
            mean = (weight * values).sum() / number
            variance = (weight * (values - mean).square()).sum() / number
            self._note(mean.detach(), variance.detach() * number / (number - 1).clamp_min(1))
        return (values - mean) / (variance + EPSILON).sqrt()

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor) -> None:
        self.running_mean += MOMENTUM * (mean - self.running_mean)
        self.running_var += MOMENTUM * (variance - self.running_var)


class SaliencyNet(nn.Module):
    """Features Z [B, D, h, w] and the map z [B, h, w] of pictures [B, 3, H, W] (slide "C2AM").

    Z is the last two levels of the encoder on the grid of the first of them; z = BN(conv3x3(Z)), float32.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        channels = sum(encoder.out_channels[-2:])  # type: ignore[index]
        self.head = nn.Conv2d(channels, 1, 3, padding=1, bias=False)
        self.norm = CellNorm()

    def features(self, pictures: Tensor) -> Tensor:
        *_, first, last = self.encoder(pictures)
        if last.shape[2:] != first.shape[2:]:
            last = F.interpolate(last, first.shape[2:], mode="bilinear", align_corners=False)
        return torch.cat([first, last], 1)

    def forward(self, pictures: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`known` [B, H, W], bool: what is picture and not the filling beside it (None: all of it)."""
        features = self.features(pictures)
        values = self.head(features).float()[:, 0]
        return features, self.norm(values, None if known is None else on_cells(known, features.shape[2:]))


def on_cells(where: Tensor, size: tuple[int, ...]) -> Tensor:
    """Pixels [B, H, W], bool, as cells [B, h, w]: those with more than half of their area in it."""
    return F.adaptive_avg_pool2d(where.float()[:, None], (size[0], size[1]))[:, 0] > 0.5


def build_saliency_net(encoder: Encoder) -> SaliencyNet:
    return SaliencyNet(build_encoder(encoder))


def bare(encoder: Encoder) -> Encoder:
    """The same encoder without initial weights, for one that is loaded next."""
    return encoder.model_copy(update={"weights": encoder.weights.model_copy(update={"source": "none"})})


def rebuild_saliency_net(config: dict) -> SaliencyNet:
    """The network of a saved config.json, without weights (they are loaded next)."""
    with torch.random.fork_rng(devices=[]):
        return build_saliency_net(bare(Encoder.model_validate(config["encoder"])))
