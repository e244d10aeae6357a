"""What a fold of few-shot segmentation may see: data/masks -> data/fold_masks/FOLD.

`base/` is what the network learns from: the masks of train in which the fold's own classes are background.
`novel/` is what it is asked afterwards: episodes on pictures of val, and the masks that their supports show.
A training reads masks through `base` alone, so it never sees a pixel that is labelled with a novel class.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.common import door
from stages.common.artifacts import csv_text, mask_bytes, output_folder, read_mask
from stages.common.masks import MASKS, with_masks
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.progress import track
from stages.fold_masks.classes import asked, novel_classes
from stages.fold_masks.folds import Episode, base_mask, draw, object_mask, shown_classes
from stages.fold_masks.params import FoldMasks

OUT = Path("data/fold_masks")


def main() -> str:
    fold, params = asked(sys.argv[1:]), load("fold_masks", FoldMasks)
    pictures = load_pictures()
    classes = len(pictures.classes) - 1
    novel = novel_classes(fold, params.fold_classes, classes)
    base = [label for label in range(1, classes + 1) if label not in novel]
    asks = "few_shot.folds asks for a fold"
    train, val = (with_masks(pictures, split, asks) for split in ("train", "val"))
    number = write_base(OUT / str(fold) / "base", train, base, novel, params, pictures.classes)
    episodes = write_novel(OUT / str(fold) / "novel", val, novel, params, pictures.classes)
    names = ", ".join(pictures.classes[label] for label in novel)
    return f"fold_masks@{fold}: {number} pictures to learn from; {episodes} episodes of {names}"


def write_base(
    out: Path, train: list[Picture], base: list[int], novel: range, params: FoldMasks, names: Sequence[str]
) -> int:
    """Masks of the pictures that show a base class, and index.csv with these; returns how many there are.

    ValueError where there are fewer than two pictures of a base class: a query needs another as its support.
    """
    rows, counts = [], dict.fromkeys(base, 0)
    with output_folder(out) as folder:
        for picture in track(train, len(train), "masks to learn from"):
            if params.novel == "drop" and set(picture.labels) & set(novel):
                continue
            mask = base_mask(read_mask(MASKS / f"{picture.id}.png"), novel)
            if shown := shown_classes(mask, base, params.min_area):
                (folder / f"{picture.id}.png").write_bytes(mask_bytes(mask))
                rows.append((picture.id, ";".join(map(str, shown))))
                counts = {label: count + (label in shown) for label, count in counts.items()}
        if short := fewer(counts, 2, names):
            raise ValueError(
                "fold_masks: two pictures of train must show each class that is learnt from; too few show "
                f"{short} with min_area {params.min_area}, novel {params.novel}"
            )
        (folder / "index.csv").write_text(csv_text([("id", "classes"), *rows]))
    return len(rows)


def write_novel(out: Path, val: list[Picture], novel: range, params: FoldMasks, names: Sequence[str]) -> int:
    """episodes.csv, and the masks that supports show, CLASS/ID.png; returns how many episodes there are.

    ValueError where a class has too few pictures for a query and its supports.
    """
    pools: dict[int, list[str]] = {label: [] for label in novel}
    for picture in track(val, len(val), "masks to ask about"):
        mask = read_mask(MASKS / f"{picture.id}.png")
        for label in shown_classes(mask, novel, params.min_area):
            pools[label].append(picture.id)
    need = params.supports + 1
    if short := fewer({label: len(ids) for label, ids in pools.items()}, need, names):
        raise ValueError(
            f"fold_masks.supports: {params.supports} and a query need {need} pictures of val for each class; "
            f"too few show {short}: lower supports or min_area"
        )
    episodes = draw(pools, params.supports, params.episodes, params.runs, params.seed)
    with output_folder(out) as folder:
        for label, name in sorted({(one.label, name) for one in episodes for name in one.supports}):
            file = folder / str(label) / f"{name}.png"
            file.parent.mkdir(exist_ok=True, parents=True)
            mask = read_mask(MASKS / f"{name}.png")
            file.write_bytes(mask_bytes(object_mask(mask, label)))
        (folder / "episodes.csv").write_text(episodes_csv(episodes, params.supports))
    return len(episodes)


def fewer(counts: Mapping[int, int], least: int, names: Sequence[str]) -> str:
    """The classes with fewer pictures, as a person reads them."""
    return ", ".join(f"{names[label]} ({count})" for label, count in counts.items() if count < least)


def episodes_csv(episodes: list[Episode], supports: int) -> str:
    header = ("run", "number", "class", "query", *(f"support{at + 1}" for at in range(supports)))
    return csv_text([header, *((*one[:4], *one.supports) for one in episodes)])


if __name__ == "__main__":
    door.run("fold_masks")
