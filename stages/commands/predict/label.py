"""What `wsss predict` computes, once its arguments are known to be good; it loads torch."""

import argparse
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from stages.commands.predict.batch import FACTS, LabelPictures, shares
from stages.commands.predict.found import names
from stages.commands.predict.like import finder
from stages.common import fingerprint, items, pool
from stages.common.artifacts import as_text, csv_text, output_folder, read_json
from stages.common.device import device
from stages.common.door import visible
from stages.common.params import load
from stages.common.pictures import ROOT
from stages.dataset.depth import read_white
from stages.dataset.params import Dataset
from stages.predictions.any_labeller import tiles_at_a_time
from stages.predictions.labeller import Labeller
from stages.predictions.params import Predictions, wrong_tiles
from stages.segmenter.network import network_module
from stages.segmenter.params import Segmenter
from stages.segmenter.trained import MODEL, read_config

AREAS = ("picture", "class", "pixels", "percent")
PICTURES = ("picture", "file", "width", "height", "problem", "note")


def label(asked: argparse.Namespace, files: list[Path], wrong: dict[Path, str]) -> int:
    """Label `files`, and list those of them that are `wrong` as they are; the exit status."""
    place = device()
    if asked.like:
        compute, key = finder(asked.like, asked.mask, asked.model, str(place))
    else:
        compute, key = segmenter(asked, place)
    work = [
        items.Item(name, fingerprint.key(key, wrong.get(file) or _content(file)), file)
        for name, file in zip(names(files), files, strict=True)
    ]
    pool.single_thread()  # the processes are the parallelism
    compute.prepare()
    with output_folder(asked.out) as folder:
        line = items.map_items(
            "pictures",
            folder,
            [item for item in work if item.task not in wrong],
            compute,
            batches=compute.batches,
            read=compute.read,
            processes=None if place.type == "cpu" else 0,
            alone=True,  # its pictures lie anywhere, not where a worker sees them
        )
        problems, notes = _tables(folder, work, wrong, compute.classes)
        (folder / ".gitignore").write_text("# Made by `wsss predict`: nothing here is for git.\n*\n")
    done = len(files) - len(problems)
    print(f"{done} of {len(files)} pictures are labelled; {line.split(', ', 1)[1]}")
    print(f"{asked.out}: masks, overlays, areas.csv, pictures.csv", flush=True)
    if notes:
        print(f"{len(notes)} of {len(files)} are odd, so look at what they became:")
        print("\n".join(visible(f"  {file}: {note}") for file, note in notes))
    if problems:
        print(f"{len(problems)} of {len(files)} could not be labelled:")
        print("\n".join(visible(f"  {file}: {problem}") for file, problem in problems))
    return 1 if problems else 0


def segmenter(asked: argparse.Namespace, place: torch.device) -> tuple[LabelPictures, str]:
    """The trained segmenter, and a key of what it does."""
    folder = asked.model or MODEL
    config, params = read_config(folder), tiled(load("predictions", Predictions), asked.tile, asked.overlap)
    labeller = Labeller(folder, params, str(place), asked.batch or tiles_at_a_time(place.type))
    most, white = load("dataset", Dataset).max_megapixels, read_white(ROOT)
    key = fingerprint.key(
        fingerprint.code_hash("stages.commands.predict.label", network_module(config["network"])), config,
        most, asdict(white), fingerprint.file_hash(folder / "weights.safetensors"), params.model_dump(),
    )  # fmt: skip
    return LabelPictures(labeller, tuple(config["classes"]), most, white), key


def tiled(params: Predictions, tile: int | None, overlap: int | None) -> Predictions:
    """`params` with tiles of that side and overlap.

    What was not asked for is as the step `predictions` has it, if it cuts its pictures; if not, twice the
    training crop, and a quarter of the side. A network is best near the size that it was trained on: a
    mosaic of 10x15 pictures of the demo gives mIoU 77.3 in tiles of 256 that overlap by 64, 74.7 without
    overlap, 61.4 in tiles of 1024, 58.3 whole.
    """
    if tile is None and params.tile is not None:
        tile, overlap = params.tile, params.overlap if overlap is None else overlap
    tile = tile or 2 * load("segmenter", Segmenter).augment.crop
    overlap = tile // 4 if overlap is None else overlap
    if wrong := wrong_tiles(tile, overlap):
        raise ValueError(f"--{wrong}")
    return params.model_copy(update={"tile": tile, "overlap": overlap, "entropy": False})


def _content(file: Path) -> str:
    try:
        return fingerprint.file_hash(file)
    except OSError as error:  # asked for, so it will be named among the problems
        return f"{file}: {error}"


def _tables(
    folder: Path, work: list[items.Item], wrong: dict[Path, str], classes: tuple[str, ...]
) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]]]:
    """Write areas.csv and pictures.csv in place of the facts; the files that have a problem, or are odd."""
    areas: list[tuple] = [AREAS]
    pictures: list[tuple] = [PICTURES]
    problems, notes = [], []
    for item in work:
        known = item.task in wrong
        facts: dict[str, Any] = (
            {"problem": wrong[item.task]} if known else read_json(folder / FACTS / f"{item.id}.json")
        )
        problem = facts.get("problem", "")
        name, counts = as_text(item.id), facts.get("pixels", [])
        areas += [(name, as_text(classes[index]), *rest) for index, *rest in shares(counts)]
        size, note = (facts.get("width", ""), facts.get("height", "")), facts.get("note", "")
        pictures.append((name, item.task, *size, problem, note))
        if note:
            notes.append((item.task, note))
        if problem:
            problems.append((item.task, problem))
    (folder / "areas.csv").write_text(csv_text(areas))
    (folder / "pictures.csv").write_text(csv_text(pictures))
    shutil.rmtree(folder / FACTS)
    return problems, notes
