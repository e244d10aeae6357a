"""At the last layer the three methods are one, at several scales and with a flip; maps at the pixels."""

import functools

import pytest
import torch
from torch.nn import functional as F

from stages.common.params import ParameterError
from stages.seeds import cam, grad_cam, vgatt
from stages.seeds.grid import Grid, grids
from stages.seeds.layers import gradients, values_and_scores
from stages.seeds.multi_scale import multi_scale
from tests.seeds.test_multi_scale import params
from tests.seeds.tiny import classifier, pictures

CLASSES = torch.tensor([[0, 3], [2, 1]])


@pytest.mark.parametrize("layer", ["last", "encoder.levels.4"])
@pytest.mark.parametrize("method", [vgatt, grad_cam])
def test_at_the_last_layer_all_methods_are_cam_at_three_scales(method, layer):
    """levels.4 is the last layer too, but goes the way of the layers in the middle, by gradients."""
    model, x = classifier(), pictures(48)
    model.head.weight.abs_()  # so that no map is negative everywhere
    asked = params(scales=[0.5, 1.0, 2.0], flip=True)
    inputs, cells = grids(model, layer)

    def maps(by, at):
        return multi_scale(
            functools.partial(by.attribution, model, classes=CLASSES, layer=at), x, asked, inputs, cells
        )

    wanted = maps(cam, "last")
    assert wanted.amax((2, 3)).min() == 1 and wanted.std() > 0.01
    torch.testing.assert_close(maps(method, layer), wanted)


@pytest.mark.parametrize("side", [24, 48])
def test_vgatt_at_the_pixels_has_the_score_less_the_bias_as_its_mean(side):
    model, x = classifier(), pictures(side)
    found = vgatt.attribution(model, x, CLASSES, "input")
    assert found.shape == (2, 2, side // 8, side // 8)  # cells of the encoder's stride
    values = x.clone().requires_grad_()
    for row in range(2):
        for k, c in enumerate(CLASSES[row].tolist()):
            (slope,) = torch.autograd.grad(model(values)[row, c], values)
            whole = (slope * x)[row].sum(0)
            assert whole.abs().max() > 0
            by_cell = whole.reshape(side // 8, 8, side // 8, 8).mean((1, 3)) * side**2
            torch.testing.assert_close(found[row, k], by_cell)


def test_grad_cam_at_the_pixels_weights_the_channels_of_the_picture():
    model, x = classifier(), pictures(24)
    values, scores = values_and_scores(model, x, "input")
    slope = next(gradients(values, scores, CLASSES))
    whole = sum(slope[:, c].mean((1, 2), keepdim=True) * x[:, c] for c in range(3)) * 24 * 24
    wanted = F.avg_pool2d(whole[:, None], 8)[:, 0]
    torch.testing.assert_close(grad_cam.attribution(model, x, CLASSES, "input")[:, 0], wanted)


def test_pictures_are_cut_into_whole_cells_at_the_pixels():
    for name in ("small", "resnet18"):
        assert grids(classifier(name), "input") == (Grid(8, 3.5), Grid(8, 3.5))


def test_cam_at_the_pixels_is_refused():
    params(method="vgatt", layer="input")
    with pytest.raises(ParameterError, match="not input: use grad_cam or vgatt"):
        params(layer="input")
