"""A trained segmenter in its folder, for commands that use it."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from stages.common.networks import store
from stages.segmenter.network import rebuild_segmenter

MODEL = Path("data/segmenter")


class Trained(NamedTuple):
    """The network, in eval mode, and its config.json."""

    network: nn.Module
    config: dict[str, Any]


def read_config(folder: Path) -> dict[str, Any]:
    """What rebuilds the network, and its classes. ValueError if the folder holds no trained segmenter."""
    missing = [name for name in ("config.json", "weights.safetensors") if not (folder / name).is_file()]
    config = {} if missing else store.read_config(folder, "encoder", "classes")
    if missing or not {"network", "options"} <= config.keys():
        other = "a few-shot network, for --like and --mask" if "vectors" in config else "another network"
        what = f"no {missing[0]}" if missing else other
        raise ValueError(
            f"{folder} holds no trained segmenter ({what}): `wsss run segmenter` makes data/segmenter, "
            "`dvc checkout` takes it from the cache"
        )
    return config


def load_trained(folder: Path, place: str = "cpu") -> Trained:
    """The network with its weights, for inference on the device `place`; loaded once in a process."""
    return _load(folder.resolve(), place)


@functools.cache
def _load(folder: Path, place: str) -> Trained:
    config = read_config(folder)
    return Trained(store.load_into(rebuild_segmenter(config), folder, place), config)
