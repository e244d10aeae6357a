"""Published mIoU on PASCAL VOC 2012 in percent, all trained on 10,582 pictures, to stand beside ours."""

from typing import Any, NamedTuple


class Band(NamedTuple):
    """From `low` to `high` percent, what was measured, and where it is printed."""

    low: float
    high: float
    name: str
    source: str


VOC = {
    "seeds": Band(46.8, 48.3, "CAM", "EADER slides (table of PSA), ZHANG Tab. 2.2"),
    "pseudo_labels": Band(58.7, 66.5, "PSA to IRN", "EADER slides; IRN's table of its issue 4"),
    "predictions": Band(61.7, 63.5, "PSA, IRN", "the papers of PSA (R38) and IRN (ResNet-50), val"),
}
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


def bands(classes: list[str], params: dict[str, Any]) -> dict[str, Band]:
    """By rung, where the data set is VOC's, its format alone is not enough, the generated set has it too; and
    where nobody drew anything, nor made maps or regions: these numbers are of image labels."""
    source = params["dataset"]
    is_voc = source["source"] == "voc" and tuple(classes[1:]) == CLASSES
    more = [source.get("annotations"), params.get("saliency", {}).get("maps")]
    more.append(params.get("pseudo_labels", {}).get("regions"))
    return VOC if is_voc and not set(more) - {None, "none", "nothing"} else {}
