"""PSA's rule for confident labels."""

import numpy as np

from stages.affinity_labels import psa
from stages.affinity_labels.params import Psa
from stages.common.crf_params import Crf

CRF = Crf(iterations=2, smooth_sxy=3.0, smooth_compat=1.0, color_sxy=50.0, color_srgb=5.0, color_compat=1.0)
PARAMS = Psa(alpha_foreground=4.0, alpha_plain=8.0, alpha_background=32.0)


def test_combine():
    much = np.uint8([[3, 0, 0, 3, 0]])
    little = np.uint8([[3, 0, 3, 0, 5]])
    np.testing.assert_array_equal(psa.combine(much, little), [[3, 0, 255, 0, 255]])


def test_three_bands():
    """Maps of 0.9, 0.15 and 0: above all t(alpha), between those of alpha 4 (.276) and 32 (.077), below."""
    maps = np.repeat(np.float32([0.9, 0.15, 0]), 8)[None, :, None].repeat(12, 2)
    picture = np.repeat(np.uint8([250, 120, 10]), 8)[:, None, None].repeat(12, 1).repeat(3, 2)
    affinity, plain = psa.labels(maps, np.array([6]), picture, PARAMS, CRF)
    np.testing.assert_array_equal(affinity[[4, 12, 20], 6], [6, 255, 0])
    np.testing.assert_array_equal(plain[[4, 12, 20], 6], [6, 0, 0])  # t(8) is .188
    assert set(np.unique(plain)) <= {0, 6}
