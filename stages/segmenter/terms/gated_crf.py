"""Gated CRF: near cells of like colours must be labelled alike (Obukhov et al., 2019; DFR without features).

The gate: what lies outside of the picture has no say. ZHANG 4.4 to 4.6 without the feature term, Table 4.6.
"""

import functools

from stages.common.pairs import both, disagreement, gaussian, per_cell, square_offsets
from stages.common.training.params import Encoder
from stages.common.training.strategy import Losses
from stages.segmenter.cells import cells_of
from stages.segmenter.loss_params import GatedCrf
from stages.segmenter.terms import Task, Term, View


def build(options: GatedCrf, task: Task) -> Term:
    return Term(functools.partial(loss, options, task.params.encoder))


def loss(options: GatedCrf, encoder: Encoder, view: View) -> Losses:
    """`weight` times the mean over the cells i of the sum over their near j of K_ij (1 - <p_i, p_j>).

    K is of places and colours and has no gradient; p are the means of the probabilities over a cell.
    """
    probabilities, rgb, inside = cells_of(view, options.cell, encoder)
    offsets = square_offsets(options.radius)
    kernel = gaussian(rgb, offsets, options.sigma_xy, options.sigma_rgb) * both(inside, offsets)
    return {"gated_crf": options.weight * per_cell(disagreement(probabilities, kernel, offsets), inside)}
