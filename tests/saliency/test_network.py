"""The network's map: the norm over the cells that count, and two levels on one grid."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stages.saliency.network import CellNorm, SaliencyNet, build_saliency_net, on_cells
from tests.seeds.tiny import encoder


def test_the_norm_is_batch_norm_of_the_cells_that_count() -> None:
    torch.manual_seed(0)
    norm, wanted = CellNorm(), nn.BatchNorm2d(1, affine=False)
    for step in range(3):
        values, counted = 3 * torch.randn(4, 5, 6) + step, torch.rand(4, 5, 6) > 0.3
        found = norm(values, counted)
        own = wanted(values[counted][None, None, :, None])  # as if the others were not there
        torch.testing.assert_close(found[counted], own.flatten())
    torch.testing.assert_close(norm.running_mean, wanted.running_mean)
    torch.testing.assert_close(norm.running_var, wanted.running_var)
    norm.eval(), wanted.eval()
    torch.testing.assert_close(norm(values), wanted(values[:, None])[:, 0])


def test_two_cells_have_the_variance_of_two() -> None:
    norm, wanted = CellNorm(), nn.BatchNorm2d(1, affine=False)
    values = torch.tensor([[[1.0, 4.0, 9.0]]])
    norm(values, torch.tensor([[[True, True, False]]]))
    wanted(values[None, :, :, :2])
    torch.testing.assert_close(norm.running_var, wanted.running_var)


def test_all_cells_count_where_nothing_is_said() -> None:
    values = torch.randn(2, 3, 4)
    torch.testing.assert_close(CellNorm()(values), nn.BatchNorm2d(1, affine=False)(values[:, None])[:, 0])


def test_the_norm_has_no_weights() -> None:
    assert not list(CellNorm().parameters())


def test_features_are_the_last_two_levels_on_the_grid_of_the_first() -> None:
    torch.manual_seed(0)
    model = build_saliency_net(encoder("small", 32)).eval()
    pictures = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        *_, first, last = model.encoder(pictures)
        features, values = model(pictures)
        assert first.shape[2:] == (4, 6) and last.shape[2:] == (2, 3)
        wanted = F.interpolate(last, (4, 6), mode="bilinear", align_corners=False)
        assert torch.equal(features, torch.cat([first, wanted], 1))
        mean = F.conv2d(features, model.head.weight, padding=1)[:, 0]
        torch.testing.assert_close(values, mean / (1 + 1e-5) ** 0.5)


def test_a_cell_is_in_it_with_more_than_half_of_its_area() -> None:
    where = torch.zeros(1, 4, 6, dtype=torch.bool)
    where[0, 0, :2], where[0, 1, 0], where[0, 2:, 2:4], where[0, 2, 4:] = True, True, True, True
    assert on_cells(where, (2, 3)).tolist() == [[[True, False, False], [False, True, False]]]


def test_what_is_beside_the_picture_does_not_move_the_norm() -> None:
    torch.manual_seed(0)
    model = SaliencyNet(Still()).train()
    pictures = torch.rand(2, 3, 4, 6)
    known = torch.ones(2, 4, 6, dtype=torch.bool)
    known[:, :, 4:] = False
    other = pictures.clone()
    other[:, :, :, 5] = 50.0  # beside, and no neighbour of a known cell
    torch.testing.assert_close(model(pictures, known)[1][:, :, :4], model(other, known)[1][:, :, :4])
    assert not torch.allclose(model(pictures)[1][:, :, :4], model(other)[1][:, :, :4])


class Still(nn.Module):
    """Two levels, both the picture."""

    out_channels = (3, 3, 3)

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        return [pictures, pictures, pictures]


def test_a_batch_without_cells_or_with_one_gives_numbers() -> None:
    norm, values = CellNorm(), torch.tensor([[[2.0, 5.0]]])
    norm(values, torch.tensor([[[True, False]]]))
    assert norm.running_mean.item() == pytest.approx(0.2) and norm.running_var.item() == pytest.approx(0.9)
    assert norm(values, torch.zeros(1, 1, 2, dtype=torch.bool)).isfinite().all()
    assert norm.running_mean.isfinite() and norm.running_var.isfinite()
