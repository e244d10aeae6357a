"""A trained few-shot network at work: pictures and masks in, masks out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from stages.common.networks import store
from stages.common.training.augment import fill_colour, normalise
from stages.few_shot.fitted import fitted, fitted_mask
from stages.few_shot.fusion import fused, usefulness
from stages.few_shot.network import BUILT, Features, FewShotNet, Guide, rebuild_few_shot
from stages.few_shot.pyramid import upsampled

PAIRS = 8  # pairs of pictures that the decoder sees at once


@dataclass(frozen=True)
class FewShotSegmenter:
    """Of a folder of data/few_shot, on a device; `half` computes in bfloat16."""

    net: FewShotNet
    config: dict[str, Any]
    place: str
    half: bool

    @classmethod
    def load(cls, folder: Path, place: str, half: bool) -> "FewShotSegmenter":
        """ValueError where it is not whole, or of another network."""
        config = store.read_config(folder, "encoder", "side", "classes", *BUILT)
        net = store.load_into(rebuild_few_shot(config), folder, place)
        return cls(cast(FewShotNet, net), config, place, half)

    @torch.inference_mode()
    def guides(self, pictures: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> "Supports":
        """Of pictures RGB uint8 [H, W, 3] of any sizes, with masks uint8 [H, W] (1 the object, 255 void)."""
        features, _ = self.features(pictures)
        shown = torch.from_numpy(np.stack([fitted_mask(mask, self.config["side"]) for mask in masks]))
        labels = shown.to(self.place, torch.int64)
        with self.cast():
            guide, _ = self.net.guide(features, labels)
        return Supports(features, guide, labels)

    @torch.inference_mode()
    def scores(self, features: Features, guide: Guide) -> Tensor:
        """Of pairs, float32 [B, 2, side, side]."""
        found = []
        for at in range(0, len(features.joined), PAIRS):
            part = slice(at, at + PAIRS)
            with self.cast():
                pair = _part(features, part), _part(guide, part)
                scores, _ = self.net.segmented(*pair)
            side = self.config["side"]
            found.append(upsampled(scores.float(), (side, side)))
        return torch.cat(found)

    @torch.inference_mode()
    def features(self, pictures: Sequence[np.ndarray]) -> tuple[Features, list[tuple[int, int]]]:
        """And the size that each picture has in its square."""
        encoder = self.config["encoder"]
        fill = fill_colour(encoder["mean"])
        squares = [fitted(picture, self.config["side"], fill) for picture in pictures]
        x = np.stack([normalise(square, encoder["mean"], encoder["std"]) for square, _ in squares])
        with self.cast():
            return self.net.features(torch.from_numpy(x).to(self.place)), [size for _, size in squares]

    def cast(self) -> Any:
        return torch.autocast(self.place.partition(":")[0], torch.bfloat16, enabled=self.half)

    @torch.inference_mode()
    def by_each(self, query: np.ndarray, supports: "Supports") -> Tensor:
        """The query's scores by each support, float32 [K, 2, H, W] at its own size."""
        features, ((height, width),) = self.features([query])
        number = len(supports.labels)
        scores = self.scores(_repeated(features, number), supports.guide)[:, :, :height, :width]
        return upsampled(scores, (query.shape[0], query.shape[1]))

    @torch.inference_mode()
    def useful(self, supports: "Supports") -> Tensor:
        """bool [K, K, side, side]: where support i shows the object when k guides."""
        number, found = len(supports.labels), []
        for at in range(number):  # features of all K * K pairs at once would be gigabytes
            one = _repeated(_part(supports.features, slice(at, at + 1)), number)
            found.append(self.scores(one, supports.guide).argmax(1) == 1)
        return torch.stack(found)

    def weights(self, supports: "Supports") -> Tensor:
        """How much each support counts, [K]; the same for all queries."""
        if len(supports.labels) == 1:
            return torch.ones(1)
        return usefulness(self.useful(supports), supports.labels)

    def segmented(self, query: np.ndarray, supports: "Supports", weights: Tensor) -> np.ndarray:
        """1 where the query shows the object, uint8 [H, W], by all supports."""
        return fused(self.by_each(query, supports), weights).argmax(0).cpu().numpy().astype(np.uint8)


@dataclass(frozen=True)
class Supports:
    """Of K pictures: features, what they guide by, and their masks in the square, int64 [K, side, side]."""

    features: Features
    guide: Guide
    labels: Tensor


def _part(rows: Any, at: Any) -> Any:
    """Some rows of each tensor of a tuple of them."""
    return type(rows)(*(tensor[at] for tensor in rows))


def _repeated(features: Features, number: int) -> Features:
    return Features(*(tensor.expand(number, *tensor.shape[1:]) for tensor in features))
