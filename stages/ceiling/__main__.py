"""What the segmenter would reach on better labels: `python -m stages.ceiling NAME FOLDER-OF-DATA`.

NAME is `segmenter`, which learns from the masks alone (full supervision; the folder is `nothing`), or an
oracle, which learns from the folder's labels as the masks correct them. It is outside the recipe: the graph
has this stage only where `ceiling.of` asks for it, and nothing reads what it makes but the page of the
report. Same network, same training, same inference as the segmenter and the predictions; only the labels
differ, and pictures without a mask are left out.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from stages.ceiling import all_corrected, only_true
from stages.ceiling.samples import Correct, CorrectedSamples
from stages.common import door, fingerprint, items
from stages.common.artifacts import read_mask, write_atomic, write_json
from stages.common.device import device, training_place
from stages.common.masks import MASKS, with_masks
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Picture, Pictures, load_pictures, loaded
from stages.common.training.loop import fit
from stages.common.training.samples import MaskedSamples
from stages.evaluation import metrics, tables
from stages.evaluation.rungs import REPORTS
from stages.predictions.masks import work_of
from stages.predictions.params import Predictions
from stages.segmenter.network import saved_config
from stages.segmenter.params import Segmenter
from stages.segmenter.strategy import modules
from stages.segmenter.training import learnt, prepare

DATA, OUT = Path("data"), Path("data/ceiling")
ORACLES: dict[str, Correct] = {"only_true": only_true.correct, "all_corrected": all_corrected.correct}
SHOWN = 5  # files that an error names


def main() -> str:
    name, labels = asked(sys.argv[1:])
    params = load("segmenter", Segmenter, "ceiling")
    pictures = load_pictures()
    asks = "ceiling.of asks for full supervision"
    train, val = (with_masks(pictures, split, asks) for split in ("train", "val"))
    train = learnt(train, params)
    torch.manual_seed(params.seed)
    samples, key = MaskedSamples(train, params, MASKS), training_key(name, params, train, labels)
    if labels:
        samples = CorrectedSamples(train, params, MASKS, labels, ORACLES[name])
    made = prepare(f"ceiling@{name}", params, len(pictures.classes), samples)
    history = fit(f"ceiling@{name}", made.strategy, made.samples, params, key)
    config = saved_config(params, pictures.classes) | made.config
    store.save_network(OUT / name, made.network, config, history, made.files)
    values = score(name, val, pictures, load("predictions", Predictions, "ceiling"))
    what = f"the labels of {labels} as {name} has them" if labels else "masks"
    miou = f"mIoU {values['miou']:.2f} % of val"
    return f"ceiling@{name}: {miou}, {len(val)} pictures, trained on {len(train)} {what}"


def asked(arguments: Sequence[str]) -> tuple[str, Path | None]:
    """What is trained, and where the labels are that it corrects: None for the masks alone."""
    if len(arguments) == 2 and arguments[0] in ORACLES:
        return arguments[0], DATA / arguments[1]
    if list(arguments) == ["segmenter", "nothing"]:
        return "segmenter", None
    raise ValueError(
        "name what is trained and what it corrects: python -m stages.ceiling segmenter nothing, or one of "
        f"{', '.join(ORACLES)} and a folder of data/; found {' '.join(arguments) or 'nothing'}"
    )


def training_key(name: str, params: Segmenter, train: list[Picture], labels: Path | None) -> str:
    """Of all that the training reads. ValueError where there is no label for a picture."""
    folders = [MASKS, labels] if labels else [MASKS]
    paths = {picture.id: [folder / f"{picture.id}.png" for folder in folders] for picture in train}
    if missing := [str(path) for of_one in paths.values() for path in of_one if not path.is_file()]:
        raise ValueError(
            f"{len(missing)} files are missing, of which ceiling@{name} learns: {', '.join(missing[:SHOWN])}"
        )
    files = [(p.id, p.content_hash(), *map(fingerprint.file_hash, paths[p.id])) for p in train]
    code = fingerprint.code_hash("stages.ceiling.__main__", *modules(params))
    return fingerprint.key(code, name, params.model_dump(), files, training_place())


def score(name: str, val: list[Picture], pictures: Pictures, params: Predictions) -> dict:
    """Write reports/ceiling/NAME/ as the evaluation writes a rung's; returns what metrics.json holds."""
    work, compute = work_of(OUT / name, params.model_copy(update={"entropy": False}), val)
    found = items.compute_items("ceiling", work, compute, read=loaded, **items.on(device().type))
    number = len(pictures.classes)
    table = np.zeros((number, number + 1), np.int64)
    for item in work:
        mask = read_mask(MASKS / f"{item.id}.png")
        table += metrics.confusion(mask, read_mask(found.store / item.key / "item.png"), number)
    values = tables.summary(table, pictures.classes) | {"images": len(val), "split": "val"}
    write_atomic(REPORTS / "ceiling" / name / "per_class.csv", tables.per_class(table, pictures.classes))
    write_json(REPORTS / "ceiling" / name / "metrics.json", values)
    return values


if __name__ == "__main__":
    door.run("ceiling")
