"""Cosines of tokens against NumPy, cell by cell."""

import numpy as np
import torch

from stages.affinity.offsets import of_pairs, offset_list
from stages.affinity.params import Affinity
from stages.affinity.tokens import maps
from stages.common.params import check, read_yaml
from tests.segmenter.scenes import SHIPPED

PATCH = 8


class Stub:
    """Levels of random tokens, of a picture of whole patches."""

    output_stride = PATCH

    def __init__(self) -> None:
        rng = torch.Generator().manual_seed(0)
        self.levels = [torch.randn(2, 3, 4, 5, generator=rng) + 0.5 for _ in range(4)]

    def __call__(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        assert pictures.shape[2:] == (4 * PATCH, 5 * PATCH)
        return [pictures, *self.levels]


def section(level: int) -> Affinity:
    values = read_yaml(SHIPPED)["affinity"] | {"of": ["classifier"], "method": "tokens"}
    return check(Affinity, values | {"tokens": {"level": level}}, "test")


def test_cosines_of_the_chosen_level():
    """30 x 41 pixels are 4 x 5 patches of 8; half of the numbers are negative, and these count as 0."""
    net, offsets = Stub(), offset_list(3)
    found = maps(net, torch.zeros(2, 3, 30, 41), section(2), offsets)["maps"].numpy()
    tokens = net.levels[1].numpy()
    assert found.shape == (2, len(offsets), 4, 5)
    wanted = np.zeros_like(found)
    for at, (dy, dx) in enumerate(offsets):
        for y in range(4):
            for x in range(5):
                if y + dy < 4 and 0 <= x + dx < 5:
                    a, b = tokens[:, :, y, x], tokens[:, :, y + dy, x + dx]
                    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
                    wanted[:, at, y, x] = np.maximum(cosine, 0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert (wanted > 0).sum() > 100 and (wanted == 0).sum() > 100


def test_no_token_belongs_to_itself_by_more_than_one():
    """Rounding may leave a product of equal tokens above 1."""
    net = Stub()
    net.levels[3] = torch.rand(3, generator=torch.Generator().manual_seed(1))[:, None, None].expand(
        1, 3, 4, 5
    )
    found = maps(net, torch.zeros(1, 3, 32, 40), section(4), [(0, 1)])["maps"]
    assert found[..., :4].min() > 1 - 1e-6 and found.max() <= 1 and found[..., 4].abs().max() == 0


def test_pairs_that_leave_the_grid_are_none():
    """Also where an offset is larger than the grid."""
    found = of_pairs(torch.ones(1, 1, 2, 3), [(0, 1), (1, -1), (2, 0), (0, 3)], lambda a, b: (a * b).sum(1))
    assert found[0, 0].tolist() == [[1, 1, 0]] * 2
    assert found[0, 1].tolist() == [[0, 1, 1], [0, 0, 0]]
    assert found[0, 2:].abs().max() == 0
