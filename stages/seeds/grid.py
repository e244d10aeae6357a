"""Where the cells of a layer lie in the picture, found by following a picture through the network.

A window of kernel k, padding p and dilation d over cells with jump j moves the centre of the first cell by
(d (k - 1) / 2 - p) j pixels: odd kernels leave it where it is, a 2x2 pool moves it by half a cell.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from stages.classifier.network import ClassifierNet
from stages.seeds.layers import INPUT, LAST, with_layer

CELLS = 8  # of the trial picture's sides
Window = tuple[int, int, float, int]  # kernel, stride, padding, dilation


@dataclass(frozen=True)
class Grid:
    """Cell i has its centre at pixel offset + i * stride (pixel 0's centre is at 0)."""

    stride: int
    offset: float

    def through(self, kernel: int, stride: int, padding: float, dilation: int) -> "Grid":
        return Grid(self.stride * stride, self.offset + (dilation * (kernel - 1) / 2 - padding) * self.stride)


def grids(model: ClassifierNet, layer: str) -> tuple[Grid, Grid]:
    """The grid that inputs are fitted to, and the one of the maps at `layer`.

    What fits the last features fits every layer below them. Maps at the pixels are averaged to whole
    cells of the encoder's stride (`layers.stored`), so there the pictures fit these.
    """
    if layer == INPUT:
        stride = int(model.encoder.output_stride)  # type: ignore[arg-type]
        cells = Grid(stride, (stride - 1) / 2)
        return cells, cells
    last = grid_of(model, LAST)
    return last, last if layer == LAST else grid_of(model, layer)


@torch.no_grad()
def grid_of(model: ClassifierNet, layer: str) -> Grid:
    """The grid of a layer. Where it cannot be followed (a transformer's patches) the offset is 0."""
    side = CELLS * int(model.encoder.output_stride) + 1  # type: ignore[arg-type]
    picture = torch.zeros(1, 3, side, side, device=next(model.parameters()).device)
    picture = marked(picture.to(next(model.parameters()).dtype))
    caught: list[Tensor] = []

    def catch(output: Tensor) -> Tensor:
        caught.append(output)
        return output

    with Follow():
        features = model.features(picture) if layer == LAST else with_layer(model, picture, layer, catch)
    return followed(caught[0] if caught else features, side)


def marked(pictures: Tensor) -> Tensor:
    """The pictures, where `Follow` begins."""
    found = pictures.detach()
    found.grid = Grid(1, 0.0)  # type: ignore[attr-defined]
    return found


def followed(values: Tensor, side: int) -> Grid:
    """The grid that `Follow` wrote on values of a picture that is `side` pixels wide."""
    found: Grid | None = getattr(values, "grid", None)
    cells = values.shape[-1]
    if found is None or not 2 / 3 < cells * found.stride / side < 3 / 2:
        return Grid(max(1, round((side - 1) / max(1, cells - 1))), 0.0)
    return found


class Follow(TorchFunctionMode):
    """Writes on each tensor that comes from the picture the grid of its last axis."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        found = [tensor.grid for tensor in tensors(args) if hasattr(tensor, "grid")]
        if found:
            grid = merged(found)
            window = WINDOWS.get(getattr(func, "__name__", ""))
            if window is not None:
                grid = grid.through(*window(*args, **kwargs))
            for tensor in tensors((out,)):
                tensor.grid = grid  # type: ignore[attr-defined]
        return out


def tensors(things: Any) -> Iterator[Tensor]:
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        elif isinstance(thing, list | tuple):
            yield from tensors(thing)


def merged(found: list[Grid]) -> Grid:
    """Of a sum or a concatenation: branches that disagree (an average pool as shortcut) give their mean."""
    stride = max(grid.stride for grid in found)
    offsets = [grid.offset for grid in found if grid.stride == stride]
    return Grid(stride, math.fsum(offsets) / len(offsets))


def conv2d(x: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           *rest: Any, **named: Any) -> Window:  # fmt: skip
    kernel, width = weight.shape[-1], one(dilation)
    if isinstance(padding, str):
        return kernel, one(stride), width * (kernel - 1) // 2 if padding == "same" else 0, width
    return kernel, one(stride), one(padding), width


def max_pool2d(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               *rest: Any, **named: Any) -> Window:  # fmt: skip
    return one(kernel_size), one(stride or kernel_size), one(padding), one(dilation)


def avg_pool2d(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *rest: Any,
               **named: Any) -> Window:  # fmt: skip
    return one(kernel_size), one(stride or kernel_size), one(padding), 1


def pad(x: Tensor, pad: Any, *rest: Any, **named: Any) -> Window:
    return 1, 1, pad[0], 1


def one(value: Any) -> int:
    return int(value[-1] if isinstance(value, list | tuple) else value)


WINDOWS: dict[str, Callable[..., Window]] = {
    function.__name__: function for function in (conv2d, max_pool2d, avg_pool2d, pad)
}
