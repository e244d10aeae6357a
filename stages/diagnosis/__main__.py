"""What the classifier's scores rest on: data/classifier -> reports/diagnosis. No mask is read.

Of pictures of val, by their labels: which share of a score is the bias above a layer, and what happens to the
score of the predicted class when the pixels that matter most to it are removed.
"""

import functools
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from stages.classifier.network import ClassifierNet, rebuild_classifier
from stages.common import door, fingerprint, items, pool
from stages.common.artifacts import npz_arrays, npz_bytes, write_atomic, write_json
from stages.common.device import device
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures, loaded
from stages.common.pool import Files
from stages.common.training.augment import normalise
from stages.diagnosis import agreement, check, removal, tables
from stages.diagnosis.case import Case
from stages.diagnosis.params import Diagnosis
from stages.seeds.bias import bias_of_parameters

CLASSIFIER, OUT = Path("data/classifier"), Path("reports/diagnosis")
BIAS, FOUND, SPLIT = "bias", "*.npz", "val"


class Task(NamedTuple):
    """A picture and what is asked of it: its bias, or the removal by a method."""

    picture: Picture
    part: str


class Work(NamedTuple):
    """A task with the picture's pixels, RGB uint8 [H, W, 3]."""

    picture: Picture
    part: str
    pixels: np.ndarray


def main() -> str:
    params = load("diagnosis", Diagnosis)
    place = device()
    pool.single_thread()  # the processes are the parallelism; workers inherit the loaded network
    compute = Parts(params, str(place))
    compute.prepare()
    check.require(_classifier(str(place))[0], params)
    shown = chosen(load_pictures().split(SPLIT), params.pictures, params.seed)
    work = {part: tasks(part, shown, params) for part in (BIAS, *params.methods)}
    all_of = [item for part in work.values() for item in part]
    processes = None if place.type == "cpu" else 0  # a task is a batch of its own
    results = items.compute_items("diagnosis", all_of, compute, read=read, processes=processes)
    found = {part: [npz_arrays(results.read(item, FOUND)) for item in of] for part, of in work.items()}
    write(found, [np.array(picture.labels) - 1 for picture in shown], params)
    return f"diagnosis: {len(shown)} pictures, {results.computed} of {len(all_of)} results computed"


def write(found: dict[str, list[tables.Arrays]], labels: list[np.ndarray], params: Diagnosis) -> None:
    """Write the three files of what was found of each picture, by part; `labels` are theirs, from 0."""
    ratios = tables.of_bias(found[BIAS], params.layers)
    curves = tables.of_removal({name: found[name] for name in params.methods}, labels, params.shares)
    write_atomic(OUT / "bias.csv", ratios.text)
    write_atomic(OUT / "removal.csv", curves.text)
    numbers = {"images": len(labels), "split": SPLIT, **ratios.numbers, **curves.numbers}
    write_json(OUT / "metrics.json", numbers)


def chosen(pictures: list[Picture], most: int, seed: int) -> list[Picture]:
    """At most so many pictures that show a class, drawn by `seed`; a new picture displaces one at most."""
    known = [picture for picture in pictures if picture.labels]
    drawn = sorted(known, key=lambda picture: fingerprint.key(seed, picture.id))[:most]
    return sorted(drawn, key=lambda picture: picture.id)


def tasks(part: str, shown: list[Picture], params: Diagnosis) -> list[items.Item]:
    """An item per picture, under a key of all that the part is made from and of no more."""
    weights = fingerprint.file_hash(CLASSIFIER / "weights.safetensors")
    config = store.read_config(CLASSIFIER, "encoder", "classes")
    modules = ["stages.diagnosis.__main__"] + [f"stages.diagnosis.methods.{part}"] * (part != BIAS)
    of_step = {
        BIAS: [params.layers],
        "occlusion": [params.shares, params.fill, params.occlusion.model_dump()],
        "random": [params.shares, params.fill, params.seed],
    }
    own = of_step.get(part, [params.shares, params.fill])
    base = (part, fingerprint.code_hash(*modules), weights, config, own)
    of_picture = {BIAS: lambda picture: picture.labels, "random": lambda picture: picture.id}
    also = of_picture.get(part, lambda picture: "")
    return [items.Item(p.id, fingerprint.key(base, p.content_hash(), also(p)), Task(p, part)) for p in shown]


