"""The stages that benchmarks/gpu.py times: as the recipe runs them, and as a plain loop over the pictures."""

import contextlib
import functools
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import default_collate

import stages  # noqa: F401  # before torchvision
from stages.affinity import __main__ as affinity_step
from stages.affinity.network import AffinityNet, affinities, build_affinity_net
from stages.affinity.offsets import offset_list
from stages.affinity.params import Affinity
from stages.classifier import plain
from stages.classifier.network import ClassifierNet, build_classifier
from stages.classifier.params import Classifier
from stages.common import items, pool
from stages.common.artifacts import read_npz, read_picture
from stages.common.networks import store
from stages.common.params import check
from stages.common.pictures import Picture, loaded
from stages.common.training import loop
from stages.common.training.augment import normalise
from stages.common.training.samples import LabelledSamples, MaskedSamples
from stages.common.training.strategy import MAIN, Strategy
from stages.pseudo_labels import __main__ as walk_step
from stages.pseudo_labels.params import PseudoLabels
from stages.pseudo_labels.random_walk import resize, transition
from stages.seeds import __main__ as seeds_step
from stages.seeds.params import Seeds
from stages.segmenter.params import Segmenter
from stages.segmenter.strategy import strategy

SCALES, BETA, SQUARINGS = [0.5, 1.0, 1.5, 2.0], 10, 8  # IRN's
AFFINITY_NET = Path("affinity_net")
Measured = tuple[int, float, float | None]  # pictures, seconds, the share of these in which the device waits


@dataclass(frozen=True)
class Setting:
    stage: str
    options: dict[str, Any]
    sections: dict[str, Any]  # of params.yaml
    place: torch.device

    def pictures(self) -> list[Picture]:
        return pictures_of(self.options["pictures"], self.options)

    def section(self, step: str) -> dict[str, Any]:
        """The demo's section of a training with the sizes asked for; one epoch, so that none ends amid."""
        section, asked = self.sections[step], self.options
        new = {"name": asked["encoder"], "output_stride": 16}
        return section | {
            "encoder": section["encoder"] | new | {"weights": {"source": "none", "name": "", "sha256": ""}},
            "augment": section["augment"] | {"crop": asked["crop"]},
            "precision": asked["precision"], "batch": asked["batch"], "epochs": 1,
        }  # fmt: skip


class Loader:
    """The batches of the training loop, when it asked for each, and how long it waited for it."""

    def __init__(self, batches: Callable[..., Generator[Any, None, None]]) -> None:
        self.batches = batches
        self.asked: list[float] = []
        self.waited: list[float] = []

    def __call__(self, *arguments: Any) -> Generator[Any, None, None]:
        with contextlib.closing(self.batches(*arguments)) as drawn:
            while True:
                begin = time.perf_counter()
                batch = next(drawn, None)
                if batch is None:
                    return
                self.asked.append(begin)
                self.waited.append(time.perf_counter() - begin)
                yield batch

    def measured(self, first: int, batch: int) -> Measured:
        """Of the steps from `first` on; the last has no next one that says when it ended."""
        seconds = self.asked[-1] - self.asked[first]
        return (len(self.asked) - 1 - first) * batch, seconds, sum(self.waited[first:-1]) / seconds


class Timed:
    """A step's `compute`, and the seconds that are spent in it, in this process."""

    def __init__(self, compute: pool.Compute) -> None:
        self.compute, self.seconds = compute, 0.0

    def __call__(self, batch: list[Any]) -> list[pool.Files]:
        begin = time.perf_counter()
        found = self.compute(batch)
        self.seconds += time.perf_counter() - begin
        return found


