"""Encoders by library name, their initial weights, and which of their layers train.

An encoder maps [B, 3, H, W] to a list of features, one a level; level l of five has stride 2**l,
or the output stride where that is smaller (dilation takes over), as in segmentation_models_pytorch. Those
of a plain vision transformer are four, all of the stride of its patches (plain_vit.py).
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any

import segmentation_models_pytorch as smp
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.common.networks import plain_vit, small_encoder, small_pool, store, vgg16_deeplab, vgg19_chen
from stages.common.networks.weights import find_weights
from stages.common.training import params as training_params

NESTED = ("state_dict", "model_state_dict", "model_state", "model", "network", "net", "teacher", "params")

smp.encoders.encoders["small"] = small_encoder.ENTRY
smp.encoders.encoders["small_pool"] = small_pool.ENTRY
smp.encoders.encoders["vgg16_deeplab"] = vgg16_deeplab.ENTRY
smp.encoders.encoders["vgg19_chen"] = vgg19_chen.ENTRY


def build_encoder(params: training_params.Encoder) -> nn.Module:
    """A new encoder with its initial weights. Raises ValueError for an unknown name or stride."""
    name, weights = params.name, params.weights  # the schema has refused what nothing pins
    check_name(name)
    library = weights.name if weights.source == "library" else None
    stride = params.output_stride
    encoder: nn.Module
    try:
        if params.patch():
            encoder = plain_vit.build(params)
        else:
            encoder = smp.encoders.get_encoder(name, weights=library, output_stride=stride, **any_size(name))
    except (KeyError, ValueError, RuntimeError) as error:
        raise ValueError(f"encoder {name}, output stride {params.output_stride}: {error}") from error
    align_dilation(encoder, params.output_stride)
    load_weights(encoder, weights)
    return encoder


def any_size(name: str) -> dict[str, bool]:
    """What the library is to tell an encoder, so that it takes pictures of any size that 32 divides.

    Swin transformers are built for one; told so, they make their windows and masks anew for each picture.
    """
    return {"strict_img_size": False} if name.startswith("tu-swin") else {}


def check_name(name: str) -> None:
    """ValueError for an encoder that neither library has; those of timm are tu-NAME."""
    known = smp.encoders.encoders
    if name.startswith("tu-"):
        import timm

        if not timm.is_model(name.removeprefix("tu-")):
            raise ValueError(
                f"encoder.name {name!r} is unknown to timm{_nearest(name[3:], timm.list_models())}"
            )
    elif name not in (*known, training_params.SMALL_VIT):
        raise ValueError(f"encoder.name {name!r} is unknown{_nearest(name, known)}")


def align_dilation(encoder: nn.Module, output_stride: int) -> None:
    """Give the convolutions that lost their stride the dilation of the layers before them.

    The library dilates them like the layers behind, so they would see every second pixel of what
    they were trained on: pretrained features, and with them the seeds, lose accuracy.
    """
    if not hasattr(encoder, "get_stages"):  # timm's encoders dilate well by themselves
        return
    try:
        stages = encoder.get_stages()  # type: ignore[operator]
    except NotImplementedError:  # of an encoder that the library does not dilate
        return
    for stride, modules in stages.items():
        if stride > output_stride:
            for conv in (_entry(module) for module in modules):
                if conv is not None:
                    dilation = stride // output_stride // 2
                    conv.dilation = (dilation, dilation)
                    conv.padding = tuple(dilation * (size // 2) for size in conv.kernel_size)
                    break


def _entry(module: nn.Module) -> nn.Conv2d | None:
    """The first convolution with a spatial kernel: it had the stride of its stage."""
    convs = (m for m in module.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1))
    return next(convs, None)


def load_weights(encoder: nn.Module, weights: training_params.Weights) -> None:
    """Load a named file's tensors (source: file); every tensor of the encoder must be in it."""
    if weights.source != "file":
        return
    state = read_weights(weights.name, weights.sha256)
    wanted = encoder.state_dict()
    state = {name: value for name, value in named(state, wanted).items() if name in wanted}
    counters = {name: wanted[name] for name in wanted if name.endswith("num_batches_tracked")}
    if misfit := store.misfits(counters | state, wanted):
        raise ValueError(
            f"weights {weights.name} do not fit the encoder {type(encoder).__name__}: {misfit}; the file has "
            f"{len(state)} of its {len(wanted)} tensors"
        )
    if bad := store.not_finite(state):
        raise ValueError(f"weights {weights.name}: {bad} is not finite")
    nn.Module.load_state_dict(encoder, {name: state.get(name, wanted[name]) for name in wanted})


