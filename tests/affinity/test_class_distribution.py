"""1 - JS against SciPy, softmaxes by hand, and where the classifier's cells are read."""

import numpy as np
import torch
from scipy.spatial.distance import jensenshannon
from torch import nn

from stages.affinity.class_distribution import agreement, distributions, maps, on_grid, own_grid
from stages.affinity.offsets import offset_list
from stages.affinity.params import Affinity
from stages.common.params import check, read_yaml
from stages.seeds.grid import Grid
from tests.seeds.tiny import chain
from tests.segmenter.scenes import SHIPPED


def section(**options: object) -> Affinity:
    values = read_yaml(SHIPPED)["affinity"] | {"of": ["classifier"], "method": "class_distribution"}
    values["class_distribution"] |= options
    return check(Affinity, values | {"grid_stride": 4, "radius": 2}, "test")


def test_agreement_is_one_less_the_divergence_in_bits():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet([0.3] * 5, (2, 12))
    p[0], q[0] = [1, 0, 0, 0, 0], [0, 0, 0.5, 0.5, 0]  # disjoint
    q[1] = p[1]
    found = agreement(*(torch.from_numpy(x.T.reshape(1, 5, 3, 4)) for x in (p, q))).flatten()
    wanted = [1 - jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q, strict=True)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert found[0] == 0 and found[1] == 1 and 0.01 < found[2:].min() < found[2:].max() < 0.99


def test_the_background_is_one_class_more():
    scores = torch.tensor([2.0, -4.0])[None, :, None, None]
    background, a, b = np.exp(1 / 2), np.exp(2 / 2), np.exp(-4 / 2)
    found = distributions(scores, 2.0, 1.0).flatten()
    np.testing.assert_allclose(found, np.array([background, a, b]) / (background + a + b), rtol=1e-6)
    np.testing.assert_allclose(
        distributions(scores, 2.0, None).flatten(), np.array([a, b]) / (a + b), rtol=1e-6
    )


def two_sides(cell: int, slope: float) -> nn.Module:
    """Scores of two classes: the mean of red in a cell, times `slope` and minus that."""
    model = chain(nn.AvgPool2d(cell), channels=3, stride=cell, classes=2).float()
    model.head.weight.data = torch.tensor([[slope, 0, 0], [-slope, 0, 0]])[:, :, None, None]
    return model


def test_scores_are_read_where_the_cells_of_the_grid_lie():
    """Red is a pixel's column: a cell of 8 pixels holds that of its middle, 3.5, 11.5, ..."""
    picture = torch.zeros(1, 3, 16, 32)
    picture[:, 0] = torch.arange(32.0)
    model = two_sides(8, 1.0)
    assert own_grid(model) == Grid(8, 3.5)
    middles = np.clip(np.arange(8) * 4 + 1.5, 3.5, 27.5)  # beyond the first and the last cell their values
    for turned in (False, True):
        found = on_grid(model, picture.mT if turned else picture, (8, 4) if turned else (4, 8))
        wanted = np.tile(middles, (4, 1))
        np.testing.assert_allclose(found[0, 0], wanted.T if turned else wanted, rtol=1e-6)
        np.testing.assert_allclose(found[0, 1], -found[0, 0])


def test_halves_of_two_classes_belong_to_themselves():
    """12 bits of difference in a score say as good as surely what a cell is."""
    picture = torch.ones(1, 3, 13, 20)
    picture[:, 0, :, 8:] = -1
    params, offsets = section(temperature=0.5, background=0.0), offset_list(2)
    found = maps(two_sides(4, 10.0), picture, params, offsets)["maps"]
    assert found.shape == (1, len(offsets), 4, 5)
    for values, (dy, dx) in zip(found[0], offsets, strict=True):
        for y in range(4):
            for x in range(5):
                there = y + dy < 4 and 0 <= x + dx < 5
                alike = (x < 2) == (x + dx < 2)
                assert abs(values[y, x].item() - (there and alike)) < 1e-5, (y, x, dy, dx)


def test_a_lower_temperature_parts_more():
    picture = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    means = [
        maps(two_sides(4, 3.0), picture, section(temperature=t), [(0, 1)])["maps"][..., :3].mean()
        for t in (0.1, 1.0, 10.0)
    ]
    assert means[0] < means[1] - 0.01 < means[2] - 0.02


def test_rounding_leaves_no_affinity_above_one():
    """In single precision the divergence of nearly equal shares may be below 0."""
    p = torch.rand(1, 7, 40, 50, generator=torch.Generator().manual_seed(0)).softmax(1)
    apart = 1 - agreement(p, p * (1 + 1e-7))
    assert apart.min() == 0 and agreement(p, p.flip(3)).max() < 1
