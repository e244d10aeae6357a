"""A project of six small pictures of two kinds of discs, for trainings of seconds."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stages.common.artifacts import write_atomic, write_json
from stages.common.params import check
from stages.one_step.params import OneStep
from tests.params_file import shipped_params, write_params

ROOT = Path(__file__).parents[2]
TRAIN, VAL = ("a", "b", "c", "d"), ("e", "f")
SIDE = 48
LABELS = {"a": "cat", "b": "dog", "c": "cat;dog", "d": "", "e": "cat", "f": "dog"}


def section(**changes: Any) -> dict[str, Any]:
    """The shipped section for tiny trainings; `changes` by dotted keys with __ for a dot."""
    own = shipped_params()["one_step"]
    own |= {"batch": 2, "epochs": 2, "threads": 1}
    own["classification"]["epochs"] = 2
    own["augment"] |= {"crop": 40, "scale": [0.7, 1.2]}
    own["energy"] |= {"scale": 0.25}
    own["labels"]["crf"]["iterations"] = 3
    return put(own, **changes)


def put(values: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Set values in place, by keys with __ for a dot, which must be there."""
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = values
        for parent in parents:
            place = place[parent]
        assert last in place, key
        place[last] = value
    return values


def params(**changes: Any) -> OneStep:
    return check(OneStep, section(**changes), "test")


def project(**changes: Any) -> None:
    """Into the working directory: params.yaml, dvc.yaml and the data set."""
    write_params(shipped_params() | {"one_step": section(**changes)})
    Path("dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    splits = {**dict.fromkeys(TRAIN, "train"), **dict.fromkeys(VAL, "val")}
    rows = "".join(
        f"{name},{name}.png,{split},{SIDE},{SIDE - 7},{LABELS[name]}\n" for name, split in splits.items()
    )
    write_atomic(Path("data/dataset/index.csv"), "id,file,split,width,height,labels\n" + rows)
    write_json(Path("data/dataset/classes.json"), ["background", "cat", "dog"])
    Path("data/dataset/images").mkdir()
    rng = np.random.default_rng(0)
    for name in splits:
        cv2.imwrite(f"data/dataset/images/{name}.png", drawn(LABELS[name].split(";"), rng))


def drawn(labels: list[str], rng: np.random.Generator) -> np.ndarray:
    """BGR uint8: a red disc is a cat, a blue one is a dog."""
    shown = np.full((SIDE - 7, SIDE, 3), (40, 50, 40))
    y, x = np.ogrid[: SIDE - 7, :SIDE]
    for label, left, colour in (("cat", 12, (60, 60, 220)), ("dog", 35, (220, 80, 40))):
        if label in labels:
            shown[(y - rng.integers(14, 28)) ** 2 + (x - left) ** 2 < 100] = colour
    return (shown + rng.integers(-20, 20, shown.shape)).clip(0, 255).astype(np.uint8)
