"""A trained network that labels pictures of any size, a batch of one size at a time."""

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from stages.common.crf import infer, unary_from_scores
from stages.common.networks.padding import scores
from stages.common.training.augment import normalise
from stages.predictions.entropy import as_bytes, entropy
from stages.predictions.inference import probabilities
from stages.predictions.params import Predictions
from stages.predictions.tiles import Box, best, stitched


def tiles_at_a_time(device: str) -> int:
    """How many a device of that type takes: a CPU works in as many processes as it has cores."""
    return 1 if device == "cpu" else 8


class Answer(NamedTuple):
    """Of one picture: class indices uint8 [H, W], and how unsure they are, uint8 [H, W], 255 for 1."""

    labels: np.ndarray
    entropy: np.ndarray | None = None


class Rough(NamedTuple):
    """What a dense CRF makes an answer of: it runs over the labels that win somewhere."""

    picture: np.ndarray  # RGB uint8 [H, W, 3]
    live: np.ndarray  # uint8 [L]
    chances: np.ndarray  # float32 [L, H, W], theirs
    entropy: np.ndarray | None  # as an answer's


@dataclass(frozen=True)
class AnyLabeller(ABC):
    """The network of `folder`, used as the section `predictions` of the parameters says.

    A picture with a side above `tile` pixels is cut into tiles of that side that overlap by `overlap`
    pixels, `batch` at a time; a smaller one is labelled whole, and all of them where `tile` is null.
    """

    folder: Path
    params: Predictions
    place: str
    batch: int = 1

    @abstractmethod
    def trained(self) -> tuple[nn.Module, dict[str, Any]]:
        """The network in eval mode on the device `place`, and its config.json; loaded once in a process."""

    def prepare(self) -> None:
        self.trained()

    def takes_whole(self, size: tuple[int, ...]) -> bool:
        """Whether pictures of that size (of its two sides, in any order) are not cut into tiles."""
        return self.params.tile is None or max(size) <= self.params.tile

    def labels(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """Class indices uint8 [H, W] of RGB pictures uint8 [H, W, 3], all of one size."""
        return [answer.labels for answer in self.answers(pictures)]

    def answers(self, pictures: list[np.ndarray]) -> list[Answer]:
        """Labels, and where `entropy` asks for it that of the probabilities before any CRF."""
        return [self.refined(one) for one in self.rough(pictures)]

    def rough(self, pictures: list[np.ndarray]) -> list[Answer | Rough]:
        """What the network says of them: `refined` makes an answer of each, without it."""
        if self.params.tile and not self.takes_whole(pictures[0].shape[:2]):
            return [self._tiled(picture, self.params.tile) for picture in pictures]
        chances = self.chances(pictures)
        labels = chances.argmax(1).to(torch.uint8).cpu().numpy()
        if not (self.params.crf or self.params.entropy):
            return [Answer(one) for one in labels]
        arrays = chances.cpu().numpy()
        unsure = [as_bytes(entropy(array)) if self.params.entropy else None for array in arrays]
        answers = map(Answer, labels, unsure)
        if not self.params.crf:
            return list(answers)
        return [rough(*each) for each in zip(pictures, arrays, answers, strict=True)]

    def refined(self, one: Answer | Rough) -> Answer:
        """After the dense CRF, where there is one; on a processor."""
        if isinstance(one, Answer):
            return one
        found = infer(one.picture, [unary_from_scores(one.chances)], self.params.dense_crf)[0]
        return Answer(one.live[found.argmax(0)], one.entropy)

    @torch.inference_mode()
    def chances(self, pictures: list[np.ndarray]) -> Tensor:
        """Class probabilities, float32 [B, C, H, W] on the device, of pictures of one size; no CRF."""
        model, config = self.trained()
        encoder = config["encoder"]
        arrays = [normalise(picture, encoder["mean"], encoder["std"]) for picture in pictures]
        x = torch.from_numpy(np.stack(arrays)).to(self.place)
        half = self.params.precision == "bf16"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            network = functools.partial(scores, model)
            return probabilities(network, x, self.params.scales, self.params.flip, self.params.fuse)

    def _tiled(self, picture: np.ndarray, tile: int) -> Answer:
        both = self.params.crf and self.params.entropy  # then posteriors are blended, and probabilities too

        def of(boxes: list[Box]) -> list[np.ndarray]:
            parts = [picture[box] for box in boxes]
            found = list(self.chances(parts).cpu().numpy())
            if not self.params.crf:
                return found
            after = [self._posterior(*each) for each in zip(parts, found, strict=True)]
            return [np.concatenate(each) for each in zip(after, found, strict=True)] if both else after

        def finish(sums: np.ndarray) -> np.ndarray:
            classes = len(sums) // 2 if both else len(sums)
            labels = best(sums[:classes])
            if not self.params.entropy:
                return labels
            chances = sums[-classes:] / sums[-classes:].sum(0)
            return np.concatenate([labels, as_bytes(entropy(chances))[None]])

        p, size = self.params, (picture.shape[0], picture.shape[1])
        return Answer(*stitched(size, tile, p.overlap, p.merge, self.batch, of, finish, 1 + p.entropy))

    def _posterior(self, picture: np.ndarray, chances: np.ndarray) -> np.ndarray:
        """`chances` [C, H, W] after the dense CRF; 0 of labels that win nowhere."""
        live = np.unique(chances.argmax(0))
        if len(live) == 1:
            return chances
        found = np.zeros_like(chances)
        found[live] = infer(picture, [unary_from_scores(chances[live])], self.params.dense_crf)[0]
        return found


def rough(picture: np.ndarray, chances: np.ndarray, answer: Answer) -> Answer | Rough:
    """What is left to do of an answer before the CRF: nothing where one label wins everywhere."""
    live = np.unique(answer.labels)
    return answer if len(live) == 1 else Rough(picture, live, chances[live], answer.entropy)
