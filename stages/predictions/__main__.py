"""Label the validation pictures with the trained segmenter: data/segmenter -> data/predictions."""

from dataclasses import dataclass
from pathlib import Path

from stages.common import door, fingerprint, items, pool
from stages.common.artifacts import grey_bytes, mask_bytes
from stages.common.device import device
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Loaded, load_pictures, loaded
from stages.common.pool import Files
from stages.predictions.any_labeller import Answer, Rough, tiles_at_a_time
from stages.predictions.labeller import Labeller
from stages.predictions.params import Predictions
from stages.segmenter.network import network_module

SEGMENTER, OUT = Path("data/segmenter"), Path("data/predictions")


def main() -> str:
    params = load("predictions", Predictions)
    place = device()
    weights = fingerprint.file_hash(SEGMENTER / "weights.safetensors")
    config = store.read_config(SEGMENTER, "network", "options", "encoder", "classes")
    code = fingerprint.code_hash("stages.predictions.__main__", network_module(config["network"]))
    base = (code, params.model_dump(), weights, config)
    val = load_pictures().split("val")
    work = [items.Item(p.id, fingerprint.key(base, p.content_hash()), p) for p in val]
    pool.single_thread()  # the processes are the parallelism; workers inherit the loaded network
    compute = PredictMasks(Labeller(SEGMENTER, params, str(place), tiles_at_a_time(place.type)))
    compute.labeller.prepare()
    return items.map_items("predictions", OUT, work, compute, read=loaded, **items.on(place.type))


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


if __name__ == "__main__":
    door.run("predictions")
