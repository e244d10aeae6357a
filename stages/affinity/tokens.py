"""Patches with like tokens belong together: cosines of a vision transformer, nothing is trained.

Of networks that were trained without labels (DINO), patches of one object have like tokens.
"""

from torch import Tensor
from torch.nn import functional as F

from stages.affinity.fitted import fitted
from stages.affinity.offsets import of_pairs
from stages.affinity.params import Affinity
from stages.common.networks.plain_vit import PlainVit
from stages.common.pairs import Offsets


def maps(network: PlainVit, pictures: Tensor, params: Affinity, offsets: Offsets) -> dict[str, Tensor]:
    """Affinities [B, P, h, w] of normalised pictures [B, 3, H, W], a cell for each patch: max(0, cosine)."""
    options = params.tokens
    assert options is not None  # the schema sees to it
    tokens = network(fitted(pictures, network.output_stride))[options.level]
    return {"maps": of_pairs(F.normalize(tokens, dim=1), offsets, cosine)}


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """Of vectors of length 1, [B, D, h, w] twice: [B, h, w] in 0..1; a negative one counts as none."""
    return (one * other).sum(1).clamp(0, 1)
