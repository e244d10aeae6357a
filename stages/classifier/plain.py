"""The plain classifier: one network learns each picture's labels."""

from torch.nn import functional as F

from stages.classifier.network import build_classifier
from stages.classifier.params import Classifier
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, one


def strategy(params: Classifier, classes: int) -> Strategy:
    """A new network for `classes` foreground classes; batches of LabelledSamples."""
    return one(build_classifier(params.encoder, classes), soft_margin)


def soft_margin(networks: Networks, batch: Batch, _: float) -> Losses:
    """Multi-label soft-margin loss (ZHANG Eq. 2.14)."""
    pictures, targets = batch
    return {"loss": F.multilabel_soft_margin_loss(networks[MAIN](pictures), targets)}
