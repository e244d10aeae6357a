"""The contrastive loss of C2AM (slide "C2AM"): the two sides of all pictures, as far apart as can be.

L(P) = L(1 - P): it says which cells go together, and not which side is the object. `sign.py` settles that.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST = 5e-4  # of a cosine, and of its distance to 1
FADE = 0.25  # how fast a pair's weight falls with its rank


def losses(features: Tensor, values: Tensor, known: Tensor) -> dict[str, Tensor]:
    """`negative` + `positive`, and both by name, of features [B, D, h, w] and z [B, h, w].

    `known` [B, h, w], bool: cells of the picture; the others count nowhere.
    """
    share = values.sigmoid()
    front, back = side(features, share, known), side(features, 1 - share, known)
    negative, positive = apart(back, front), together(front) + together(back)
    return {"loss": negative + positive, "negative": negative, "positive": positive}


def side(features: Tensor, share: Tensor, known: Tensor) -> Tensor:
    """v [B, D], the mean of the features over the known cells, each by its share [B, h, w] in the side."""
    weight = share * known
    number = known.sum((1, 2)).clamp_min(1)
    return torch.einsum("bdhw,bhw->bd", features, weight) / number[:, None]


def cosines(one: Tensor, other: Tensor) -> Tensor:
    """Of each row of one [N, D] with each of the other [M, D], [N, M], within [LEAST, 1 - LEAST]."""
    return (F.normalize(one) @ F.normalize(other).T).clamp(LEAST, 1 - LEAST)


def apart(back: Tensor, front: Tensor) -> Tensor:
    """L_neg: -ln(1 - cos), the mean over all pairs of a ground and an object."""
    return -(1 - cosines(back, front)).log().mean()


def together(sides: Tensor) -> Tensor:
    """L_pos: -ln cos of each pair of one kind of side, the nearest ones counting most.

    The weight is e^(-0.25 (rank - 1)), rank being j's place in row i by falling cosine, itself 0.
    """
    near = cosines(sides, sides)
    return (_weights(near.detach()) * -near.log()).mean()


def _weights(near: Tensor) -> Tensor:
    order = near.clone().fill_diagonal_(2).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(1)
    return torch.exp(-FADE * (rank - 1))
