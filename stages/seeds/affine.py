"""Whether a network is piece-wise affine, and if not, which of its modules is to blame."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from stages.classifier.network import ClassifierNet
from stages.seeds.bias import Constants

CLOSE = 1e-6  # of the parts that the output is the sum of; in double precision
KNOWN = (nn.Conv2d, nn.Linear, nn.Sequential)  # affine, as far as their parts are


def require_affine(model: ClassifierNet, pictures: Tensor) -> None:
    """ValueError with the first smallest module that is not piece-wise affine: SiLU, a gate's sigmoid."""
    if found := not_affine(model, pictures):
        raise ValueError(
            f"seeds.method full_grad: {found} is not piece-wise affine, "
            "so pixels and biases do not make up the score: take gradient, smooth_grad or a CAM there"
        )


def not_affine(model: ClassifierNet, pictures: Tensor) -> str:
    """The first smallest module that is not piece-wise affine, with its kind; "" where there is none."""
    twin = copy.deepcopy(model).cpu().double()
    x = pictures[:1].cpu().double()
    guilty = [
        name for name, values in inputs(twin, x).items() if not affine(twin.get_submodule(name), values)
    ]
    if not guilty and affine(twin.features, x):
        return ""
    smallest = [name for name in guilty if not any(other.startswith(f"{name}.") for other in guilty)]
    name = smallest[0] if smallest else "encoder"
    return f"{name} ({type(twin.get_submodule(name)).__name__})"


def affine(function: Callable[[Tensor], Tensor], values: Tensor) -> bool:
    """Whether <f, f> is <its gradient, values> and what the constants of f add to it, as it is for affine f.

    A result that is no tensor counts as affine: its parts are asked.
    """
    with torch.enable_grad(), Constants() as constants:
        leaf = values.detach().requires_grad_()
        found = function(leaf.clone())
    if not isinstance(found, Tensor) or not found.requires_grad:
        return True
    pairs = [(leaf, leaf.detach()), *constants.found]
    whole = (found * found.detach()).sum()
    slopes = torch.autograd.grad(whole, [place for place, _ in pairs], allow_unused=True)
    parts = [
        (slope * constant).sum()
        for slope, (_, constant) in zip(slopes, pairs, strict=True)
        if slope is not None
    ]
    size = torch.stack([part.abs() for part in parts]).sum() + whole
    return bool((torch.stack(parts).sum() - whole).abs() <= CLOSE * size)


def inputs(model: ClassifierNet, pictures: Tensor) -> dict[str, Tensor]:
    """What each module from a tensor to a tensor gets when it first runs; without the KNOWN ones."""
    found: dict[str, Tensor] = {}

    def note(name: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        def hook(module: nn.Module, given: tuple[object, ...]) -> None:
            if len(given) == 1 and isinstance(given[0], Tensor):
                found.setdefault(name, given[0].clone())

        return hook

    for name, module in model.named_modules():
        if name and type(module) not in KNOWN:
            module.register_forward_pre_hook(note(name))
    with torch.no_grad():
        model.features(pictures)
    return {name: found[name] for name, _ in model.named_modules() if name in found}
