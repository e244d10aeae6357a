"""A small segmenter that nobody trained: for tests of what is done with one."""

from pathlib import Path
from typing import Any

import torch

from stages.common.networks import store
from stages.segmenter.network import rebuild_segmenter

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
CONFIG: dict[str, Any] = {
    "classes": ["background", "cat", "dog"],
    "network": "unet",
    "options": {"decoder_channels": [16, 8, 8, 8, 8]},
    "encoder": {
        "name": "small", "output_stride": 32, "weights": {"source": "none", "name": "", "sha256": ""},
        "mean": MEAN, "std": STD, "freeze": [], "batch_norm": "train",
    },
}  # fmt: skip


def save_segmenter(folder: Path) -> None:
    """Seeded weights, the head's bias such that every class wins somewhere."""
    torch.manual_seed(0)
    model = rebuild_segmenter(CONFIG).eval()
    with torch.no_grad():
        model.segmentation_head[0].bias -= model(torch.randn(4, 3, 64, 64)).mean((0, 2, 3))
    store.save_network(folder, model, CONFIG, [{"loss": 1.0}])
