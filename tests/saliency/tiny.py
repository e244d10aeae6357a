"""A project of six small pictures whose bright disc the seeds roughly know."""

from pathlib import Path

import cv2
import numpy as np

from stages.common.artifacts import npz_bytes, write_atomic, write_json
from tests.params_file import shipped_params, write_params

ROOT = Path(__file__).parents[2]
NAMES = ("a", "b", "c", "d", "e", "f")
SIDE = 48


def project(changes: dict[str, object]) -> None:
    """Into the working directory: params.yaml with some keys changed, and all that the step reads."""
    values = shipped_params()
    section = values["saliency"]
    section |= {"batch": 3, "epochs": 3, "threads": 1, "scales": [0.5, 1.0]}
    section["augment"] |= {"crop": 32, "scale": [0.8, 1.2]}
    section["network"] |= {"batch": 3, "epochs": 2, "threads": 1}
    section["network"]["augment"] |= {"crop": 32}
    for key, value in changes.items():
        *parents, last = key.split(".")
        place = values
        for parent in parents:
            place = place[parent]
        place[last] = value
    write_params(values)
    Path("dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    rows = "".join(f"{name},{name}.png,train,{SIDE},{SIDE - 7},{label(name)}\n" for name in NAMES)
    write_atomic(Path("data/dataset/index.csv"), "id,file,split,width,height,labels\n" + rows)
    write_json(Path("data/dataset/classes.json"), ["background", "cat", "dog"])
    Path("data/dataset/images").mkdir()
    rng = np.random.default_rng(0)
    for name in NAMES:
        inside = disc(rng)
        colours = np.where(inside[..., None], (60, 200, 220), (40, 50, 40))
        noisy = (colours + rng.integers(-25, 25, colours.shape)).clip(0, 255).astype(np.uint8)
        cv2.imwrite(f"data/dataset/images/{name}.png", noisy)
        small = cv2.resize(inside.astype(np.float32), (6, 6), interpolation=cv2.INTER_AREA)
        kinds = [1] if label(name) else []
        maps = (small / small.max())[None][: len(kinds)].astype(np.float16)
        size = np.int32([SIDE - 7, SIDE])
        write_atomic(Path(f"data/seeds/{name}.npz"), npz_bytes(maps=maps, classes=np.int16(kinds), size=size))


def label(name: str) -> str:
    """The last picture has no class."""
    return "" if name == NAMES[-1] else "cat"


def disc(rng: np.random.Generator) -> np.ndarray:
    y, x = np.ogrid[: SIDE - 7, :SIDE]
    centre = rng.integers(14, 28, 2)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < rng.integers(9, 13) ** 2
