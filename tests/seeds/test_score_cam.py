"""Score-CAM against a loop over channels and classes, and the library."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stages.seeds import score_cam
from stages.seeds.grid import Grid, grid_of
from stages.seeds.params import ScoreCam
from tests.seeds.tiny import chain, classifier

CLASSES = torch.tensor([[0, 3, 1], [2, 1, 2]])
VARIANTS = ["slide", "min_max", "softmax"]


def options(weights: str = "slide", channels: int | str = "all") -> ScoreCam:
    return ScoreCam(weights=weights, channels=channels)


def toy(before_relu: bool = False):
    """Strided convolutions: cells at every fourth pixel from the first, as if corners were aligned."""
    modules = [nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 7, 3, 2, 1)]
    return chain(*modules, *([] if before_relu else [nn.ReLU()]), channels=7, stride=4)


def pictures() -> torch.Tensor:
    return torch.randn(2, 3, 17, 33, generator=torch.Generator().manual_seed(1)).double()


def by_loops(model, x, values, how, kept=None):
    """Maps [2, 3, h, w] of one forward pass for each channel of each picture and class."""
    found = torch.zeros(2, 3, *values.shape[2:]).double()
    for row in range(2):
        channels = [
            d for d in range(values.shape[1])
            if values[row, d].max() > values[row, d].min() and (kept is None or d in kept[row])
        ]  # fmt: skip
        for k, c in enumerate(CLASSES[row].tolist()):
            scores = []
            for d in channels:
                one = values[row : row + 1, d : d + 1]
                mask = F.interpolate(one, x.shape[2:], mode="bilinear", align_corners=True)[0, 0]
                if how == "slide":
                    mask = mask / mask.max() if mask.max() > 0 else mask * 0
                else:
                    mask = (mask - mask.min()) / (mask.max() - mask.min())
                scores.append(float(model((x[row] * mask)[None])[0, c]))
            weights = (
                np.exp(scores) / np.exp(scores).sum()
                if how == "softmax"
                else 1 / (1 + np.exp(np.negative(scores)))
            )
            for d, weight in zip(channels, weights, strict=True):
                found[row, k] += weight * values[row, d]
    return found


@pytest.mark.parametrize("how", VARIANTS)
@pytest.mark.parametrize(("layer", "index"), [("last", 5), ("encoder.2", 3), ("encoder.1", 2)])
def test_a_loop_over_pictures_classes_and_channels(how, layer, index):
    """encoder.1 has negative values, and the ReLU after it works on them."""
    model, x = toy(), pictures()
    values = nn.Sequential(*list(model.encoder)[:index])(x)
    assert layer == "last" or (values.min() < 0) == (layer == "encoder.1")
    wanted = by_loops(model, x, values, how)
    found = score_cam.attribution(model, x, CLASSES, layer, options(how))
    assert wanted.std() > 0.01
    torch.testing.assert_close(found, wanted)


def test_variants_differ_where_values_are_negative():
    found = [score_cam.attribution(toy(True), pictures(), CLASSES, "last", options(how)) for how in VARIANTS]
    for one, other in itertools.combinations(found, 2):
        assert (one - other).abs().max() > 0.01


def test_masks_by_hand():
    maps = torch.tensor([[[0.0, 2.0, 4.0]], [[1.0, 2.0, 5.0]], [[-3.0, -2.0, -1.0]], [[-2.0, 0.0, 2.0]],
                         [[-2.0, 0.0, 0.0]], [[0.5, 0.5, 0.5]]])  # fmt: skip
    slide = [[0, 0.5, 1], [0.2, 0.4, 1], [0, 0, 0], [-1, 0, 1], [0, 0, 0], [1, 1, 1]]
    min_max = [[0, 0.5, 1], [0, 0.25, 1], [0, 0.5, 1], [0, 0.5, 1], [0, 1, 1], [0, 0, 0]]
    torch.testing.assert_close(score_cam.masks(maps, "slide")[:, 0], torch.tensor(slide))
    for how in ("min_max", "softmax"):
        torch.testing.assert_close(score_cam.masks(maps, how)[:, 0], torch.tensor(min_max))


@pytest.mark.parametrize("layer", ["encoder.2", "encoder.4"])
def test_the_library_agrees(layer):
    """It upsamples with aligned corners, which is where this network's cells lie."""
    from pytorch_grad_cam import ScoreCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model, x = toy().float(), pictures().float()
    assert grid_of(model, layer) == Grid(2 if layer == "encoder.2" else 4, 0.0)
    found = score_cam.attribution(model, x, CLASSES, layer, options("softmax"))
    with ScoreCAM(model=model, target_layers=[model.get_submodule(layer)]) as library:
        for k in range(3):
            targets = [ClassifierOutputTarget(int(c)) for c in CLASSES[:, k]]
            library(input_tensor=x, targets=targets)
            values = library.activations_and_grads.activations[0].numpy()
            weights = library.get_cam_weights(x, None, targets, values, None)
            np.testing.assert_allclose(
                found[:, k].numpy(), np.einsum("bd,bdhw->bhw", weights, values), rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize("how", VARIANTS)
def test_of_a_single_channel_the_map_is_its_values(how):
    model, x = chain(nn.Conv2d(3, 1, 3, 2, 1), nn.ReLU(), channels=1, stride=2), pictures()
    values = model.features(x)
    found = score_cam.attribution(model, x, CLASSES, "last", options(how))
    scale = found.amax((2, 3), keepdim=True) / values.amax((2, 3), keepdim=True)
    torch.testing.assert_close(found, scale * values)
    assert scale.min() > 0 and (how != "softmax" or scale.max() == scale.min() == 1)


@pytest.mark.parametrize("how", VARIANTS)
@pytest.mark.parametrize("bias", [0.7, 0.0, -0.7])
def test_a_constant_channel_changes_nothing(how, bias):
    """One more channel that is constant, and counts in no score: the maps are those without it."""
    model, x = chain(nn.Conv2d(3, 4, 3, 2, 1), channels=4, stride=2), pictures()
    more = chain(nn.Conv2d(3, 5, 3, 2, 1), channels=5, stride=2)
    order = [0, 4, 1, 2]  # where the four are among the five; 3 is the constant
    for new, old in zip(order, range(4), strict=True):
        more.encoder[0].weight[new] = model.encoder[0].weight[old]
        more.encoder[0].bias[new] = model.encoder[0].bias[old]
        more.head.weight[:, new] = model.head.weight[:, old]
    more.encoder[0].weight[3], more.encoder[0].bias[3], more.head.weight[:, 3] = 0, bias, 0
    wanted = score_cam.attribution(model, x, CLASSES, "last", options(how))
    found = score_cam.attribution(more, x, CLASSES, "last", options(how))
    assert wanted.std() > 0.01 and found.isfinite().all()
    torch.testing.assert_close(found, wanted)  # permuting channels changes nothing either


def test_where_all_channels_are_constant_the_map_is_0():
    model = classifier()
    found = score_cam.attribution(model, torch.zeros(2, 3, 8, 8).double(), CLASSES, "last", options())
    assert found.shape == (2, 3, 1, 1) and torch.equal(found, torch.zeros_like(found))  # a single cell


@pytest.mark.parametrize("how", VARIANTS)
@pytest.mark.parametrize("count", [1, 3, 7, 50])
def test_channels_of_largest_deviation_count(how, count):
    model, x = toy(), pictures()
    values = model.features(x)
    kept = [set(np.argsort(-values[row].flatten(1).std(1).numpy())[:count].tolist()) for row in range(2)]
    assert count != 3 or kept[0] != kept[1]
    wanted = by_loops(model, x, values, how, kept)
    torch.testing.assert_close(score_cam.attribution(model, x, CLASSES, "last", options(how, count)), wanted)


def test_channels_of_equal_deviation_come_in_their_order():
    values = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 5.0], [0.0, 1.0]])[:, None]
    assert score_cam.varying(values, 2).tolist() == [0, 2]
    assert score_cam.varying(values, 3).tolist() == [0, 1, 2]
    assert score_cam.varying(values, "all").tolist() == [0, 1, 2, 3]
    nearly = torch.tensor([[[5.0, 5.0 + 1e-6]], [[-3.0, -2.0]], [[-5.0 - 1e-6, -5.0]], [[-1.0, 0.0]]])
    assert score_cam.varying(nearly, "all").tolist() == [1, 3]


