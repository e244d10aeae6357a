"""A project of small pictures of discs in four colours, two classes a fold, for trainings of seconds."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stages.common.artifacts import csv_text, mask_bytes, write_atomic, write_json
from stages.common.params import check
from stages.few_shot.params import FewShot
from tests.one_step.tiny import ROOT, put
from tests.params_file import shipped_params, write_params

CLASSES = ("background", "red", "green", "blue", "grey")
COLOURS = ((0, 0, 0), (200, 60, 60), (60, 200, 60), (60, 60, 200), (150, 150, 150))
HEIGHT, WIDTH = 33, 40
TRAIN, VAL = 16, 10
VOID = 3  # pixels at the left of each mask that nobody knows


def section(**changes: Any) -> dict[str, Any]:
    """The shipped section for tiny trainings; `changes` by keys, with __ for a dot."""
    own = shipped_params()["few_shot"]
    own |= {"folds": [0], "channels": 8, "bins": [4, 2], "batch": 2, "epochs": 2, "threads": 1}
    own["augment"] |= {"crop": 32}
    return put(own, **changes)


def params(**changes: Any) -> FewShot:
    return check(FewShot, section(**changes), "test")


def project(**changes: Any) -> None:
    """Into the working directory: parameters, pictures and masks. Each picture shows one or two classes."""
    (Path("data/dataset/images")).mkdir(parents=True)
    Path("dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    change(**changes)
    rng, rows = np.random.default_rng(0), []
    write_json(Path("data/dataset/classes.json"), list(CLASSES))
    for split, number in (("train", TRAIN), ("val", VAL)):
        for at in range(number):
            name, labels = f"{split}{at}", sorted({1 + at % 4, 1 + (at // 2) % 4})
            picture, mask = drawn(labels, rng)
            cv2.imwrite(f"data/dataset/images/{name}.png", picture[..., ::-1])
            write_atomic(Path(f"data/masks/{name}.png"), mask_bytes(mask))
            rows.append((name, f"{name}.png", split, WIDTH, HEIGHT, ";".join(CLASSES[i] for i in labels)))
    write_atomic(
        Path("data/dataset/index.csv"),
        csv_text([("id", "file", "split", "width", "height", "labels"), *rows]),
    )
    write_atomic(
        Path("data/masks/index.csv"), csv_text([("id", "split"), *((row[0], row[2]) for row in rows)])
    )


def change(
    fold_masks: dict[str, Any] | None = None, episodes: dict[str, Any] | None = None, **own: Any
) -> None:
    """The sections of params.yaml, tiny, with these values."""
    values = shipped_params()
    values["fold_masks"] |= {"min_area": 20, "supports": 2, "episodes": 4, "runs": 2, "seed": 1} | (
        fold_masks or {}
    )
    values["episodes"] |= {"shots": [1, 2], "shown": 2} | (episodes or {})
    write_params(values | {"few_shot": section(**own)})


def drawn(labels: list[int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """RGB uint8 and its mask: a disc for each label, the last on top."""
    picture, mask = np.full((HEIGHT, WIDTH, 3), 90), np.zeros((HEIGHT, WIDTH), np.uint8)
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    for at, label in enumerate(labels):
        inside = (y - rng.integers(10, 22)) ** 2 + (x - (12 + 15 * at)) ** 2 < 64
        picture[inside], mask[inside] = COLOURS[label], label
    mask[:, :VOID] = 255
    return (picture + rng.integers(-10, 10, picture.shape)).clip(0, 255).astype(np.uint8), mask
