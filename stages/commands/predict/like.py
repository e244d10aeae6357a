"""`wsss predict --like PICTURE --mask MASK`: find in others what a picture and its mask show."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from stages.commands.predict.batch import LabelPictures, read
from stages.common import fingerprint
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import ROOT
from stages.dataset.decode import open_image, read_bytes
from stages.dataset.depth import read_white
from stages.dataset.params import Dataset
from stages.few_shot.fitted import fitted_mask
from stages.few_shot.segment import FewShotSegmenter, Supports

MODELS = Path("data/few_shot")  # a folder for each fold
FILES = ("config.json", "weights.safetensors")
CLASSES = ("background", "object")
MOST_VALUES = 32  # of a mask beside 0: more are no classes that one picture shows


@dataclass(frozen=True)
class LikeLabeller:
    """Labels 1 where a picture shows what `pictures` (RGB uint8) show at `masks` (1; 255 is void)."""

    folder: Path
    place: str
    pictures: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    key: str  # of all of these
    batch: int = 1

    def prepare(self) -> None:
        _known(self.folder.resolve(), self.place, self.key, self.pictures, self.masks)

    def takes_whole(self, size: tuple[int, ...]) -> bool:
        return True

    def labels(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """uint8 [H, W] of RGB uint8 [H, W, 3]."""
        known = self.folder.resolve(), self.place, self.key, self.pictures, self.masks
        net, supports, weights = _known(*known)
        return [net.segmented(picture, supports, weights) for picture in pictures]


class _Once:
    """What `_known` keeps in a process: arrays have no hash, so the last key is remembered."""

    key: Any = None
    value: tuple[FewShotSegmenter, Supports, Tensor]


def _known(
    folder: Path, place: str, key: str, pictures: tuple[np.ndarray, ...], masks: tuple[np.ndarray, ...]
) -> tuple[FewShotSegmenter, Supports, Tensor]:
    """The network, what the supports say, and how much each of them counts."""
    if _Once.key != (folder, place, key):
        net = FewShotSegmenter.load(folder, place, half=False)
        supports = net.guides(pictures, masks)
        _Once.value, _Once.key = (net, supports, net.weights(supports)), (folder, place, key)
    return _Once.value


def finder(like: list[Path], masks: list[Path], model: Path | None, place: str) -> tuple[LabelPictures, str]:
    """What labels pictures, and a key of what it does. ValueError for what is missing or does not fit."""
    folder, most, white = model or trained(), load("dataset", Dataset).max_megapixels, read_white(ROOT)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{folder} holds no few-shot network (no {missing[0]}): `wsss run few_shot` makes one"
        )
    pictures = []
    for file in like:
        try:
            pictures.append(read(file, most, white).pixels)
        except (ValueError, OSError) as error:
            raise ValueError(f"--like {file}: {getattr(error, 'strerror', None) or error}") from None
    shown = [
        read_object(file, picture.shape[:2], most) for file, picture in zip(masks, pictures, strict=True)
    ]
    side = store.read_config(folder, "side")["side"]
    for file, mask in zip(masks, shown, strict=True):
        if not (fitted_mask(mask, side) == 1).any():
            raise ValueError(
                f"--mask {file}: nothing is left of what it marks at {side} pixels, as large as the network "
                "sees a picture: cut the picture and its mask to where the object is"
            )
    network = [fingerprint.file_hash(folder / name) for name in FILES]
    seen = [(one.shape, hashlib.sha256(one.tobytes()).hexdigest()) for one in (*pictures, *shown)]
    key = fingerprint.key(
        fingerprint.code_hash("stages.commands.predict.like"), network, seen, most, asdict(white)
    )
    labeller = LikeLabeller(folder, place, tuple(pictures), tuple(shown), key)
    less = "smaller pictures or fewer --like need less, and WSSS_DEVICE=cpu takes the machine's"
    return LabelPictures(labeller, CLASSES, most, white, less), key


def trained() -> Path:
    """The folder of the one fold that is trained. ValueError for none, and for several."""
    found = sorted(path.parent for path in MODELS.glob("*/config.json"))
    if not found:
        raise ValueError(
            f"{MODELS} holds no network: set few_shot.folds, for instance by `wsss preset few-shot`, and "
            "`wsss run few_shot`"
        )
    if len(found) > 1:
        raise ValueError(f"several folds are trained, so name one: --model {' or '.join(map(str, found))}")
    return found[0]


def read_object(file: Path, size: tuple[int, int], most: float) -> np.ndarray:
    """A mask uint8 [H, W] of 1 (object), 0 and 255 (void), of a file of at most so many megapixels.

    Of two values the object is the one that is not 0, also where that is white. Of more, 255 is void, as in
    the masks of a data set, and all other values are the object. ValueError for another size, no object, and
    soft edges: there 255 is the object and its edge the grey values, the other way round.
    """
    try:
        image = open_image(read_bytes(file, most), most)
    except (OSError, ValueError) as error:
        raise ValueError(f"--mask {file}: {getattr(error, 'strerror', None) or error}") from None
    if image.mode in ("LA", "RGBA"):  # what is transparent marks nothing
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
    values = np.asarray(image if image.mode in ("P", "L", "1", "I;16") else image.convert("L"))
    if values.shape != size:
        found, wanted = ("x".join(map(str, shape[::-1])) for shape in (values.shape, size))
        raise ValueError(f"--mask {file}: it is {found}, its picture is {wanted}")
    others = np.unique(values[values != 0])
    if not len(others):
        raise ValueError(f"--mask {file}: it marks nothing: all of it is 0")
    if len(others) == 1:
        return (values != 0).astype(np.uint8)
    soft = len(others) > 2 and 2 * np.count_nonzero(values == 255) > np.count_nonzero(values)
    if soft or len(others) > MOST_VALUES:
        raise ValueError(
            f"--mask {file}: {len(others) + 1} grey values, as soft edges or a JPEG make them: save it as "
            "PNG without smoothing, 0 around the object and one other value on it"
        )
    return np.where(values == 255, 255, values != 0).astype(np.uint8)
