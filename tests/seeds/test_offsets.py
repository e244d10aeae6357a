"""Where cells lie: by hand from kernels and paddings, and by a bright dot that must stay where it is."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stages.classifier.network import build_classifier
from stages.seeds.grid import Grid, grid_of, grids
from stages.seeds.multi_scale import multi_scale
from tests.seeds.test_multi_scale import params
from tests.seeds.tiny import encoder


@pytest.mark.parametrize(
    ("name", "stride", "layer", "wanted"),
    [
        ("small", 8, "last", Grid(8, 3.5)),  # three 2x2 pools: (1 + 2 + 4) / 2
        ("small", 32, "last", Grid(32, 3.5)),  # and two 3x3 convolutions of stride 2, which move nothing
        ("small", 8, "encoder.levels.0", Grid(2, 0.5)),
        ("small", 8, "encoder.levels.1", Grid(4, 1.5)),
        ("vgg19_chen", 8, "encoder.features.9", Grid(4, 1.5)),
        ("resnet18", 16, "encoder.layer2", Grid(8, 0.0)),  # its pool is 3x3 with padding 1
        ("resnet18", 16, "last", Grid(16, 0.0)),
        ("mobilenet_v2", 16, "last", Grid(16, 0.0)),
    ],
)
def test_offsets_by_hand(name, stride, layer, wanted):
    with torch.device("meta"):  # shapes alone
        model = build_classifier(encoder(name, stride), 1).eval()
    assert grid_of(model, layer) == wanted


class Odd(nn.Module):
    """A shortcut by an average pool, beside a strided convolution; and padding of one side only."""

    output_stride, out_channels = 4, (3, 2)

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 3, 3, stride=2, padding=1), nn.Conv2d(3, 2, 3, stride=2)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.conv(x).relu_() + F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2)
        return [self.last(F.pad(x, (2, 0, 2, 0)))]


def test_branches_that_disagree_give_their_mean():
    from stages.classifier.network import ClassifierNet

    # 0 and 0.5 give 0.25; the second convolution moves by (1 - 2) * 2
    assert grid_of(ClassifierNet(Odd(), 1), "last") == Grid(4, 0.25 - 2)


@pytest.mark.parametrize(
    ("name", "stride", "layer"),
    [("small", 8, "last"), ("small", 16, "last"), ("small", 8, "encoder.levels.1"),
     ("vgg19_chen", 8, "encoder.features.26"), ("resnet18", 8, "last")],
)  # fmt: skip
@pytest.mark.parametrize("scales", [[1.0], [1.0, 1.5]])
def test_a_bright_dot_stays_where_it_is(name, stride, layer, scales):
    """Networks whose kernels are even blurs: their answer to a dot is a hill around it."""
    with torch.device("meta"):
        model = build_classifier(encoder(name, stride), 1).eval()
    model.to_empty(device="cpu")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
            if isinstance(module, nn.Conv2d):
                module.weight.fill_(1 / module.weight[0].numel())
                if module.bias is not None:
                    module.bias.zero_()
    inputs, cells = grids(model, layer)
    centre = (cells.offset + 5 * cells.stride, cells.offset + 7 * cells.stride)  # of a cell: row, column
    picture = torch.zeros(1, 3, 12 * cells.stride, 16 * cells.stride)
    half = cells.stride / 2
    rows, columns = (slice(int(c - half + 0.5), int(c + half + 0.5)) for c in centre)
    picture[:, :, rows, columns] = 1
    middle = ((rows.start + rows.stop - 1) / 2, (columns.start + columns.stop - 1) / 2)

    def hill(x):
        caught = []
        module = model if layer == "last" else model.get_submodule(layer)
        with torch.inference_mode():
            if layer == "last":
                return model.features(x).sum(1, keepdim=True)
            handle = module.register_forward_hook(lambda m, i, out: caught.append(out.clone()))
            model.features(x)
            handle.remove()
        return caught[0].sum(1, keepdim=True)

    found = multi_scale(hill, picture, params(scales=scales, flip=True), inputs, cells)[0, 0]
    top = (found - 0.5).clamp_min(0)  # the upper half of the hill
    for axis in (0, 1):
        pixels = (torch.arange(top.shape[axis]) + 0.5) * cells.stride - 0.5
        where = float((top.sum(1 - axis) * pixels).sum() / top.sum())
        assert where == pytest.approx(middle[axis], abs=0.1 * cells.stride)