def read(task: Task) -> Work:
    return Work(*task, loaded(task.picture).pixels)


@dataclass(frozen=True)
class Parts:
    """The parts of pictures, each by itself."""

    params: Diagnosis
    place: str

    def prepare(self) -> None:
        _classifier(self.place)

    def __call__(self, batch: list[Work]) -> list[Files]:
        return [{FOUND: npz_bytes(**self._of(one))} for one in batch]

    def _of(self, one: Work) -> dict[str, np.ndarray]:
        model, encoder = _classifier(self.place)
        x = normalise(one.pixels, encoder["mean"], encoder["std"])
        case = self._case(model, encoder, torch.from_numpy(x).to(self.place), one.picture)
        scores = case.scores([x])[0]
        if not np.isfinite(scores).all():
            raise ValueError(
                f"the classifier's scores of {one.picture.id} are not finite: it diverged, train it again"
            )
        if one.part == BIAS:
            return {
                "scores": scores,
                "classes": np.array(one.picture.labels) - 1,
                "bias": self._bias(case, one),
            }
        return removed(case._replace(target=int(scores.argmax())), one.part, self.params.shares)

    def _case(self, model: ClassifierNet, encoder: dict[str, Any], x: torch.Tensor, picture: Picture) -> Case:
        black, middle = (_colour(value, encoder).to(x) for value in (0.0, None))
        height, width = x.shape[1:]
        rows = 1 if self.place == "cpu" else max(1, min(items.BATCH, items.BATCH_PIXELS // (height * width)))
        fill = black if self.params.fill == "black" else middle
        seed = (self.params.seed, int(fingerprint.key(picture.id), 16))
        return Case(model, x, 0, black, fill, self.params.occlusion, seed, rows)

    def _bias(self, case: Case, one: Work) -> np.ndarray:
        """By layer and class of the picture."""
        classes = torch.tensor([one.picture.labels], device=self.place) - 1
        found = [
            bias_of_parameters(case.model, case.picture[None], classes, layer) for layer in self.params.layers
        ]
        return torch.cat(found).cpu().double().numpy()


def removed(case: Case, method: str, shares: list[float]) -> dict[str, np.ndarray]:
    """The scores of the whole picture and without the shares [1 + N, C]; the class; the map.

    `coarse` is the map by parts of the picture (agreement.py).
    """
    module = importlib.import_module(f"stages.diagnosis.methods.{method}")
    map_ = module.relevance(case).cpu().numpy()
    picture, fill = case.picture.cpu().numpy(), case.fill.cpu().numpy()
    scores = case.scores(removal.views(picture, removal.ranked(map_), shares, fill))
    return {"scores": scores, "target": np.array(case.target), "coarse": agreement.coarse(map_)}


def _colour(value: float | None, encoder: dict[str, Any]) -> torch.Tensor:
    """A grey of 0..1, or the mean colour, as the network sees it, [3, 1, 1]."""
    mean, std = (torch.tensor(encoder[key], dtype=torch.float32)[:, None, None] for key in ("mean", "std"))
    return torch.zeros_like(mean) if value is None else (value - mean) / std


@functools.cache
def _classifier(place: str) -> tuple[ClassifierNet, dict[str, Any]]:
    """The trained network, and what its config.json says of its encoder."""
    config = store.read_config(CLASSIFIER)
    model = store.load_into(rebuild_classifier(config), CLASSIFIER, place)
    return model, config["encoder"]  # type: ignore[return-value]


if __name__ == "__main__":
    door.run("diagnosis")
