"""What the regions of `pseudo_labels.merge` give to pseudo-labels that are there, against the masks of train.

Every kind of regions, with the keys of params.yaml, in each way with those that take no class (`rest`). How
good regions can be is shown beside it, "of the truth": the truth itself, with its borders along theirs.

Run it in a project whose pseudo-labels and masks are there, made with `pseudo_labels.merge: none`, from its
root: `python -m benchmarks.merge`; it writes benchmarks/results/merge.csv. `masks` are among the kinds where
`pseudo_labels.regions` names them.
"""

from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.common import save
from stages.affinity_labels.superpixels import segments
from stages.common.artifacts import read_mask
from stages.common.params import check, read_yaml
from stages.common.pictures import Picture, load_pictures, loaded
from stages.common.progress import track
from stages.evaluation import metrics
from stages.pseudo_labels.merge import of_masks, of_parts
from stages.pseudo_labels.merges import felzenszwalb, masks
from stages.pseudo_labels.params import PseudoLabels, Rule

MASKS, LABELS = Path("data/masks"), Path("data/pseudo_labels")
NONE, BEST = ("none", ""), "of the truth"
HEADER = ("regions", "rest", "pictures", "miou", "precision", "recall")


def main() -> None:
    pictures = load_pictures()
    params = check(
        PseudoLabels, read_yaml(Path("params.yaml"))["pseudo_labels"], "params.yaml, pseudo_labels"
    )
    kinds = ["felzenszwalb", "slic", *(["masks"] if params.regions != "nothing" else [])]
    rests = get_args(Rule.model_fields["rest"].annotation)
    ways = [NONE, *((kind, way) for kind in kinds for way in (*rests, BEST))]
    classes = len(pictures.classes)
    tables = {way: np.zeros((classes, classes + 1), np.int64) for way in ways}
    known = [p for p in pictures.split("train") if (MASKS / f"{p.id}.png").is_file()]
    for picture in track(known, len(known), "merge"):
        truth, labels = (read_mask(folder / f"{picture.id}.png") for folder in (MASKS, LABELS))
        tables[NONE] += metrics.confusion(truth, labels, classes)
        for kind in kinds:
            options, found = getattr(params, kind), regions(kind, picture, params)
            merged = of_masks if kind == "masks" else of_parts
            for rest in rests:
                after = merged(labels, found, options.model_copy(update={"rest": rest}))
                tables[kind, rest] += metrics.confusion(truth, after, classes)
            best = merged(truth, found, options.model_copy(update={"rest": "vote", "covers": None}))
            tables[kind, BEST] += metrics.confusion(truth, best, classes)
    rows: list[tuple[str, ...]] = [HEADER]
    for (kind, way), table in tables.items():
        means = metrics.means(table)
        shown = [f"{100 * means[name]:.2f}" for name in ("miou", "precision", "recall")]
        rows.append((kind, way, str(len(known)), *shown))
    save("merge", rows)


def regions(kind: str, picture: Picture, params: PseudoLabels) -> Any:
    """A number of each pixel [H, W], or of given masks each as bool [H, W]."""
    if kind == "masks":
        file = Path("data") / params.regions / f"{picture.id}.json"
        return masks.masks(file.read_bytes(), (picture.height, picture.width))
    assert params.felzenszwalb and params.slic
    pixels = loaded(picture).pixels
    return (
        felzenszwalb.parts(pixels, params.felzenszwalb)
        if kind == "felzenszwalb"
        else segments(pixels, params.slic)
    )


if __name__ == "__main__":
    main()
