"""The dense energy of the scores (ZHANG 2.3.3): classes that jump within one colour cost."""

import functools

from stages.common.artifacts import UNKNOWN
from stages.common.dense_energy import dense_energy
from stages.common.dense_energy_params import DenseEnergy
from stages.common.training.colours import grey_values
from stages.common.training.params import Encoder
from stages.common.training.strategy import Losses
from stages.segmenter.terms import Task, Term, View


def build(options: DenseEnergy, task: Task) -> Term:
    return Term(functools.partial(loss, options, task.params.encoder))


def loss(options: DenseEnergy, encoder: Encoder, view: View) -> Losses:
    """`weight` times the energy; a pixel is labelled where its label is known."""
    p, rgb = view.scores.float().softmax(1), grey_values(view.pictures, encoder)
    energy = dense_energy(p, rgb, view.labels != UNKNOWN, view.inside, options)
    return {"dense_energy": options.weight * energy}
