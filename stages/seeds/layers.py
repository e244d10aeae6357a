"""Values and gradients of a named layer of the classifier."""

import difflib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.classifier.network import ClassifierNet

LAST = "last"
INPUT = "input"  # the pictures themselves


def find_layer(model: ClassifierNet, name: str) -> nn.Module:
    """The module at a path such as encoder.layer3. ValueError names the nearest paths."""
    modules = dict(model.named_modules())
    del modules[""]  # the whole network is no layer
    if name not in modules:
        near = difflib.get_close_matches(name, list(modules), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"top level: {', '.join(list(modules)[:5])}"
        raise ValueError(f"seeds.layer: the classifier has no layer {name!r}; {hint}")
    return modules[name]


def head_maps(model: ClassifierNet, pictures: Tensor, classes: Tensor) -> Tensor:
    """The head's weights times the last features, [B, K, h, w]: CAM (CHEN Eq. 4.3).

    Only the rows of the classes [B, K] (0-based) are multiplied.
    """
    with torch.inference_mode():
        features, rows = head_values(model, pictures, classes)
        return torch.einsum("bdhw,bkd->bkhw", features, rows)


def head_values(model: ClassifierNet, pictures: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """The last features [B, D, h, w] and the head's rows [B, K, D] of the classes [B, K] (0-based).

    The gradient of a score by them is its row over the number of cells, at every cell.
    """
    features = model.features(pictures)
    return features, model.head.weight.flatten(1)[classes].to(features.dtype)


def real(classes: Tensor) -> Tensor:
    """Which of the classes [B, K] are a picture's own, [B, K]: a row with fewer repeats its first.

    A picture's classes are distinct, so what equals the first is the first, or a repeat.
    """
    found = classes != classes[:, :1]
    found[:, 0] = True
    return found


def values_and_scores(model: ClassifierNet, pictures: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """The layer's values [B, D, h, w] and the scores [B, C] computed from them, with a graph."""
    if layer == INPUT:
        values = pictures.detach().requires_grad_()
        return values, model(values.clone())
    if layer == LAST:
        values = model.features(pictures).detach().requires_grad_()
        return values, model.pool(values)
    caught: list[Tensor] = []

    def catch(output: Tensor) -> Tensor:
        # A leaf in the layer's place: the graph begins here. The clone keeps the values, which
        # an in-place ReLU after the layer would overwrite.
        caught.append(output.detach().requires_grad_())
        return caught[-1].clone()

    features = with_layer(model, pictures, layer, catch)
    return caught[0], model.pool(features)


@torch.no_grad()
def values_at(model: ClassifierNet, pictures: Tensor, layer: str) -> Tensor:
    """The layer's values [B, D, h, w] alone."""
    if layer == LAST:
        return model.features(pictures)
    caught: list[Tensor] = []

    def catch(output: Tensor) -> Tensor:
        caught.append(output.clone())  # an in-place ReLU after the layer overwrites it
        return output

    with_layer(model, pictures, layer, catch)
    return caught[0]


def with_layer(
    model: ClassifierNet, pictures: Tensor, layer: str, change: Callable[[Tensor], Tensor]
) -> Tensor:
    """The last features, computed with `change` of the layer's values in the place of them.

    Raises ValueError where the layer has no feature map, or does not run once.
    """
    times = 0

    def hook(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        nonlocal times
        times += 1
        if not isinstance(output, Tensor) or output.ndim != 4:
            tokens = isinstance(output, Tensor) and output.ndim == 3
            what = " but tokens: take last, or encoder.levels.0 to 2 of a plain vision transformer" * tokens
            raise ValueError(f"seeds.layer {layer}: its output is no feature map{what}")
        return change(output)

    handle = find_layer(model, layer).register_forward_hook(hook)
    try:
        features = model.features(pictures)
    finally:
        handle.remove()
    if times != 1:
        raise ValueError(f"seeds.layer {layer}: runs {times} times in a forward pass, not once")
    return features


def stored(model: ClassifierNet, maps: Tensor, layer: str) -> Tensor:
    """Maps as they leave a method: those at the pixels averaged to cells of the encoder's stride."""
    if layer != INPUT:
        return maps
    return F.avg_pool2d(maps, int(model.encoder.output_stride), ceil_mode=True)  # type: ignore[arg-type]


def gradients(values: Tensor, scores: Tensor, classes: Tensor) -> Iterator[Tensor]:
    """For k = 0..K-1 the gradient [B, D, h, w] of each picture's score of its k-th class.

    `classes` [B, K] are 0-based. Pictures of a batch do not touch each other (batch norm is in
    eval mode), so one backward pass of the summed scores serves them all.
    """
    for k in range(classes.shape[1]):
        chosen = scores.gather(1, classes[:, k : k + 1]).sum()
        (gradient,) = torch.autograd.grad(chosen, values, retain_graph=k + 1 < classes.shape[1])
        yield gradient
