"""Parameters of the step `segmenter`."""

from typing import Any, Literal

from pydantic import model_validator

from stages.common.training.params import MaskedTraining
from stages.segmenter.loss_params import CrossEntropy, Dice, EdgeWeighted, Focal, Lovasz, Terms
from stages.segmenter.network_params import Network, check_network, check_terms, normalises_pooled

# The folder of data/ whose masks it learns from.
Labels = Literal["pseudo_labels", "affinity_labels/crf", "one_step/train", "graph", "annotations"]


class Segmenter(MaskedTraining):
    on_tokens = True  # of some networks, which `check_network` knows
    # The ceiling learns from the truth, and does not see it.
    labels: Labels | None = None
    loss: Literal["cross_entropy", "focal", "edge_weighted", "dice", "lovasz"]
    cross_entropy: CrossEntropy | None = None  # dvc.yaml declares the chosen loss's keys only
    focal: Focal | None = None
    edge_weighted: EdgeWeighted | None = None
    dice: Dice | None = None
    lovasz: Lovasz | None = None
    terms: Terms
    without_class: Literal["learn", "skip"]  # pictures that show none
    network: Network
    options: dict[str, Any]  # of that network, e.g. decoder_channels

    @model_validator(mode="after")
    def _fits(self) -> "Segmenter":
        check_network(self, self.network, self.options)
        check_terms(self.network, self.terms.on())
        energy = self.terms.dense_energy
        if energy and round(energy.scale * self.augment.crop) < 2:
            raise ValueError(
                f"terms.dense_energy.scale: {energy.scale:g} of augment.crop {self.augment.crop} leaves one "
                "pixel, and there is nothing to compare it with"
            )
        return self

    def normalises_pooled(self) -> bool:
        """Whether batch norm sees features pooled to one cell, and so one value for each picture."""
        return normalises_pooled(self.network, self.options)
