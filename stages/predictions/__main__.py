"""Label the validation pictures with the trained segmenter: data/segmenter -> data/predictions."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stages.common import door, fingerprint, items
from stages.common.artifacts import mask_bytes, read_picture
from stages.common.crf import infer, unary_from_scores
from stages.common.crf_params import Crf
from stages.common.device import device
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.training.augment import normalise
from stages.predictions.inference import probabilities
from stages.predictions.params import Predictions
from stages.segmenter.network import rebuild_segmenter, scores

SEGMENTER, OUT = Path("data/segmenter"), Path("data/predictions")


def main() -> str:
    params = load("predictions", Predictions)
    place = device()
    weights = fingerprint.file_hash(SEGMENTER / "weights.safetensors")
    config = store.read_config(SEGMENTER, "network", "options", "encoder", "classes")
    base = (fingerprint.code_hash("stages.predictions.__main__"), params.model_dump(), weights, config)
    val = load_pictures().split("val")
    work = [items.Item(p.id, fingerprint.key(base, fingerprint.file_hash(p.path)), p) for p in val]
    items.single_thread()  # the processes are the parallelism; workers inherit the loaded network
    compute = PredictMasks(params, str(place))
    compute.prepare()
    processes = 0 if place.type != "cpu" else None
    return items.map_items("predictions", OUT, work, compute, processes=processes)


@dataclass(frozen=True)
class PredictMasks:
    """The mask of one picture, a palette PNG."""

    params: Predictions
    place: str

    def prepare(self) -> nn.Module:
        return _segmenter(self.place)

    def __call__(self, pictures: list[Picture]) -> list[items.Files]:
        return [{"*.png": mask_bytes(self.mask(read_picture(p.path)))} for p in pictures]

    @torch.inference_mode()
    def mask(self, picture: np.ndarray) -> np.ndarray:
        """Class indices, uint8 [H, W], of an RGB picture uint8 [H, W, 3]."""
        encoder = store.read_config(SEGMENTER)["encoder"]
        x = torch.from_numpy(normalise(picture, encoder["mean"], encoder["std"]))[None].to(self.place)
        half = self.params.precision == "bf16"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            network = functools.partial(scores, self.prepare())
            chances = probabilities(network, x, self.params.scales, self.params.flip)[0].cpu().numpy()
        labels: np.ndarray = chances.argmax(0).astype(np.uint8)
        return refined(picture, chances, labels, self.params.dense_crf) if self.params.crf else labels


def refined(picture: np.ndarray, chances: np.ndarray, labels: np.ndarray, params: Crf) -> np.ndarray:
    """Labels uint8 [H, W] after a dense CRF over the live classes: those that win somewhere."""
    live = np.unique(labels)
    if len(live) == 1:
        return labels
    energies = unary_from_scores(chances[live])
    return live[infer(picture, [energies], params)[0].argmax(0)]


@functools.cache
def _segmenter(place: str) -> nn.Module:
    model = store.load_into(rebuild_segmenter(store.read_config(SEGMENTER)), SEGMENTER)
    return model.to(place)


if __name__ == "__main__":
    door.run("predictions")
