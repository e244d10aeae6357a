"""Seeds weighed by object and ground, with one value in each region of the picture.

Maps of a classifier are high on the part of an object that tells its class, and spill over its border; maps
of object and ground (C2AM) know no class, but all of the object. Their product is high where both are. A mean
within each region of one colour follows the borders that the picture has, as Kwak et al. pool features
("Weakly Supervised Semantic Segmentation using Superpixel Pooling Network", 2017). To do both is ours.
"""

import numpy as np

LEAST = float(np.finfo(np.float32).tiny)


def cues(maps: np.ndarray, salient: np.ndarray | None, parts: np.ndarray | None) -> np.ndarray:
    """Cues float32 [K, H, W] in 0..1 of the classes' maps [K, H, W]; the highest of a picture is 1.

    `salient` [H, W] in 0..1: object and ground. `parts` int [H, W]: the number of each pixel's region r, from
    0 on. sqrt(mean_r(max(maps, 0)) mean_r(salient)), over the picture's largest: a geometric mean, so that
    thresholds of seeds suit cues as well. Without `salient` it is the first mean, without `parts` each pixel
    is a region. Maps that are all 0 stay so.
    """
    found = np.maximum(maps, 0).astype(np.float32)
    if parts is not None:
        found = np.stack([even(one, parts) for one in found]) if len(found) else found
        salient = None if salient is None else even(salient, parts)
    if salient is not None:
        found = np.sqrt(found * salient.astype(np.float32))
    result: np.ndarray = found / max(float(found.max(initial=0)), LEAST)
    return result


def even(values: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """The mean of `values` [H, W] over each pixel's region, float32 [H, W]."""
    numbers = parts.ravel()
    sums = np.bincount(numbers, weights=values.ravel())
    means: np.ndarray = (sums / np.maximum(np.bincount(numbers), 1)).astype(np.float32)[parts]
    return means
