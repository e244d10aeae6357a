"""FullGrad: its parts are the whole score, its maps those of loops and of the library."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stages.seeds import full_grad, vgatt
from stages.seeds.bias import fields
from stages.seeds.grid import Follow, Grid, followed, marked
from tests.seeds.tiny import chain, classifier, pictures

CLASSES = torch.tensor([[0, 3], [2, 2]])


def toy(stride: int = 1):
    modules = (
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
    )  # fmt: skip
    return chain(*modules, channels=8, stride=stride)


@pytest.mark.parametrize("name", ["small", "resnet18", "mobilenet_v2", "toy"])
def test_the_parts_of_a_score_are_all_of_it(name):
    """DAVID's first property, before psi: sum of dS/dx x and of all bias fields; MobileNet's sixes count."""
    model = toy() if name == "toy" else classifier(name, 8 if name == "small" else 32)
    x = 3 * pictures()
    scores = model(x).gather(1, CLASSES)
    for k, parts in enumerate(fields(model, x, CLASSES, "input")):
        sums = torch.stack([part.flatten(1).sum(1) for _, part in parts])
        least = 1e-3 * scores.abs().max()
        assert sums[1:].sum(0).abs().min() > least > 0
        assert name == "mobilenet_v2" or sums[0].abs().min() > least
        torch.testing.assert_close(sums.sum(0), scores[:, k], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("name", "layer"), [("small", "encoder.levels.1"), ("resnet18", "encoder.layer2")])
def test_the_fields_above_a_layer_are_vgatt_s_bias(name, layer):
    """VGatt's is what its contributions leave of the score; these are a tail of FullGrad's parts."""
    model, x = classifier(name, 8 if name == "small" else 32), pictures()
    wanted = vgatt.bias(model, x, CLASSES, layer)
    pairs = zip(fields(model, x, CLASSES, "input"), fields(model, x, CLASSES, layer), strict=True)
    for k, (whole, above) in enumerate(pairs):
        count = len(above) - 1
        assert 0 < count < len(whole) - 1
        for (_, mine), (_, theirs) in zip(whole[-count:], above[1:], strict=True):
            torch.testing.assert_close(mine, theirs)
        total = sum(part.flatten(1).sum(1) for _, part in whole[-count:])
        torch.testing.assert_close(total, wanted[:, k], rtol=1e-8, atol=1e-10)


def test_maps_by_loops_over_hand_made_bias_fields():
    """Slopes at each output; biases of convolutions, and beta - gamma mu / sigma of the batch norm."""
    model, x = toy(stride=2), pictures(24)[:, :, :16]
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    norm = model.encoder[1]
    sigma = (norm.running_var + norm.eps).sqrt()
    biases = {1: norm.bias - norm.weight * norm.running_mean / sigma}
    biases |= {n: model.encoder[n].bias for n in (0, 4, 7)}
    for row in range(2):
        for k, c in enumerate(CLASSES[row].tolist()):
            outputs = [x[row : row + 1].clone().requires_grad_()]
            for module in model.encoder:
                outputs.append(module(outputs[-1]))
            score = model.pool(outputs[-1])[0, c]
            slopes = torch.autograd.grad(score, [outputs[0], *(outputs[n + 1] for n in biases)])
            constants = [outputs[0].detach(), *(bias[:, None, None] for bias in biases.values())]
            total = torch.zeros(16, 24).double()
            for slope, constant in zip(slopes, constants, strict=True):
                size = (slope * constant).abs()
                size = (size - size.min()) / (size.max() - size.min())
                for channel in size[0]:
                    up = F.interpolate(channel[None, None], (16, 24), mode="bilinear", align_corners=False)
                    total += up[0, 0]
            wanted = F.avg_pool2d(total[None], 2)[0]
            found = full_grad.attribution(model, x, CLASSES, "input")[row, k]
            torch.testing.assert_close(found, wanted)


def test_the_library_agrees_once_psi_is_its_own(monkeypatch):
    """It takes min-max of each channel by itself; the method's authors of the layer."""
    from pytorch_grad_cam import FullGrad
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def of_channels(part):
        found = part.abs()
        low, top = found.amin((2, 3), keepdim=True), found.amax((2, 3), keepdim=True)
        return (found - low) / (top - low).clamp_min(1e-7)

    model, x = toy().float(), pictures(24).float()
    model.head.weight *= 1e5  # the library adds 1e-7 to a range
    ours = full_grad.attribution(model, x, CLASSES, "input")
    monkeypatch.setattr(full_grad, "psi", of_channels)
    found = full_grad.attribution(model, x, CLASSES, "input")
    assert (ours - found).abs().max() > 0.1
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False

    class Library(FullGrad):
        def compute_cam_per_layer(self, *given):
            self.maps = super().compute_cam_per_layer(*given)
            return self.maps

    with Library(model=model.requires_grad_(), target_layers=[]) as library:
        for k in range(2):
            library(input_tensor=x, targets=[ClassifierOutputTarget(int(c)) for c in CLASSES[:, k]])
            np.testing.assert_allclose(found[:, k].numpy(), library.maps[:, 0], rtol=1e-3, atol=1e-3)


def test_without_biases_it_is_the_size_of_gradient_times_picture():
    model = chain(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.ReLU(), channels=6)
    x = pictures(9)
    values = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(values)[0, 3], values)
    size = (slope * x)[0].abs()
    wanted = ((size - size.min()) / (size.max() - size.min())).sum(0)
    torch.testing.assert_close(full_grad.attribution(model, x, CLASSES, "input")[0, 1], wanted)


def test_a_part_of_one_size_everywhere_counts_nothing():
    parts = torch.tensor([[2.0, 2.0], [1.0, 3.0]]).view(2, 1, 1, 2)
    assert full_grad.psi(parts).flatten().tolist() == [0, 0, 0, 1]
    assert full_grad.psi(-parts).flatten().tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("small", [Grid(1, 0.0), Grid(2, 0.5), Grid(4, 1.5), Grid(8, 3.5)]),
     ("resnet18", [Grid(2, 0.0), Grid(4, 0.0), Grid(8, 0.0)])],
)  # fmt: skip
def test_every_part_knows_where_its_cells_lie(name, wanted):
    """A single bright cell lies in the map where it has its centre, whatever the network's paddings are."""
    model, x = classifier(name, 8), pictures(64)[:, :, :48]
    with Follow():
        parts = next(fields(model, marked(x), CLASSES, "input"))
    seen = {followed(place, 64) for place, _ in parts}
    assert seen == {Grid(1, 0.0), *wanted}
    for place, part in parts:
        cells, one = followed(place, 64), torch.zeros_like(part[:1, :1])
        one[0, 0, 2, 3] = -7.0
        shown = full_grad.at_pixels(place, one, (48, 64))[0]
        peak = [
            (shown.sum(1 - axis) * torch.arange(shown.shape[axis])).sum() / shown.sum() for axis in (0, 1)
        ]
        assert peak == pytest.approx([cells.offset + 2 * cells.stride, cells.offset + 3 * cells.stride])


def test_rows_do_not_influence_each_other():
    model, x = classifier(), pictures(24) * torch.tensor([1.0, 50.0]).view(2, 1, 1, 1)
    together = full_grad.attribution(model, x, CLASSES, "input")
    for row in range(2):
        one = slice(row, row + 1)
        torch.testing.assert_close(
            full_grad.attribution(model, x[one], CLASSES[one], "input")[0], together[row]
        )
    assert not together.requires_grad and together.min() >= 0
