"""SEMEDA (CHEN 3.3): results and labels must look alike to a network that learned to find edges in labels.

The thesis sees it one-hot masks alone, and soft results are new to it: `noise` softens what it learns from,
`warmup` lets the segmenter come first. Both are 0 there.
"""

import functools

import torch
from safetensors.torch import save

from stages.common.artifacts import UNKNOWN
from stages.common.training.strategy import Losses
from stages.segmenter import edge_network
from stages.segmenter.loss_params import Semeda
from stages.segmenter.structure import onehot, unlike
from stages.segmenter.terms import Task, Term, View

LEAST = 0.01  # of the pixels must be compared in the deepest layer


def build(options: Semeda, task: Task) -> Term:
    """Trains the edge network, on the labels alone. ValueError where too few of them are known."""
    reach = deepest(options)
    seen = edge_network.look(task.masks(), reach)
    if seen.compared < LEAST:
        raise ValueError(
            f"segmenter.terms.semeda: {100 * seen.compared:.2f} % of the pixels have no unknown one within "
            f"{reach}, so that it could compare them, and {100 * LEAST:g} % must; {100 * seen.known:.2f} % "
            "are known: take denser labels, or leave semeda out of segmenter.terms"
        )
    print(f"semeda: {100 * seen.compared:.1f} % of the pixels are compared", flush=True)
    network = edge_network.train(task, options, seen.digest)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    return Term(functools.partial(loss, options), network, {"edges.safetensors": save(tensors)})


def deepest(options: Semeda) -> int:
    """The last layer that counts, from 1."""
    return max(layer for layer, weight in enumerate(options.weights, 1) if weight)


def loss(options: Semeda, view: View) -> Losses:
    """The sum over the layers l of lambda_l mean |psi_l(p) - psi_l(onehot(y))| (3.5, 3.6), over channels and
    the pixels that have no unknown one within l: there alone psi_l sees nothing of what is unknown.

    The divisor of 3.6's norm is not printed; a sum would outweigh the cross-entropy by far. `ground` is the
    share of the known pixels that are predicted background, in percent: soft right answers cost more than
    none at all, so the term may pull results there.
    """
    assert view.helper is not None  # `build` made it
    known = view.labels != UNKNOWN
    p, layers = view.scores.float().softmax(1), deepest(options)
    found = view.helper(p * known[:, None], layers)
    with torch.no_grad():
        wanted = view.helper(onehot(view.labels, p.shape[1]), layers)
        ground = (p[:, 0] >= p.amax(1)) & known
        share = 100 * ground.sum() / known.sum().clamp_min(1)
    parts = [
        weight * unlike(mine - theirs, view.labels, layer)
        for layer, (weight, mine, theirs) in enumerate(zip(options.weights, found, wanted, strict=False), 1)
        if weight
    ]
    ramp = min(1.0, view.done / options.warmup) if options.warmup else 1.0
    return {"semeda": ramp * torch.stack(parts).sum(), "ground": share}
