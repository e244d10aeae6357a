import math

import numpy as np
import torch

from stages.affinity.affinity_net import batch_loss
from stages.affinity.network import affinities
from stages.affinity.offsets import offset_list
from stages.common.pairs import affinity_loss, pair_kinds


def test_affinity_and_loss_against_a_double_loop():
    rng = np.random.default_rng(0)
    height, width, radius = 6, 7, 4
    features = rng.normal(size=(5, height, width))
    labels = rng.choice([0, 0, 1, 2, 255], (height, width))
    offsets = offset_list(radius)
    values, inside = affinities(torch.from_numpy(features)[None], offsets)
    parts = affinity_loss(values, pair_kinds(torch.from_numpy(labels)[None], offsets, inside))

    sums, counts = {"fg": 0.0, "bg": 0.0, "no": 0.0}, {"fg": 0, "bg": 0, "no": 0}
    cells = [(y, x) for y in range(height) for x in range(width)]
    for i, (y, x) in enumerate(cells):
        for v, u in cells[i + 1 :]:  # each unordered pair once
            if (v - y) ** 2 + (u - x) ** 2 >= radius**2 or 255 in (labels[y, x], labels[v, u]):
                continue
            w = math.exp(-np.abs(features[:, y, x] - features[:, v, u]).mean())
            kind = "no" if labels[y, x] != labels[v, u] else "fg" if labels[y, x] else "bg"
            sums[kind] -= math.log(1 - w if kind == "no" else w)
            counts[kind] += 1
    wanted = {kind: sums[kind] / counts[kind] for kind in sums}
    assert min(counts.values()) > 5
    total = wanted["fg"] + wanted["bg"] + 2 * wanted["no"]
    assert math.isclose(parts["loss"].item(), total, rel_tol=1e-5)


def test_affinities_outside_are_zero_and_of_equal_features_one():
    values, inside = affinities(torch.ones(1, 3, 4, 4), [(0, 1), (2, -1)])
    assert values[0, 0].tolist() == [[1, 1, 1, 0]] * 4
    assert inside[1].int().tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [0] * 4, [0] * 4]
    assert torch.equal(values[0] > 0, inside)


def test_the_loss_of_a_batch_by_hand():
    """Two cells of 2 x 2 pixels, background and class 2, whose features are log 2 apart: W is 1 / 2."""
    features = torch.tensor([0.0, math.log(2)]).reshape(1, 1, 1, 2)
    labels = torch.tensor([[[0, 255, 2, 2], [0, 0, 2, 1]]])
    parts = batch_loss([(0, 1)], 2, 3, {"main": lambda pictures: pictures}, (features, labels), 0.5)
    assert math.isclose(parts["loss"].item(), 2 * math.log(2), rel_tol=1e-6)


def test_offsets_are_plain_pairs():
    assert offset_list(2) == [(0, 1), (1, -1), (1, 0), (1, 1)]
    assert {type(n) for pair in offset_list(2) for n in pair} == {int}
