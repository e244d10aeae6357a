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
    found = psa.combine(much, little)
    np.testing.assert_array_equal(found, [[3, 0, 255, 0, 255]])
    assert found.dtype == np.uint8


def test_the_three_runs_start_from_their_alphas(monkeypatch):
    """A map of 1/2 against a background of 1/2 to the power alpha; 1e-5 is the least."""
    starts = []

    def results(picture, unaries, classes, crf):
        starts.extend(np.exp(-unary) for unary in unaries)
        return np.uint8([[6, 0, 6]]), np.uint8([[6, 6, 0]]), np.uint8([[1, 2, 3]])

    monkeypatch.setattr(psa, "infer_labels", results)
    maps = np.float32([[[0.5, 0, 1]]])
    affinity, plain = psa.labels(maps, np.array([6]), np.zeros((1, 3, 3), np.uint8), PARAMS, CRF)
    for start, alpha in zip(starts, (4, 32, 8), strict=True):
        wanted = [[max(0.5**alpha, 1e-5), 1, 1e-5], [0.5, 1e-5, 1]]
        np.testing.assert_allclose(start, wanted, rtol=1e-5)
    assert affinity.tolist() == [[6, 255, 0]] and plain.tolist() == [[1, 2, 3]]


def test_three_bands():
    """Maps of 0.9, 0.15 and 0: above all t(alpha), between those of alpha 4 (.276) and 32 (.077), below."""
    maps = np.repeat(np.float32([0.9, 0.15, 0]), 8)[None, :, None].repeat(12, 2)
    picture = np.repeat(np.uint8([250, 120, 10]), 8)[:, None, None].repeat(12, 1).repeat(3, 2)
    affinity, plain = psa.labels(maps, np.array([6]), picture, PARAMS, CRF)
    np.testing.assert_array_equal(affinity[[4, 12, 20], 6], [6, 255, 0])
    np.testing.assert_array_equal(plain[[4, 12, 20], 6], [6, 0, 0])  # t(8) is .188
    assert set(np.unique(plain)) <= {0, 6}
