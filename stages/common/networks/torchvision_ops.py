"""Lets torchvision be imported beside a build of torch that its compiled operators do not match.

Where a CPU build of torch meets the package index's torchvision, `import torchvision` (and so timm,
segmentation_models_pytorch, torchmetrics and lightning) raises "operator torchvision::nms does not
exist": the extension did not load, and the Python side then describes an operator that is not there.
Declaring the two operators' signatures is enough: models and transforms work, boxes do not.

`install()` imports nothing: it waits for the import of torchvision. Where the build matches it only
loads the extension that torchvision would load itself.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

_kept: list[Any] = []  # a Library that is collected takes its declarations with it


class _Finder(MetaPathFinder):
    """Gives torchvision, and nothing else, the loader below."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "torchvision":
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        _provide_operators(Path(self.path).parent)
        super().exec_module(module)


def install() -> None:
    """Call before anything imports torchvision; twice does no harm."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _provide_operators(folder: Path) -> None:
    import torch

    try:
        for extension in (*folder.glob("_C*.so"), *folder.glob("_C*.pyd")):
            torch.ops.load_library(extension)
            return
    except OSError:
        pass  # built for another torch
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(name + SCHEMA)
    _kept.append(library)
