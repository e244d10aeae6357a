"""What boxes give before anything is trained: filled, and cut out by GrabCut, against the masks of train.

A graph network that learns from boxes has to give more. Where boxes overlap the smaller lies above; outside
of all is background. GrabCut is the recipe's, with its parameters.

Run it in a project whose boxes and masks are there (`wsss preset boxes && wsss run dataset`), from its root:
`python -m benchmarks.boxes`; it writes benchmarks/results/boxes.csv.
"""

from pathlib import Path

import numpy as np

from benchmarks.common import save
from stages.affinity_labels.grab_cut import object_of
from stages.affinity_labels.merging import area_of, largest_first
from stages.affinity_labels.params import GrabCut
from stages.common.annotations import load_annotations
from stages.common.artifacts import read_mask
from stages.common.params import check, read_yaml
from stages.common.pictures import load_pictures, loaded
from stages.common.progress import track
from stages.evaluation import metrics

MASKS = Path("data/masks")


def main() -> None:
    pictures = load_pictures()
    boxes = load_annotations(pictures.classes).boxes
    section = read_yaml(Path("params.yaml"))["affinity_labels"]["confident"]["grabcut"]
    params = check(GrabCut, section, "params.yaml, affinity_labels.confident.grabcut")
    ways = ("filled boxes", "GrabCut in each box")
    classes = len(pictures.classes)
    tables = {way: np.zeros((classes, classes + 1), np.int64) for way in ways}
    drawn = [p for p in pictures.split("train") if p.id in boxes and (MASKS / f"{p.id}.png").is_file()]
    for picture in track(drawn, len(drawn), "boxes"):
        truth, pixels = read_mask(MASKS / f"{picture.id}.png"), loaded(picture).pixels
        for way, table in tables.items():
            labels = np.zeros(truth.shape, np.uint8)
            for box in largest_first(boxes[picture.id]):
                labels[object_of(box, pixels, params) if way == ways[1] else area_of(box)] = box.label
            table += metrics.confusion(truth, labels, classes)
    rows: list[tuple[str, ...]] = [("labels", "pictures", "miou", "precision", "recall")]
    for way, table in tables.items():
        means = metrics.means(table)
        shown = [f"{100 * means[name]:.2f}" for name in ("miou", "precision", "recall")]
        rows.append((way, str(len(drawn)), *shown))
    save("boxes", rows)


if __name__ == "__main__":
    main()