def pictures_of(count: int, options: dict[str, Any]) -> list[Picture]:
    """Made pictures, soft with some grain, two classes each in turn, and masks of rectangles."""
    height, width, classes = options["height"], options["width"], options["classes"]
    for place in ("pictures", "masks"):
        Path(place).mkdir(exist_ok=True)
    found = []
    for number in range(count):
        path, rng = Path(f"pictures/{number}.jpg"), np.random.default_rng(number)
        labels = tuple(sorted({1 + number % classes, 1 + number // 2 % classes}))
        if not path.exists():
            soft = cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (width, height))
            grain = rng.integers(-20, 21, soft.shape)
            cv2.imwrite(str(path), np.clip(soft + grain, 0, 255).astype(np.uint8))
            mask = np.zeros((height, width), np.uint8)
            for label in labels:
                top, left = rng.integers(height // 2), rng.integers(width // 2)
                mask[top : top + height // 2, left : left + width // 2] = label
            cv2.imwrite(f"masks/{number}.png", mask)
        found.append(Picture(str(number), path, "train", width, height, labels))
    return found


def training(setting: Setting) -> tuple[Strategy, Any, Any, int]:
    """The strategy of the step, its samples and parameters, and the first step that counts."""
    step, options = setting.stage.partition(",")[0], setting.options
    first = 2 + (2 * pool.worker_count() if setting.place.type == "cuda" else 0)  # a worker draws two ahead
    count = (first + options["steps"] + 1) * options["batch"]
    pictures = pictures_of(options["batch"] if setting.stage != step else count, options)
    pictures = [pictures[number % len(pictures)] for number in range(count)]
    classes = options["classes"]
    if step == "segmenter":
        masked = check(Segmenter, setting.section(step), "benchmark")
        return strategy(masked, classes + 1), MaskedSamples(pictures, masked, Path("masks")), masked, first
    params = check(Classifier, setting.section(step), "benchmark")
    return plain.strategy(params, classes), LabelledSamples(pictures, params, classes), params, first


def ours_classifier(setting: Setting) -> Measured:
    learning, samples, params, first = training(setting)
    loader = Loader(loop.batches)
    with mock.patch.object(loop, "batches", loader):
        loop.fit(setting.stage, learning, samples, params, "key")
    return loader.measured(first, params.batch)


def plain_classifier(setting: Setting) -> Measured:
    learning, samples, params, first = training(setting)
    network, place = learning.networks[MAIN].to(setting.place).train(), setting.place
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    asked = []
    for step in range(len(samples) // params.batch):
        asked.append(time.perf_counter())
        numbers = range(step * params.batch, (step + 1) * params.batch)
        drawn = [samples.sample(number, np.random.default_rng(number)) for number in numbers]
        batch = tuple(tensor.to(place) for tensor in default_collate(drawn))
        optimizer.zero_grad()
        loss = learning.turns[0].loss({MAIN: network}, batch, 0.0)["loss"]
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device, as a loop that prints its loss
    return (len(asked) - 1 - first) * params.batch, asked[-1] - asked[first], None


ours_segmenter, plain_segmenter = ours_classifier, plain_classifier


def mapped(step: str, out: Path, pictures: list[Picture], compute: Any, place: torch.device) -> Measured:
    """The step as it runs, reading and storing included; what is built and loaded before it is not."""
    how = items.on(place.type)
    timed = Timed(compute) if how or pool.worker_count() == 1 else None
    pool.single_thread()
    compute.prepare()
    compute([loaded(pictures[0])])
    work = [items.Item(p.id, p.id, p) for p in pictures]
    begin = time.perf_counter()
    items.map_items(step, out, work, timed or compute, read=loaded, **how)
    seconds = time.perf_counter() - begin
    return len(pictures), seconds, 1 - timed.seconds / seconds if timed else None


def one_by_one(pictures: list[Picture], work: Callable[[Picture], Any]) -> Measured:
    torch.set_num_threads(pool.worker_count())
    work(pictures[0])
    begin = time.perf_counter()
    for picture in pictures:
        work(picture)
    return len(pictures), time.perf_counter() - begin, None


def classifier_of(setting: Setting) -> tuple[ClassifierNet, Any]:
    params = check(Classifier, setting.section("classifier"), "benchmark")
    model = build_classifier(params.encoder, setting.options["classes"]).eval()
    torch.nn.init.normal_(model.head.weight)
    return model, params.encoder


def ours_seeds(setting: Setting) -> Measured:
    model, encoder = classifier_of(setting)
    names = ["background", *(f"class{n}" for n in range(setting.options["classes"]))]
    config = {"classes": names, "encoder": encoder.model_dump()}
    store.save_network(seeds_step.CLASSIFIER, model, config, [{"epoch": 1, "loss": 0.0}])
    asked = {"method": "cam", "scales": SCALES, "precision": setting.options["precision"]}
    params = check(Seeds, setting.sections["seeds"] | asked, "benchmark")
    compute = seeds_step.SeedMaps(params, str(setting.place))
    return mapped("seeds", seeds_step.OUT, setting.pictures(), compute, setting.place)


def plain_seeds(setting: Setting) -> Measured:
    model, encoder = classifier_of(setting)
    work = functools.partial(plain_maps, model.to(setting.place), encoder, setting.place)
    return one_by_one(setting.pictures(), work)


@torch.inference_mode()
def plain_maps(model: ClassifierNet, encoder: Any, place: torch.device, picture: Picture) -> np.ndarray:
    """The picture's classes [K, H, W], each divided by its maximum."""
    x = torch.from_numpy(normalise(read_picture(picture.path), encoder.mean, encoder.std))[None].to(place)
    total = torch.zeros((), device=place)
    for scale in SCALES:
        scaled = F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)
        for flip in (False, True):
            maps = model.head(model.features(scaled.flip(3) if flip else scaled)).relu()
            maps = F.interpolate(maps, x.shape[2:], mode="bilinear", align_corners=False)[0]
            total = total + (maps.flip(2) if flip else maps)
    chosen = total[[label - 1 for label in picture.labels]]
    found: np.ndarray = (chosen / (chosen.amax((1, 2), keepdim=True) + 1e-5)).cpu().numpy()
    return found


def affinity_of(setting: Setting) -> tuple[AffinityNet, Affinity]:
    asked = {"of": ["affinity_labels"], "method": "affinity_net", "grid_stride": setting.options["grid"]}
    params = check(Affinity, setting.section("affinity") | asked, "benchmark")
    return build_affinity_net(
        params.encoder, params.levels, params.channels, params.grid_stride
    ).eval(), params


def ours_affinity(setting: Setting) -> Measured:
    model, params = affinity_of(setting)
    config = params.model_dump(include={"encoder", "levels", "channels", "grid_stride", "radius"})
    store.save_network(AFFINITY_NET, model, config, [{"epoch": 1, "loss": 0.0}])
    compute = affinity_step.AffinityMaps(params, str(setting.place), str(AFFINITY_NET))
    return mapped("affinity", affinity_step.OUT, setting.pictures(), compute, setting.place)


def plain_affinity(setting: Setting) -> Measured:
    model, params = affinity_of(setting)
    offsets, encoder, place = offset_list(params.radius), params.encoder, setting.place
    model.to(place)

    @torch.inference_mode()
    def work(picture: Picture) -> Tensor:
        x = torch.from_numpy(normalise(read_picture(picture.path), encoder.mean, encoder.std))[None]
        return affinities(model(x.to(place)), offsets)[0].cpu()

    return one_by_one(setting.pictures(), work)


def ours_walk(setting: Setting) -> Measured:
    """Of what the two stages before have stored. Only a CPU walks, so no GPU waits for anything."""
    section = setting.sections["pseudo_labels"]
    asked = {"background": "constant", "beta": BETA, "steps": 2**SQUARINGS, "crf": False}
    walked = {"method": "random_walk", "merge": "none", "random_walk": section["random_walk"] | asked}
    params = check(PseudoLabels, section | walked, "benchmark")
    work = [items.Item(p.id, p.id, p) for p in setting.pictures()]
    begin = time.perf_counter()
    items.map_items("pseudo_labels", walk_step.OUT, work, walk_step.PictureLabels(params))
    return len(work), time.perf_counter() - begin, None


def plain_walk(setting: Setting) -> Measured:
    return one_by_one(setting.pictures(), functools.partial(dense_walk, setting.place))


def dense_walk(place: torch.device, picture: Picture) -> np.ndarray:
    """T^(2^SQUARINGS) of the picture's seeds [K, h, w] on the grid, by a dense T."""
    seeds = read_npz(seeds_step.OUT / f"{picture.id}.npz")["maps"]
    stored = read_npz(walk_step.AFFINITY / f"{picture.id}.npz")
    matrix = transition(stored["affinities"], stored["offsets"], BETA)
    dense = torch.from_numpy(matrix.toarray()).to(place)
    for _ in range(SQUARINGS):
        dense = dense @ dense
    maps = np.maximum(resize(seeds, stored["affinities"].shape[1:]), 0)
    walked = dense @ torch.from_numpy(maps.reshape(len(maps), -1).T.copy()).to(place)
    found: np.ndarray = walked.cpu().numpy().T.reshape(maps.shape)
    return found
