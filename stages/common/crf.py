"""The fully connected CRF with Gaussian edges, around pydensecrf.

DAVID, "FC Conditional Random Fields": E(x) = sum_i psi_u(x_i) + sum_{i<j} psi_p(x_i, x_j), where
psi_p is the Potts model times an appearance kernel (w1, theta_alpha, theta_beta) and a smoothness
kernel (w2, theta_gamma); mean-field iterations lower it. Only labels that can occur are passed:
the background and the picture's classes. The time grows with the labels (PEERS 0.4).
"""

from collections.abc import Iterable

import numpy as np

from stages.common.crf_params import Crf
from stages.common.labels import to_classes

CLIP = 1e-5  # the least probability of a soft unary (PEERS 2.4)


def unary_from_scores(scores: np.ndarray) -> np.ndarray:
    """-log of scores in 0..1, [L, H, W], as energies float32 [L, H * W].

    A factor common to all labels of a pixel changes nothing but where the clip is, so that scores
    need not sum to one.
    """
    energies = -np.log(np.clip(scores, CLIP, 1.0))
    return np.ascontiguousarray(energies.reshape(len(scores), -1), np.float32)


def unary_from_labels(indices: np.ndarray, count: int, gt_prob: float) -> np.ndarray:
    """Energies float32 [count, H * W] of label positions [H, W] that hold with `gt_prob`.

    The other count - 1 labels share the rest; 0 is a label like any other (IRN).
    """
    indices = indices.ravel()
    if count == 1:
        return np.zeros((1, indices.size), np.float32)
    energies = np.full((count, indices.size), -np.log((1.0 - gt_prob) / (count - 1)), np.float32)
    energies[indices, np.arange(indices.size)] = -np.log(gt_prob)
    return energies


def infer(picture: np.ndarray, unaries: Iterable[np.ndarray], params: Crf) -> list[np.ndarray]:
    """Label probabilities, float32 [L, H, W], for each of `unaries`, energies [L, H * W].

    `picture` is the RGB picture as it is, uint8 [H, W, 3]. All unaries are of the same L labels,
    so one lattice, half of the work, serves them all; the result is the same to the bit. One label alone,
    of a picture without a class, is sure.
    """
    from pydensecrf.densecrf import DenseCRF2D

    unaries = list(unaries)
    height, width = picture.shape[:2]
    count = len(unaries[0])
    if count == 1:
        return [np.ones((1, height, width), np.float32) for _ in unaries]
    crf = DenseCRF2D(width, height, count)
    crf.addPairwiseGaussian(sxy=params.smooth_sxy, compat=params.smooth_compat)
    crf.addPairwiseBilateral(
        sxy=params.color_sxy,
        srgb=params.color_srgb,
        rgbim=np.ascontiguousarray(picture, np.uint8),
        compat=params.color_compat,
    )
    results = []
    for unary in unaries:
        crf.setUnaryEnergy(unary)
        probabilities = np.array(crf.inference(params.iterations), np.float32)
        results.append(probabilities.reshape(count, height, width))
    return results


def infer_labels(
    picture: np.ndarray, unaries: Iterable[np.ndarray], classes: np.ndarray, params: Crf
) -> list[np.ndarray]:
    """As `infer`, but the most probable class indices, uint8 [H, W], of [background, *classes]."""
    return [to_classes(p.argmax(0), classes) for p in infer(picture, unaries, params)]
