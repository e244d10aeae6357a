"""C2AM (slide "C2AM"): the contrast alone."""

from stages.common.artifacts import UNKNOWN
from stages.common.training.strategy import MAIN, Batch, Losses, Networks
from stages.saliency import contrast
from stages.saliency.network import on_cells
from stages.saliency.params import C2am

HINTED = False  # the training looks at no seed


def loss(options: C2am, networks: Networks, batch: Batch, _: float) -> Losses:
    """Of pictures [B, 3, H, W] and masks [B, H, W], 255 outside of the picture."""
    pictures, masks = batch
    known = masks != UNKNOWN
    features, values = networks[MAIN](pictures, known)
    return contrast.losses(features, values, on_cells(known, values.shape[1:]))
