"""A project of four small pictures of two kinds of discs, with all that the step `graph` reads."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.affinity.__main__ import AffinityMaps
from stages.affinity.network import build_affinity_net
from stages.affinity.params import Affinity
from stages.common.artifacts import csv_text, mask_bytes, npz_bytes, read_picture, write_atomic, write_json
from stages.common.networks import store
from stages.common.params import check, read_yaml
from stages.common.pictures import load_pictures, loaded
from stages.graph.params import Graph
from tests.one_step import tiny
from tests.params_file import shipped_params, write_params

ROOT, TRAIN = tiny.ROOT, tiny.TRAIN
BOXES = {"a": (("cat", 2, 4, 24, 38),), "c": (("cat", 2, 4, 24, 38), ("dog", 25, 4, 46, 38))}


def section(**changes: Any) -> dict[str, Any]:
    """The shipped section for tiny trainings; `changes` by keys, with __ for a dot."""
    own = shipped_params()["graph"] | {"hidden": 8, "epochs": [3, 3]}
    own["crf"]["iterations"] = 2
    return tiny.put(own, **changes)


def params(**changes: Any) -> Graph:
    return check(Graph, section(**changes), "test")


def project(boxes: bool = False, **changes: Any) -> None:
    """Into the working directory: parameters, pictures, seeds, AffinityNet and its maps, node labels."""
    tiny.project()
    change(**changes)
    rng = np.random.default_rng(1)
    pictures = load_pictures()
    own = read_yaml(ROOT / "params.yaml")["affinity"]
    network(own)
    compute = AffinityMaps(check(Affinity, own, "test"), "cpu", "data/affinity")
    for picture in pictures.split("train"):
        height, width = picture.height, picture.width
        maps = rng.random((len(picture.labels), -(-height // 4), -(-width // 4))).astype(np.float16)
        size, classes = np.array([height, width], np.int32), np.array(picture.labels, np.int16)
        write_atomic(Path(f"data/seeds/{picture.id}.npz"), npz_bytes(maps=maps, classes=classes, size=size))
        labels = node_labels(read_picture(picture.path), picture.labels)
        write_atomic(Path(f"data/affinity_labels/nodes/{picture.id}.png"), mask_bytes(labels))
        (files,) = compute([loaded(picture)])
        write_atomic(Path(f"data/affinity/maps/{picture.id}.npz"), files["maps/*.npz"])
    write_json(Path("data/annotations/about.json"), {"kind": "boxes" if boxes else "none"})
    rows = [(name, at, *box) for name, own in BOXES.items() for at, box in enumerate(own)]
    head = ("id", "object", "class", "left", "top", "right", "bottom")
    if boxes:
        write_atomic(Path("data/annotations/boxes.csv"), csv_text([head, *rows]))


def node_labels(rgb: np.ndarray, labels: tuple[int, ...]) -> np.ndarray:
    """Of every other row of pixels: a reddish one is a cat (1), a bluish one a dog (2)."""
    red, blue = rgb[..., 0] > 150, rgb[..., 2] > 150
    found = np.where(red, 1, np.where(blue, 2, 0))
    found = np.where(np.isin(found, [0, *labels]), found, 0)
    found[::2] = 255
    return found.astype(np.uint8)


def network(own: dict[str, Any], seed: int = 0) -> None:
    """AffinityNet as the step `affinity` leaves it, of the first weights."""
    read = check(Affinity, own, "test")
    torch.manual_seed(seed)
    model = build_affinity_net(read.encoder, read.levels, read.channels, read.grid_stride)
    config = read.model_dump(include={"encoder", "levels", "channels", "grid_stride", "radius"})
    store.save_network(Path("data/affinity"), model, config, [{"loss": 1.0}])


def change(**changes: Any) -> None:
    """The section `graph` of params.yaml, tiny, with these values."""
    values = read_yaml(Path("params.yaml")) | {"graph": section(**changes)}
    write_params(values)
