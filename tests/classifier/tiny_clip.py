"""A CLIP of two blocks a tower that tests share: open_clip's own code, random weights."""

import json
from typing import Any

import open_clip
import torch

CONFIG = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 24, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}
NAME = "tiny-clip"
ENCODER: dict[str, Any] = {
    "name": f"clip-{NAME}", "output_stride": 8, "weights": {"source": "none", "name": "", "sha256": ""},
    "mean": [0.5] * 3, "std": [0.5] * 3, "freeze": [], "batch_norm": "train",
}  # fmt: skip


def install(folder) -> None:
    """open_clip knows the model by its name."""
    (folder / f"{NAME}.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder / f"{NAME}.json")


def model(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return open_clip.create_model(NAME).eval()
