"""Regions of like colour and of about one size: superpixels (Achanta et al., 2012)."""

import numpy as np

from stages.affinity_labels.superpixels import segments
from stages.pseudo_labels.merge import of_parts
from stages.pseudo_labels.params import Slic

NEEDS = "picture"


def merged(
    labels: np.ndarray, options: Slic, picture: np.ndarray | None, content: bytes | None
) -> np.ndarray:
    assert picture is not None
    return of_parts(labels, segments(picture, options), options)
