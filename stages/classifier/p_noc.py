"""P-NOC (DAVID, "P-NOC"): as P-OC, and the ordinary classifier learns in turn, from what is left.

It sees pictures in which the surest place of a class is erased, and must still find every class: so it is
not fooled by an erased picture for long, and the classifier must erase more.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.classifier import p_oc
from stages.classifier.erasing import ORDINARY, TINY, map_of, ramp, suppression
from stages.classifier.inputs import Looks
from stages.classifier.loss import soft_margin
from stages.classifier.network import build_classifier
from stages.classifier.ordinary import Ordinary
from stages.classifier.params import Classifier, PNoc
from stages.classifier.samples import ChosenSamples
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, Turn

Samples = ChosenSamples  # a class of each picture is drawn, which is the one to erase


def strategy(params: Classifier, classes: int, ordinary: Ordinary) -> Strategy:
    """A new network for `classes` foreground classes; the `ordinary` one learns after it in each step.

    Its batch norm stays as it is.
    """
    assert params.p_noc is not None  # the schema sees to it
    main = build_classifier(params.encoder, classes)
    turns = Turns(params.p_noc, params.label_smoothing)
    rate = params.optimizer.lr * params.p_noc.lr_multiple
    second = Turn(
        ORDINARY,
        turns.ordinary,
        optimizer=params.optimizer.model_copy(update={"lr": rate}),
        encoder=ordinary.encoder.model_copy(update={"batch_norm": "frozen"}),
    )
    networks: dict[str, nn.Module] = {MAIN: main, ORDINARY: ordinary.network.requires_grad_()}
    return Strategy(networks, (Turn(MAIN, turns.main), second))


@dataclass
class Turns:
    """The two losses. The second one needs the maps of the first, before the network has moved."""

    options: PNoc
    smoothing: float
    seen: p_oc.Seen | None = None

    def main(self, networks: Networks, batch: Batch, done: float) -> Losses:
        """L_P-OC. The gradient goes through the ordinary classifier and leaves it as it is."""
        self.seen = p_oc.seen(self.options, self.smoothing, networks, batch, done)
        return self.seen.losses

    def ordinary(self, networks: Networks, batch: Batch, done: float) -> Losses:
        """L_noc = lambda_noc l(ordinary(x where H <= delta), y), with all present classes as targets.

        `leak` adds lambda_cse L_cse, whose gradient the published code never clears before this turn.
        """
        assert self.seen is not None  # of this step: turns are taken in their order
        pictures, targets, chosen = batch
        maps, left = self.seen.maps.detach(), self.seen.left.detach()
        self.seen = None
        kept = pictures * keep(maps, chosen, pictures.shape[2:], self.options.delta)
        found = soft_margin(networks[ORDINARY](kept), targets, self.smoothing)
        loss = ramp(self.options.weight, done) * found
        if self.options.leak:
            away = suppression(self.smoothing, networks, left, targets, chosen)
            loss = loss + ramp(self.options.oc_cse.weight, done) * away
        return {"loss": loss, "found": found}


def keep(maps: Tensor, chosen: Tensor, size: torch.Size, delta: float) -> Tensor:
    """1 where the chosen class's map over its maximum H is at most delta, else 0: [B, 1, H, W].

    H is the picture's own: each has something to erase, unlike in the soft mask over the batch.
    """
    positive = map_of(maps, chosen, size)
    top = positive.amax((1, 2, 3), keepdim=True)
    return (positive / (top + TINY) <= delta).to(maps.dtype)


def looks(params: Classifier, networks: Networks, batch: Batch) -> Looks:
    assert params.p_noc is not None
    pictures, _, chosen = batch
    _, maps = networks[MAIN](pictures, maps=True)
    kept = pictures * keep(maps, chosen, pictures.shape[2:], params.p_noc.delta)
    shown = p_oc.looks(params.model_copy(update={"p_oc": params.p_noc}), networks, batch)
    return {**shown, "the ordinary one learns": kept}
