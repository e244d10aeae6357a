"""Maps of several scales and flips, by hand; and those of the second network."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stages.saliency import infer
from stages.seeds.grid import Grid

COLUMNS = (slice(0, 4), slice(3, 7), slice(6, 10))  # thirds of 10
CELLS = Grid(2, 0.5)  # 2x2 cells, each centre between two pixels


class Means(nn.Module):
    """z is the mean of each 2x2 cell, plus what tells left from right."""

    def forward(self, pictures: torch.Tensor) -> tuple[None, torch.Tensor]:
        cells = F.avg_pool2d(pictures[:, 0], 2)
        return None, cells + torch.arange(cells.shape[2]) / 10


def drawn() -> torch.Tensor:
    return torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))


def test_one_scale_is_the_network_s_own_map() -> None:
    pictures = drawn()
    values = Means()(pictures)[1]
    assert torch.equal(infer.signed(Means(), pictures, CELLS), values)
    assert infer.signed(Means(), torch.zeros(1, 3, 5, 7), CELLS).shape == (1, 3, 4)
    for sign in (1, -1):
        found = infer.salient(Means(), sign, pictures, [1.0], False, CELLS)
        wanted = (sign * values).relu()
        torch.testing.assert_close(found, wanted / wanted.amax((1, 2), keepdim=True))
        assert found.amax((1, 2)).tolist() == [1, 1] and (found == 0).any()


def test_flips_are_turned_back_and_added_after_the_relu() -> None:
    pictures = drawn()
    found = infer.salient(Means(), 1, pictures, [1.0], True, CELLS)
    own, mirrored = Means()(pictures)[1], Means()(pictures.flip(3))[1].flip(2)
    assert not torch.allclose(own, mirrored)
    wanted = own.relu() + mirrored.relu()
    torch.testing.assert_close(found, wanted / wanted.amax((1, 2), keepdim=True))


def test_scales_are_summed_before_the_maximum() -> None:
    """5 in one cell and 1 in the others at scale 1, 3 in all at scale 2: 8 and 4."""

    def network(x: torch.Tensor) -> tuple[None, torch.Tensor]:
        values = torch.full((1, x.shape[2] // 2, x.shape[3] // 2), 1.0 if x.shape[3] == 6 else 3.0)
        values[0, 0, 0] = 5.0 if x.shape[3] == 6 else 3.0
        return None, values

    found = infer.salient(network, 1, torch.zeros(1, 3, 4, 6), [1.0, 2.0], False, CELLS)
    torch.testing.assert_close(found, torch.tensor([[[1.0, 0.5, 0.5], [0.5, 0.5, 0.5]]]))


def test_a_map_without_an_object_stays_zero() -> None:
    found = infer.salient(Means(), 1, torch.full((1, 3, 4, 6), -5.0), [1.0], True, CELLS)
    assert not found.any()


def test_the_second_map_is_a_share_on_quarters_of_the_picture() -> None:
    class First(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            assert pictures.shape[2:] == (32, 32)  # padded to what it accepts
            return pictures[:, :1] + torch.linspace(0, 1, 32)

    pictures = drawn().repeat(1, 1, 2, 2)[..., :10]  # 8 x 10
    found = infer.refined(First(), pictures, flip=False)
    assert found.shape == (2, 2, 3)
    shares = (pictures[:, 0] + torch.linspace(0, 1, 32)[:10]).sigmoid()
    cells = [(rows, columns) for rows in (slice(0, 4), slice(4, 8)) for columns in COLUMNS]
    wanted = torch.stack([shares[:, rows, columns].mean((1, 2)) for rows, columns in cells], 1)
    torch.testing.assert_close(found.flatten(1), wanted)
    mirrored = (pictures[:, 0].flip(2) + torch.linspace(0, 1, 32)[:10]).sigmoid().flip(2)
    mean = (shares + mirrored) / 2
    np.testing.assert_allclose(
        infer.refined(First(), pictures, flip=True)[:, 0, 0], mean[:, :4, :4].mean((1, 2)), rtol=1e-5
    )
