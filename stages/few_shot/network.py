"""The few-shot network (ZHANG ch. 5, on PFENet): one picture and its mask say what to find in another."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder
from stages.few_shot.guidance import guided, masked_mean, prior, shares
from stages.few_shot.params import FewShot
from stages.few_shot.pyramid import Decoder, Merge, upsampled

# What, with the encoder, it is built of.
BUILT = ("vectors", "levels", "channels", "dropout", "bins", "prior")


class Features(NamedTuple):
    """Of a picture: the encoder's joined blocks [B, J, h, w] and its last one [B, L, h', w']."""

    joined: Tensor
    last: Tensor


class Guide(NamedTuple):
    """Of a support: the vectors that guide [B, N * D], the object's share of each cell, its last features."""

    vectors: Tensor
    weights: Tensor
    last: Tensor


class FewShotNet(nn.Module):
    """`vectors` are those of `params.vectors`, in their order there."""

    def __init__(self, encoder: nn.Module, params: FewShot) -> None:
        super().__init__()
        self.encoder, self.vectors = encoder, params.vectors
        self.levels, self.prior = params.levels, params.prior
        sizes: list[int] = encoder.out_channels  # type: ignore[assignment]
        joined, width = sum(sizes[level] for level in params.levels), params.channels
        self.reduce_support = _reduce(joined, width, params.dropout)
        self.reduce_query = _reduce(joined, width, params.dropout)
        inputs = width * (1 + len(params.vectors))
        self.merge_support = Merge(inputs, width, params.bins)
        self.merge_query = Merge(inputs + params.prior, width, params.bins)
        self.decoder = Decoder(width, params.bins, params.dropout)

    def forward(self, support: Tensor, mask: Tensor, query: Tensor) -> dict[str, Tensor | list[Tensor]]:
        """Scores [B, 2, h, w] of the query and of the support's two passes, and of each pyramid level.

        Pictures [B, 3, H, W], a mask int64 [B, H, W] of 1 (object), 0 and 255. The second pass is there where
        vectors come from the first.
        """
        guide, passes = self.guide(self.features(support), mask)
        scores, levels = self.segmented(self.features(query), guide)
        found: dict[str, Tensor | list[Tensor]] = {"query": scores, "query_levels": levels}
        for number, (scores, levels) in enumerate(passes, 1):
            found |= {f"support{number}": scores, f"support{number}_levels": levels}
        return found

    def features(self, pictures: Tensor) -> Features:
        """Of pictures [B, 3, H, W]; the blocks are joined at the size of the first of them."""
        blocks = self.encoder(pictures)
        size = blocks[self.levels[0]].shape[2:]
        joined = [blocks[self.levels[0]], *(upsampled(blocks[level], size) for level in self.levels[1:])]
        return Features(torch.cat(joined, 1), blocks[-1])

    def guide(self, found: Features, masks: Tensor) -> tuple[Guide, list[tuple[Tensor, list[Tensor]]]]:
        """What a support gives, and the scores of its passes, as `Decoder` has them."""
        x = self.reduce_support(found.joined)
        cells = (x.shape[2], x.shape[3])
        weights = shares(masks, cells)
        initial = masked_mean(x, weights)
        first = self.decoder(self.merge_support(_beside(x, [initial] * len(self.vectors))), cells)
        primary, auxiliary = guided(x, weights, first[0].argmax(1) == 1)
        known = {"initial": initial, "primary": primary, "auxiliary": auxiliary}
        chosen = [known[name] for name in self.vectors]
        passes = [first]
        if self.vectors != ["initial"]:
            passes.append(self.decoder(self.merge_support(_beside(x, chosen)), cells))
        last = (found.last.shape[2], found.last.shape[3])
        return Guide(torch.cat(chosen, 1), shares(masks, last), found.last), passes

    def segmented(self, found: Features, guide: Guide) -> tuple[Tensor, list[Tensor]]:
        """The scores of queries, by a guide for each."""
        x = self.reduce_query(found.joined)
        cells = (x.shape[2], x.shape[3])
        wide = _beside(x, [guide.vectors])
        if self.prior:
            alike = prior(found.last, guide.last, guide.weights)
            wide = torch.cat([wide, upsampled(alike, cells)], 1)
        return self.decoder(self.merge_query(wide), cells)


def _reduce(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.ReLU(), nn.Dropout2d(dropout))


def _beside(features: Tensor, vectors: list[Tensor]) -> Tensor:
    """Features [B, D, h, w] and vectors [B, D] in every cell (Eq. 5.2, 5.8, 5.11)."""
    spread = [vector[:, :, None, None].expand(-1, -1, *features.shape[2:]) for vector in vectors]
    return torch.cat([features, *spread], 1)


def build_few_shot(params: FewShot) -> FewShotNet:
    return FewShotNet(build_encoder(params.encoder), params)


def saved_config(params: FewShot, classes: tuple[str, ...], learnt: set[int]) -> dict:
    """What rebuilds the network, the side of its pictures, and the classes that it learnt from."""
    config = params.model_dump(include={"encoder", *BUILT})
    return config | {"side": params.augment.crop, "classes": [classes[label] for label in sorted(learnt)]}


def rebuild_few_shot(config: dict) -> FewShotNet:
    """The network of a saved config.json, without weights (they are loaded next)."""
    encoder = Encoder.model_validate(config["encoder"])
    bare = encoder.model_copy(update={"weights": encoder.weights.model_copy(update={"source": "none"})})
    kept = {key: config[key] for key in BUILT}
    with torch.random.fork_rng(devices=[]):
        return build_few_shot(FewShot.model_construct(encoder=bare, **kept))
