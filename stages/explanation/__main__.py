"""How well the seeds explain the classifier: data/seeds, data/classifier -> reports/explanation.

The classifier judges the maps by itself: it is shown what they keep of a training picture, and what they
leave. No mask is read, so these are numbers also where nobody has drawn one.
"""

import functools
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages.classifier.network import ClassifierNet, rebuild_classifier
from stages.common import door, fingerprint, items, pool
from stages.common.artifacts import (
    as_text,
    csv_text,
    npz_arrays,
    npz_bytes,
    read_npz,
    write_atomic,
    write_json,
)
from stages.common.device import device
from stages.common.labels import upsample
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures, loaded
from stages.common.pool import Files
from stages.common.training.augment import normalise
from stages.evaluation.tables import percent
from stages.explanation import metrics
from stages.explanation.answers import probabilities, views
from stages.explanation.names import METRICS
from stages.explanation.params import Explanation

CLASSIFIER, SEEDS, OUT = Path("data/classifier"), Path("data/seeds"), Path("reports/explanation")
ANSWERS = "*.npz"
COLUMNS = ("class", "pairs", "pairs_with_others", *METRICS)


class Masked(NamedTuple):
    """A picture, its pixels RGB uint8 [H, W, 3], and a mask for each of its classes, float32 [K, H, W]."""

    picture: Picture
    pixels: np.ndarray
    masks: np.ndarray


def main() -> str:
    params = load("explanation", Explanation)
    pictures, place = load_pictures(), device()
    weights = fingerprint.file_hash(CLASSIFIER / "weights.safetensors")
    config = store.read_config(CLASSIFIER, "encoder", "classes")
    base = (fingerprint.code_hash("stages.explanation.__main__"), params.precision, weights, config)
    shown = [picture for picture in pictures.split("train") if picture.labels]
    keys = [(p.content_hash(), p.labels, fingerprint.file_hash(_file(p))) for p in shown]
    work = [items.Item(p.id, fingerprint.key(base, *key), p) for p, key in zip(shown, keys, strict=True)]
    pool.single_thread()  # the processes are the parallelism; workers inherit the loaded network
    compute = Answers(params, str(place))
    compute.prepare()
    results = items.compute_items("explanation", work, compute, read=masked, **items.on(place.type))
    pairs = [np.empty((0, 5)), *(_pairs(results.read(item, ANSWERS)) for item in work)]
    classes = np.array([label - 1 for picture in shown for label in picture.labels], int)
    values = write(np.concatenate(pairs), classes, pictures.classes[1:], len(shown))
    told = ", ".join(f"{name} {values[name]:.2f} %" for name in METRICS if name in values)
    return f"explanation: {len(shown)} pictures, {results.computed} computed; {told.replace('_', ' ')}"


def masked(picture: Picture) -> Masked:
    """A picture with its seeds at its size; negative contributions keep nothing."""
    arrays = read_npz(_file(picture))
    if tuple(arrays["classes"].tolist()) != picture.labels:
        raise ValueError(f"{_file(picture)} is not of the picture's labels: `wsss run seeds` makes it anew")
    masks = upsample(arrays["maps"], (picture.height, picture.width)).clip(0, 1)
    return Masked(picture, loaded(picture).pixels, masks)


def _file(picture: Picture) -> Path:
    return SEEDS / f"{picture.id}.npz"


@dataclass(frozen=True)
class Answers:
    """The answers to a batch of equal-sized pictures: rows as `views` has them, a column per class there."""

    params: Explanation
    place: str

    def prepare(self) -> None:
        _classifier(self.place)

    def __call__(self, batch: list[Masked]) -> list[Files]:
        model, encoder = _classifier(self.place)
        height, width = batch[0].pixels.shape[:2]
        most = max(1, min(items.BATCH, items.BATCH_PIXELS // (height * width)))
        rows = 1 if self.place == "cpu" else most
        pictures = (normalise(one.pixels, encoder["mean"], encoder["std"]) for one in batch)
        shown = chain.from_iterable(views(x, one.masks) for x, one in zip(pictures, batch, strict=True))
        found = probabilities(model, shown, rows, self.place, self.params.precision == "bf16")
        parts = np.split(found, np.cumsum([2 * len(one.masks) + 1 for one in batch])[:-1])
        return [self._files(one.picture, part) for one, part in zip(batch, parts, strict=True)]

    def _files(self, picture: Picture, found: np.ndarray) -> Files:
        if not np.isfinite(found).all():
            raise ValueError(
                f"the classifier's scores of {picture.id} are not finite: it diverged, train it again"
            )
        return {ANSWERS: npz_bytes(answers=found[:, np.array(picture.labels) - 1])}


@functools.cache
def _classifier(place: str) -> tuple[ClassifierNet, dict[str, Any]]:
    """The trained network, and what its config.json says of its encoder."""
    config = store.read_config(CLASSIFIER)
    model = store.load_into(rebuild_classifier(config), CLASSIFIER, place)
    return model, config["encoder"]  # type: ignore[return-value]


def _pairs(content: bytes) -> np.ndarray:
    answers = npz_arrays(content)["answers"]
    number = answers.shape[1]
    return metrics.of_pairs(answers[0], answers[1 : number + 1], answers[number + 1 :])


def write(pairs: np.ndarray, classes: np.ndarray, names: tuple[str, ...], pictures: int) -> dict[str, Any]:
    """Write both files of pairs [P, 5] with their classes [P], from 0; returns what metrics.json holds.

    Percent: the means over the classes, and with `micro_` before it over all pairs. What no pair defines is
    left out there, and is an empty cell in the table.
    """
    table, with_others = metrics.by_class(pairs, classes, len(names)), ~np.isnan(pairs[:, 3])
    counts = [(int((classes == c).sum()), int(with_others[classes == c].sum())) for c in range(len(names))]
    lines = [
        (as_text(name), *count, *("" if np.isnan(value) else f"{percent(value):.2f}" for value in row))
        for name, count, row in zip(names, counts, table, strict=True)
    ]
    write_atomic(OUT / "per_class.csv", csv_text([COLUMNS, *lines]))
    found = dict(zip(METRICS, metrics.mean(table), strict=True))
    found |= {f"micro_{n}": value for n, value in zip(METRICS, metrics.summary(pairs), strict=True)}
    values = {name: percent(value) for name, value in found.items() if not np.isnan(value)}
    numbers = {"images": pictures, "pairs": len(pairs), "pairs_with_others": int(with_others.sum())}
    write_json(OUT / "metrics.json", values | numbers | {"split": "train"})
    return values


if __name__ == "__main__":
    door.run("explanation")