def read_weights(name: str, sha256: str) -> dict[str, Tensor]:
    """Tensors (float32) of a .safetensors, or of a state dict read with weights_only=True.

    A checkpoint that holds its state dict under a name ({"state_dict": ..., "epoch": 3}) is opened.
    Raises ValueError if it has none.
    """
    path = find_weights(name, sha256)
    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:
        raise ValueError(
            f"weights {path}: damaged, or no state dict of plain tensors ({type(error).__name__}): save "
            "`model.state_dict()` alone"
        ) from error
    state = _state_dict(state)
    if not state:
        raise ValueError(
            f"weights {path}: no state dict. Looked for are names with tensors, plain or under one of "
            f"{', '.join(NESTED)}; save `model.state_dict()` alone"
        )
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def _state_dict(content: Any) -> dict[str, Tensor]:
    """Names with tensors, of a checkpoint as trainers save it; {} where there are none."""
    for _ in range(3):  # MMSegmentation and others nest them
        if not isinstance(content, Mapping):
            return {}
        inner = next((content[name] for name in NESTED if isinstance(content.get(name), Mapping)), None)
        if inner is None:
            break
        content = inner
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def named(state: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the encoder's names, whether the file has these or timm's.

    timm's networks have layers.0.x and norm.x where their encoders have model.layers_0.x and model.norm.x.
    """
    found = unprefixed(state, wanted)
    if found.keys() & wanted.keys():
        return found
    of_timm = {re.sub(r"^(\w+?)_(\d+)\.", r"\1.\2.", name.removeprefix("model.")): name for name in wanted}
    found = unprefixed(state, {own: wanted[name] for own, name in of_timm.items()})
    return {of_timm.get(name, name): value for name, value in found.items()}


def unprefixed(state: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors below the prefix under which most of the wanted ones are: of a wrapper (module.), or of
    a network that has the encoder (encoder., backbone.). Without a better one, all as they are.
    """
    prefixes = {name[: -len(last)] for last in wanted for name in state if name.endswith(f".{last}")}
    fits = {prefix: sum(prefix + name in state for name in wanted) for prefix in sorted({"", *prefixes})}
    best = max(fits, key=lambda prefix: (fits[prefix], -len(prefix)))
    return {name.removeprefix(best): value for name, value in state.items() if name.startswith(best)}


def freeze(encoder: nn.Module, params: training_params.Encoder) -> None:
    """Stop the gradients of the named blocks, and of batch norm where it is frozen."""
    modules = dict(encoder.named_modules())
    for name in params.freeze:
        if name not in modules:
            raise ValueError(f"encoder.freeze: no block {name!r}{_nearest(name, modules)}")
        modules[name].requires_grad_(False)
    if params.batch_norm == "frozen":
        for module in modules.values():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.requires_grad_(False)


def train_mode(model: nn.Module, encoder: nn.Module, params: training_params.Encoder) -> None:
    """model.train(), but the frozen parts of its encoder stay in eval mode."""
    model.train()
    frozen = [encoder.get_submodule(name) for name in params.freeze]
    if params.batch_norm == "frozen":
        frozen += [m for m in encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for module in frozen:
        module.eval()


def _nearest(name: str, known: object) -> str:
    near = difflib.get_close_matches(name, [str(k) for k in known], n=3)  # type: ignore[attr-defined]
    return f"; did you mean {', '.join(near)}?" if near else ""
