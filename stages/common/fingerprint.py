"""Keys of stored work: what a result was made from, the code and the libraries included.

A result keyed without its code is reused after the code was edited; without the versions, after
an upgrade. Both gave stale masks once, so both are in every key.
"""

import hashlib
import json
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from stages.common import stamps

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("numpy", "scipy", "opencv-python", "opencv-python-headless", "pydensecrf2", "torch",
             "scikit-image", "segmentation_models_pytorch", "timm")  # fmt: skip


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_hash(*modules: str) -> str:
    """Hash of the statements that `modules` run (schemas aside) and of the libraries' versions.

    A module whose name is put together at run time is not found: pass it too.
    """
    digest, read = hashlib.sha256(), stamps.reader(ROOT)
    for path in stamps.closure(list(modules), {}, read):
        if not stamps.is_schema(path):
            digest.update(f"{path} {stamps.digest(read(path) or b'')}\n".encode())
    for name in LIBRARIES:
        digest.update(f"{name} {version(name)}\n".encode())
    return digest.hexdigest()


def version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:  # say, opencv-python in place of -headless
        return "-"


def key(*parts: Any) -> str:
    """A short hexadecimal key of JSON-able parts."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
