"""A network that learns to segment from image labels alone, in one training: data/dataset -> data/one_step.

RRM: it classifies, labels in each step where its own maps and a CRF can be trusted, and learns from that.
Kept are the network, and the masks of the pictures of train, from which the segmenter may learn, and of val.
"""

import tempfile
from pathlib import Path

from stages.common import door, fingerprint, items, pool
from stages.common.device import device
from stages.common.networks import store
from stages.common.networks.store import History
from stages.common.params import load
from stages.common.pictures import load_pictures, loaded
from stages.one_step import classification, rrm
from stages.one_step.infer import OneStepLabeller, SplitMasks
from stages.one_step.network import Rrm, saved_config
from stages.one_step.params import OneStep
from stages.predictions.any_labeller import tiles_at_a_time
from stages.predictions.params import Predictions

OUT = Path("data/one_step")
NETWORKS = items.SCRATCH / "one_step_networks"  # trained networks, where worker processes find them
SPLITS = ("train", "val")


def main() -> str:
    params = load("one_step", OneStep)
    used = load("predictions", Predictions, "one_step").model_copy(update={"entropy": False})
    pictures = load_pictures()
    train, classes = pictures.split("train"), len(pictures.classes) - 1
    network, before, first = classification.train(params, train, classes)
    history, key = rrm.train(params, network, train, classes, first)
    config = saved_config(params.encoder, params.heads, pictures.classes)
    shown = [picture for split in SPLITS for picture in pictures.split(split)]
    NETWORKS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=NETWORKS) as folder:  # of this process: .scratch may be shared
        also = files_of(Path(folder), network, config, history, before)
        weights = fingerprint.file_hash(Path(folder) / "weights.safetensors")
        code = fingerprint.code_hash("stages.one_step.infer")
        base = fingerprint.key(code, key, weights, used.model_dump())
        work = [items.Item(p.id, fingerprint.key(base, p.split, p.content_hash()), p) for p in shown]
        pool.single_thread()
        place = device()
        compute = SplitMasks(OneStepLabeller(Path(folder), used, str(place), tiles_at_a_time(place.type)))
        compute.labeller.prepare()
        line = items.map_items("one_step", OUT, work, compute, read=loaded, also=also, **items.on(place.type))
    items.remove_unused(NETWORKS)
    return f"{line}; loss {history[-1]['loss']:.3f}, {history[-1]['labelled']:.0f} % labelled"


def files_of(folder: Path, network: Rrm, config: dict, history: History, before: History) -> pool.Files:
    """Of data/one_step/network: what is written to `folder` too, and the curve of the first training."""
    store.write_network(folder, network, config, history)
    files = {f"network/{file.name}": file.read_bytes() for file in sorted(folder.iterdir())}
    return files | {"network/classification.csv": store.history_csv(before).encode()}


if __name__ == "__main__":
    door.run("one_step")
