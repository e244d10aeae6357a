"""Saving a trained network: weights as safetensors beside a config.json and its training curve."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from stages.common.artifacts import csv_text, output_folder, read_json, write_json

History = list[dict[str, float]]  # one row an epoch
REMEDY = "`wsss run` makes it anew where it is an output of the recipe"


def save_network(
    out: Path,
    model: nn.Module,
    config: dict[str, Any],
    history: History,
    also: Mapping[str, bytes] | None = None,
) -> None:
    """weights.safetensors, config.json (what rebuilds the network) and history.csv, or nothing.

    `also` are further files of the folder, by name. Raises ValueError for weights that are not finite.
    """
    with output_folder(out) as folder:
        write_network(folder, model, config, history)
        for name, content in (also or {}).items():
            (folder / name).write_bytes(content)


def write_network(folder: Path, model: nn.Module, config: dict[str, Any], history: History) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if bad := not_finite(tensors):
        raise ValueError(f"the trained network is of no use: {bad} is not finite; lower optimizer.lr")
    (folder / "weights.safetensors").write_bytes(save(tensors))
    write_json(folder / "config.json", config)
    (folder / "history.csv").write_text(history_csv(history))


def history_csv(history: History) -> str:
    """One row an epoch, six significant digits."""
    rows = [{name: f"{value:.6g}" for name, value in row.items()} for row in history]
    return csv_text([list(history[0]), *(list(row.values()) for row in rows)])


def not_finite(tensors: Mapping[str, Tensor]) -> str:
    """The name of the first tensor that holds inf or nan; "" if all are finite."""
    return next((name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()), "")


def read_config(folder: Path, *keys: str) -> dict[str, Any]:
    """config.json of a saved network, which must have `keys`.

    Raises ValueError where it is damaged or of another network, FileNotFoundError without it.
    """
    path = folder / "config.json"
    try:
        config = read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}): {REMEDY}") from None
    if not isinstance(config, dict):
        raise ValueError(f"{path} is no network's: it must hold an object; {REMEDY}")
    if missing := [key for key in keys if key not in config]:
        raise ValueError(f"{path} is of another network: it has no {', '.join(missing)}; {REMEDY}")
    return config


def load_into(model: nn.Module, folder: Path, place: torch.device | str = "cpu") -> nn.Module:
    """The saved weights on the device `place`, in eval mode without gradients, in the faster memory layout.

    Raises ValueError for weights that are damaged, of another network, or not finite.
    """
    path = folder / "weights.safetensors"
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(f"{path} is missing: {REMEDY}") from None
        raise ValueError(f"{path} is damaged ({error}): {REMEDY}") from None
    if misfit := misfits(tensors, model.state_dict()):
        raise ValueError(f"{path} does not fit the network of its config.json: {misfit}; {REMEDY}")
    if bad := not_finite(tensors):
        raise ValueError(
            f"{path}: {bad} is not finite: its training diverged; lower optimizer.lr, train again"
        )
    model.load_state_dict(tensors)
    fixed = model.eval().requires_grad_(False).to(place)
    return fixed.to(memory_format=layout(model, place))  # type: ignore[call-overload]


def layout(model: nn.Module, place: torch.device | str) -> torch.memory_format:
    """In which the network is faster with pictures of many sizes: channels last, but for depthwise
    convolutions on a GPU. Of these cuDNN compiles a kernel for each new size, 0.15 s apiece on an H200.
    """
    convolutions = (part for part in model.modules() if isinstance(part, nn.Conv2d))
    depthwise = any(part.groups == part.in_channels > 1 for part in convolutions)
    on_gpu = torch.device(place).type == "cuda"
    return torch.contiguous_format if depthwise and on_gpu else torch.channels_last


def misfits(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """How the tensors of a file differ from those of a network, with examples; "" if they do not."""
    missing = [name for name in wanted if name not in found]
    unknown = [name for name in found if name not in wanted]
    wrong = [
        f"{name} {list(found[name].shape)} for {list(wanted[name].shape)}"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    kinds = {"missing": missing, "not known": unknown, "of another shape": wrong}
    return "; ".join(f"{len(names)} {kind}, e.g. {names[0]}" for kind, names in kinds.items() if names)
