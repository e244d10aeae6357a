"""What must hold of the classifier before anything is computed: known at once, and said in one line."""

import torch

from stages.classifier.network import ClassifierNet
from stages.diagnosis.params import Diagnosis
from stages.seeds import cuts
from stages.seeds.affine import not_affine
from stages.seeds.layers import LAST


def require(model: ClassifierNet, params: Diagnosis) -> None:
    """ValueError for a layer that is no cut, and for layers below the last where the network is not affine.

    Noise serves as pictures: it excites all of the network, of which both are properties.
    """
    weight = model.head.weight
    side = 4 * int(model.encoder.output_stride) + 1  # type: ignore[arg-type]
    noise = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0)).to(weight)
    for layer in params.layers:
        try:
            cuts.require_cut(model, layer, noise)
        except ValueError as error:  # the checks of the seeds say it of their key
            raise ValueError(str(error).replace("seeds.layer", "diagnosis.layers", 1)) from None
    if set(params.layers) != {LAST} and (found := not_affine(model, noise)):
        raise ValueError(
            f"diagnosis.layers: {found} is not piece-wise affine, so biases and contributions do not make up "
            f"the score: set layers: [{LAST}]"
        )
