"""What a trained segmenter says of pictures, as files: for the step `predictions`, and for the ceiling."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.common import fingerprint, pool
from stages.common.artifacts import grey_bytes, mask_bytes
from stages.common.device import device
from stages.common.items import Item
from stages.common.networks import store
from stages.common.pictures import Loaded, Picture
from stages.common.pool import Files
from stages.predictions.any_labeller import Answer, Rough, tiles_at_a_time
from stages.predictions.labeller import Labeller
from stages.predictions.params import Predictions
from stages.segmenter.network import network_module


@dataclass(frozen=True)
class PredictMasks(pool.Halves):
    """The masks of equal-sized pictures, palette PNGs, and where it is asked for their entropy, grey ones."""

    labeller: Labeller

    @property
    def apart(self) -> bool:
        return self.labeller.params.crf

    def begin(self, batch: list[Loaded]) -> list[Answer | Rough]:
        return self.labeller.rough([pixels for _, pixels in batch])

    def finish(self, one: Answer | Rough) -> Files:
        answer = self.labeller.refined(one)
        found = {"*.png": mask_bytes(answer.labels)}
        return found if answer.entropy is None else found | {"entropy/*.png": grey_bytes(answer.entropy)}


def work_of(
    folder: Path, params: Predictions, pictures: Sequence[Picture]
) -> tuple[list[Item], PredictMasks]:
    """Labelling `pictures` with the segmenter of `folder`: an item for each, and what computes them."""
    config = store.read_config(folder, "network", "options", "encoder", "classes")
    weights = fingerprint.file_hash(folder / "weights.safetensors")
    code = fingerprint.code_hash("stages.predictions.masks", network_module(config["network"]))
    base = (code, params.model_dump(), weights, config)
    work = [Item(p.id, fingerprint.key(base, p.content_hash()), p) for p in pictures]
    pool.single_thread()  # the processes are the parallelism; workers inherit the loaded network
    place = device()
    compute = PredictMasks(Labeller(folder, params, str(place), tiles_at_a_time(place.type)))
    compute.labeller.prepare()
    return work, compute
