"""The grid that each function makes, against a ramp: its cells hold where their windows' centres lie."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stages.classifier.network import ClassifierNet
from stages.seeds.grid import Follow, Grid, grid_of, grids, merged

SIDE = 40


def ramp() -> torch.Tensor:
    """Each pixel holds its column, which is followed."""
    x = torch.arange(float(SIDE)).expand(1, 1, SIDE, SIDE).clone()
    x.grid = Grid(1, 0.0)
    return x


def even(kernel: int) -> torch.Tensor:
    return torch.full((1, 1, 1, kernel), 1 / kernel)


CENTRES = {  # of these the cells hold the centres of their windows
    "conv": lambda x: F.conv2d(x, even(4)),
    "conv, stride": lambda x: F.conv2d(x, even(3), None, 2),
    "conv, strides": lambda x: F.conv2d(x, even(3), stride=(1, 3)),
    "conv, padding": lambda x: F.conv2d(x, even(5), None, 2, (0, 2)),
    "conv, dilation": lambda x: F.conv2d(x, even(3), None, 1, 0, 4),
    "conv, all": lambda x: F.conv2d(x, even(4), stride=2, padding=(0, 1), dilation=3),
    "conv, same": lambda x: F.conv2d(x, even(3), padding="same", dilation=2),
    "conv, same, even": lambda x: F.conv2d(x, even(4), padding="same", dilation=2),
    "conv, valid": lambda x: F.conv2d(x, even(3), padding="valid"),
    "average pool": lambda x: F.avg_pool2d(x, 4),
    "average pool, stride": lambda x: F.avg_pool2d(x, 3, 1),
    "average pool, padding": lambda x: F.avg_pool2d(x, (3, 5), (1, 2), (1, 2)),
    "pad": lambda x: F.pad(x, (3, 1)),
    "a chain": lambda x: F.conv2d(F.avg_pool2d(F.conv2d(x, even(3), None, 2), 2), even(3), None, 2, (0, 1)),
    "relu": F.relu,
}
LAST = {  # of these the last pixel of the window, which lies so many pixels behind its centre
    "max pool": (lambda x: F.max_pool2d(x, 2), 0.5),
    "max pool, torch's own": (lambda x: torch.max_pool2d(x, (2,)), 0.5),
    "max pool, stride": (lambda x: F.max_pool2d(x, 3, 1), 1),
    "max pool, padding": (lambda x: F.max_pool2d(x, 3, 2, 1), 1),
    "max pool, dilation": (lambda x: F.max_pool2d(x, kernel_size=(1, 3), stride=(1, 2), dilation=3), 3),
}


@pytest.mark.parametrize("name", [*CENTRES, *LAST])
def test_cells_lie_where_their_windows_do(name):
    function, behind = (CENTRES[name], 0.0) if name in CENTRES else LAST[name]
    with Follow():
        out = function(ramp())
    cells = out[0, 0, out.shape[2] // 2]
    places = out.grid.offset + torch.arange(len(cells)) * out.grid.stride + behind
    inner = slice(len(cells) // 4, 3 * len(cells) // 4)  # the others see what is padded
    torch.testing.assert_close(cells[inner], places[inner], atol=1e-4, rtol=0)
    assert len(cells[inner]) >= 2


def test_a_sum_has_the_larger_stride_and_the_mean_of_its_offsets():
    assert merged([Grid(2, 1.0), Grid(4, 3.0), Grid(4, 1.5)]) == Grid(4, 2.25)
    assert merged([Grid(4, 3.0), Grid(2, 1.0)]) == Grid(4, 3.0)


class Encoder(nn.Module):
    """Of stride 4, by a function."""

    output_stride, out_channels = 4, (3, 3)

    def __init__(self, function) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return [self.function(x)]


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x: x[..., ::4, ::4], Grid(4, 0.0)),  # 9 of 33 pixels: (33 - 1) / (9 - 1)
        (lambda x: x[..., ::3, ::3], Grid(3, 0.0)),  # 11 of 33: 32 / 10, rounded
        (lambda x: torch.zeros(1, 3, 17, 17), Grid(2, 0.0)),  # nothing leads there
        (lambda x: x[..., :1, :1], Grid(32, 0.0)),  # one cell is all of it
        (lambda x: torch.zeros(1, 3, 200, 200), Grid(1, 0.0)),
        (lambda x: F.avg_pool2d(x, 4), Grid(4, 1.5)),
        (lambda x: F.avg_pool2d(x, 4)[..., :6], Grid(4, 1.5)),  # 24 of 33 pixels are still its cells
        (lambda x: F.avg_pool2d(x, 4)[..., :5], Grid(8, 0.0)),  # 20 are not
        (lambda x: F.interpolate(F.avg_pool2d(x, 4), scale_factor=2), Grid(2, 0.0)),  # nor are 64
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_spread_from_end_to_end(function, wanted):
    assert grid_of(ClassifierNet(Encoder(function), 1), "last") == wanted


def test_the_picture_s_own_grid_is_whole_cells():
    model = ClassifierNet(Encoder(lambda x: F.avg_pool2d(x, 4)), 1)
    assert grids(model, "input") == (Grid(4, 1.5), Grid(4, 1.5))
    assert grids(model, "last") == (Grid(4, 1.5), Grid(4, 1.5))
