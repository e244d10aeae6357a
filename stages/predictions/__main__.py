"""Label the validation pictures with the trained segmenter: data/segmenter -> data/predictions."""

from pathlib import Path

from stages.common import door, items
from stages.common.device import device
from stages.common.params import load
from stages.common.pictures import load_pictures, loaded
from stages.predictions.masks import work_of
from stages.predictions.params import Predictions

SEGMENTER, OUT = Path("data/segmenter"), Path("data/predictions")


def main() -> str:
    work, compute = work_of(SEGMENTER, load("predictions", Predictions), load_pictures().split("val"))
    return items.map_items("predictions", OUT, work, compute, read=loaded, **items.on(device().type))


if __name__ == "__main__":
    door.run("predictions")
