"""C2AM (slide "C2AM"): the contrast alone."""

from stages.common.artifacts import UNKNOWN
from stages.common.pictures import Picture
from stages.common.training.strategy import MAIN, Batch, Losses, Networks
from stages.saliency import contrast, trained
from stages.saliency.network import on_cells
from stages.saliency.params import C2am, Saliency

HINTED = False  # the training looks at no seed


def save(params: Saliency, train: list[Picture]) -> str:
    return trained.save("c2am", params, train)


def loss(options: C2am, networks: Networks, batch: Batch, _: float) -> Losses:
    """Of pictures [B, 3, H, W] and masks [B, H, W], 255 outside of the picture."""
    pictures, masks = batch
    known = masks != UNKNOWN
    features, values = networks[MAIN](pictures, known)
    return contrast.losses(features, values, on_cells(known, values.shape[1:]))
