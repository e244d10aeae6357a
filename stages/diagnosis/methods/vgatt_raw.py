"""VGatt (CHEN Eq. 4.9) at raw pixels, where black is 0: what a pixel gives to the score that black does not.

With the normalisation x = (p - mean) / std as a part of the network, gradient times raw value is
dS/dp p = dS/dx (x - x_black). As long as the network stays in one affine region, blackening pixels takes away
just what they give here.
"""

from torch import Tensor

from stages.diagnosis.case import Case
from stages.diagnosis.methods.vgatt_normalised import slope


def relevance(case: Case) -> Tensor:
    """[H, W], their sum with a bias is the score."""
    return (slope(case) * (case.picture - case.black)).sum(0)
