"""Attention as affinities: entries of its matrix, Sinkhorn's limit, and walks in closed form."""

import numpy as np
import pytest
import torch

from stages.affinity.attention import maps, symmetric, up_to_one
from stages.affinity.fitted import fitted
from stages.affinity.offsets import of_matrix, offset_list
from stages.affinity.params import Affinity
from stages.common.params import check, read_yaml
from stages.pseudo_labels.random_walk import transition, walk
from tests.segmenter.scenes import SHIPPED


class Stub:
    """A transformer of patches of 8 pixels that looks as it is told."""

    output_stride = 8

    def __init__(self, attention: torch.Tensor, cells: tuple[int, int]) -> None:
        self.found = attention, cells

    def attention(self, pictures: torch.Tensor, blocks: int) -> tuple[torch.Tensor, tuple[int, int]]:
        assert blocks == 2 and pictures.shape[2:] == (8 * self.found[1][0], 8 * self.found[1][1])
        return self.found


def section(**options: object) -> Affinity:
    values = read_yaml(SHIPPED)["affinity"] | {"of": ["classifier"], "method": "attention"}
    return check(Affinity, values | {"attention": values["attention"] | options, "radius": 10}, "test")


def by_blocks(groups: np.ndarray) -> torch.Tensor:
    """Each patch looks evenly at those of its own group, [1, n, n]."""
    same = groups[:, None] == groups[None]
    return torch.from_numpy(same / same.sum(1, keepdims=True))[None]


@pytest.mark.parametrize("sinkhorn", [0, 3])
@pytest.mark.parametrize(("beta", "steps"), [(1, 1), (3, 2), (8, 5)])
def test_a_walk_on_blocks_is_its_closed_form(beta, steps, sinkhorn):
    """Of n patches of which each looks at all of them by 1 / n, the smallest block's affinities are 1.

    In a block whose affinities are w, q = w^beta: T^t x = mean + ((1 - q) / (1 + (n - 1) q))^t (x - mean).
    """
    groups = np.array([0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1])  # 6 and 6, then 3 of them apart
    groups[[0, 1, 2]] = 2
    offsets = offset_list(10)
    found = maps(
        Stub(by_blocks(groups), (3, 4)), torch.zeros(1, 3, 25, 31), section(sinkhorn=sinkhorn), offsets
    )
    x = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
    matrix = transition(found["maps"][0].numpy().astype(np.float16), np.array(offsets), beta)
    walked = walk(matrix, x, steps).reshape(2, 12)
    wanted = np.empty_like(walked)
    for group in range(3):
        own = groups == group
        n = own.sum()
        q = (3 / n) ** beta
        mean = x.reshape(2, 12)[:, own].mean(1, keepdims=True)
        wanted[:, own] = mean + ((1 - q) / (1 + (n - 1) * q)) ** steps * (x.reshape(2, 12)[:, own] - mean)
    np.testing.assert_allclose(walked, wanted, atol=1e-3)  # affinities are kept as float16
    assert np.abs(walked - x.reshape(2, 12)).max() > 0.1


def test_entries_of_the_matrix_by_pairs():
    rng = np.random.default_rng(0)
    matrix, offsets = rng.random((2, 12, 12)), offset_list(3)
    found = of_matrix(torch.from_numpy(matrix), (3, 4), offsets)
    for at, (dy, dx) in enumerate(offsets):
        for y in range(3):
            for x in range(4):
                there = y + dy < 3 and 0 <= x + dx < 4
                wanted = matrix[:, 4 * y + x, 4 * (y + dy) + x + dx] if there else np.zeros(2)
                np.testing.assert_array_equal(found[:, at, y, x], wanted)


def test_sinkhorn_s_steps_and_their_limit():
    """Columns first; of [[a, b], [c, d]] the limit's first entry is sqrt(ad) / (sqrt(ad) + sqrt(bc))."""
    a, b, c, d = 0.9, 0.1, 0.4, 0.6
    matrix = torch.tensor([[[a, b], [c, d]], [[d, a], [b, c]]], dtype=torch.float64)  # two pictures
    once = symmetric(matrix, 1)[0]
    first = a / (a + c) / (a / (a + c) + b / (b + d))
    upper, lower = 1 - first, c / (a + c) / (c / (a + c) + d / (b + d))
    np.testing.assert_allclose(once[0], [first, (upper + lower) / 2], rtol=1e-12)
    limit = symmetric(matrix, 200)[0]
    share = np.sqrt(a * d) / (np.sqrt(a * d) + np.sqrt(b * c))
    np.testing.assert_allclose(limit, [[share, 1 - share], [1 - share, share]], rtol=1e-9)
    np.testing.assert_allclose(symmetric(matrix, 0)[0], [[a, (b + c) / 2], [(b + c) / 2, d]])


def test_the_largest_affinity_of_each_picture_is_one():
    values = torch.rand(3, 4, 2, 2, generator=torch.Generator().manual_seed(0)) / 100
    values[2] = 0  # a single patch has no neighbour
    found = up_to_one(values)
    assert found.amax((1, 2, 3)).tolist() == [1, 1, 0]
    torch.testing.assert_close(found[0] / found[0, 0, 0, 0], values[0] / values[0, 0, 0, 0])


@pytest.mark.parametrize("keep", [False, True])
def test_the_mean_attention_is_kept_where_it_is_asked_for(keep):
    attention = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(0)).softmax(2)
    found = maps(Stub(attention, (2, 3)), torch.zeros(1, 3, 16, 24), section(keep=keep), offset_list(3))
    assert set(found) == {"maps", "attention"} if keep else {"maps"}
    assert not keep or found["attention"] is attention


def test_pictures_become_whole_patches():
    """The nearest number of them, one at least."""
    for size, wanted in (((30, 41), (32, 40)), ((35, 37), (32, 40)), ((16, 24), (16, 24)), ((3, 3), (8, 8))):
        found = fitted(torch.full((1, 3, *size), 0.25), 8)
        assert found.shape[2:] == wanted
        torch.testing.assert_close(found, torch.full((1, 3, *wanted), 0.25))
