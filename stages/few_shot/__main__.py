"""Train a fold's few-shot network on its base classes: data/fold_masks/FOLD/base -> data/few_shot/FOLD.

Nothing of the recipe is read: the encoder starts from the weights that params.yaml names, never from the
classifier, which saw the labels of the novel classes. The last epoch is kept; no score chooses one.
"""

import sys
from pathlib import Path

import torch

from stages.common import door, fingerprint
from stages.common.device import training_place
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.training.loop import fit
from stages.common.training.strategy import one
from stages.few_shot.losses import batch_loss
from stages.few_shot.network import build_few_shot, saved_config
from stages.few_shot.params import FewShot
from stages.few_shot.samples import PairSamples, read_base
from stages.fold_masks.classes import asked

BASES, OUT = Path("data/fold_masks"), Path("data/few_shot")


def main() -> str:
    fold, params = asked(sys.argv[1:]), load("few_shot", FewShot)
    pictures, base = load_pictures(), BASES / str(fold) / "base"
    train, shown = read_base(base, pictures.split("train"))
    step = f"few_shot@{fold}"
    torch.manual_seed(params.seed)
    network = build_few_shot(params)
    samples = PairSamples(train, shown, params, base)
    history = fit(step, one(network, batch_loss), samples, params, training_key(params, train, base))
    learnt = {label for of_one in shown for label in of_one}
    store.save_network(OUT / str(fold), network, saved_config(params, pictures.classes, learnt), history)
    last = history[-1]
    told = f"loss {last['loss']:.3f} (query {last['query']:.3f})"
    return f"{step}: {len(train)} pictures of {len(learnt)} classes, {told}"


def training_key(params: FewShot, train: list[Picture], base: Path) -> str:
    """Of all that the training reads."""
    files = [(p.id, p.content_hash(), fingerprint.file_hash(base / f"{p.id}.png")) for p in train]
    code, index = fingerprint.code_hash("stages.few_shot.__main__"), fingerprint.file_hash(base / "index.csv")
    return fingerprint.key(code, params.model_dump(exclude={"folds"}), files, index, training_place())


if __name__ == "__main__":
    door.run("few_shot")