def test_forward_passes_are_bounded_and_serve_all_classes(monkeypatch):
    model, x = toy(), pictures()
    wanted = score_cam.attribution(model, x, CLASSES, "last", options("softmax"))
    seen = []
    model.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    monkeypatch.setattr(score_cam, "PIXELS", 3 * 17 * 33 + 1)
    found = score_cam.attribution(model, x, CLASSES, "last", options("softmax"))
    assert seen == [3, 3, 1] * 2  # 7 channels of 2 pictures, 3 at a time
    torch.testing.assert_close(found, wanted)
    seen.clear()
    monkeypatch.setattr(score_cam, "PIXELS", 1)  # fewer than one picture has
    torch.testing.assert_close(score_cam.attribution(model, x, CLASSES, "last", options("softmax")), wanted)
    assert seen == [1] * 14


@pytest.mark.parametrize("how", VARIANTS)
def test_rows_do_not_influence_each_other(how):
    model, x = toy(), pictures()
    together = score_cam.attribution(model, x, CLASSES, "last", options(how, 5))
    for row in range(2):
        one = slice(row, row + 1)
        alone = score_cam.attribution(model, x[one], CLASSES[one], "last", options(how, 5))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-12, atol=1e-12)


def test_masks_lie_where_the_cells_do():
    """The demo's cells have their centres between pixels: corners are not aligned there."""
    model = classifier()
    assert grid_of(model, "last") == Grid(8, 3.5)
    x = torch.randn(1, 3, 32, 40, generator=torch.Generator().manual_seed(3)).double()
    given = []
    model.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    score_cam.attribution(model, x, CLASSES[:1], "last", options("min_max"))
    values = model.features(x)
    up = F.interpolate(values, (32, 40), mode="bilinear", align_corners=False)[0]
    up = up[up.flatten(1).std(1) > 0]
    wanted = x * ((up - up.amin((1, 2), True)) / (up.amax((1, 2), True) - up.amin((1, 2), True)))[:, None]
    torch.testing.assert_close(torch.cat(given), wanted)
