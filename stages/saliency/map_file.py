"""The map of a picture as data/saliency holds it, whatever made it."""

from pathlib import Path

import numpy as np

from stages.common.artifacts import npz_bytes
from stages.common.pictures import Picture
from stages.common.pool import Files

OUT = Path("data/saliency")
CLASSES = ["background", "foreground"]  # of the maps; classes.json beside them


def packed(values: np.ndarray, picture: Picture) -> Files:
    """As the seeds lie: the map [h, w] as float16 [1, h, w], its class, the picture's size."""
    return {
        "*.npz": npz_bytes(
            maps=values[None].astype(np.float16),
            classes=np.array([1], np.int16),
            size=np.array([picture.height, picture.width], np.int32),
        )
    }
