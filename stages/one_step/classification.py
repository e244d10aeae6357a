"""The first training: the branch that classifies learns from the image labels alone."""

import torch

from stages.classifier.loss import soft_margin
from stages.common import fingerprint
from stages.common.device import training_place
from stages.common.networks.store import History
from stages.common.pictures import Picture
from stages.common.training.loop import fit
from stages.common.training.params import Training
from stages.common.training.samples import LabelledSamples
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, one
from stages.one_step.network import Rrm, build_rrm
from stages.one_step.params import OneStep


def train(params: OneStep, pictures: list[Picture], classes: int) -> tuple[Rrm, History, str]:
    """The network of `classes` foreground classes, its curve, and the key of all that it was made from.

    On one device: the ranks of the second training run this one again, and find its checkpoint.
    """
    torch.manual_seed(params.seed)
    network = build_rrm(params.encoder, classes, params.heads)
    own = training(params)
    files = [(picture.id, picture.content_hash(), picture.labels) for picture in pictures]
    code = fingerprint.code_hash("stages.one_step.classification")
    place = training_place(alone=True)
    key = fingerprint.key(code, own.model_dump(), params.heads.model_dump(), classes, files, place)
    samples = LabelledSamples(pictures, own, classes)
    history = fit("one_step.classification", one(network, loss), samples, own, key, alone=True)
    return network, history, key


def training(params: OneStep) -> Training:
    """Its own optimizer and epochs; all else is as in the second training."""
    shared = {name: value for name, value in params if name in Training.model_fields}
    return Training(**shared | dict(params.classification))


def loss(networks: Networks, batch: Batch, _: float) -> Losses:
    pictures, targets = batch
    return {"loss": soft_margin(networks[MAIN](pictures, "classes"), targets)}
