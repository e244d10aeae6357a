"""Saving a trained network: weights as safetensors beside a config.json and its training curve."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from stages.common.artifacts import csv_text, output_folder, read_json, write_json

History = list[dict[str, float]]  # one row an epoch


def save_network(out: Path, model: nn.Module, config: dict[str, Any], history: History) -> None:
    """weights.safetensors, config.json (what rebuilds the network) and history.csv, or nothing."""
    with output_folder(out) as folder:
        write_network(folder, model, config, history)


def write_network(folder: Path, model: nn.Module, config: dict[str, Any], history: History) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    (folder / "weights.safetensors").write_bytes(save(tensors))
    write_json(folder / "config.json", config)
    (folder / "history.csv").write_text(history_csv(history))


def history_csv(history: History) -> str:
    """One row an epoch, six significant digits."""
    rows = [{name: f"{value:.6g}" for name, value in row.items()} for row in history]
    return csv_text([list(history[0]), *(list(row.values()) for row in rows)])


def read_config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = read_json(folder / "config.json")
    return config


def load_into(model: nn.Module, folder: Path) -> nn.Module:
    """The saved weights, in eval mode without gradients, in the faster memory layout."""
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
