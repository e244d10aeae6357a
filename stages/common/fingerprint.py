"""Keys of stored work: what a result was made from, the code and the libraries included.

A result keyed without its code is reused after the code was edited; without the versions, after
an upgrade. Both gave stale masks once, so both are in every key.
"""

import ast
import hashlib
import json
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("numpy", "scipy", "opencv-python", "opencv-python-headless", "pydensecrf2", "torch",
             "segmentation_models_pytorch", "timm")  # fmt: skip


def closure(*modules: str, root: Path = ROOT) -> list[Path]:
    """The project's files that importing `modules` runs, their packages included, sorted.

    Static: imports inside functions count too, names built at run time do not (pass those).
    """
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        for file in _files(name, root) - found:
            found.add(file)
            waiting += _imports(file)
    return sorted(found)


def _files(module: str, root: Path) -> set[Path]:
    """The module's own file and the __init__ of each package above it."""
    parts = module.split(".")
    files = {root.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)}
    files.add(root.joinpath(*parts).with_suffix(".py"))
    return {file for file in files if file.is_file()}


def _imports(file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] in ("stages", "pipeline")]


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_schema(file: Path) -> bool:
    """Types, choices and ranges of parameters: they compute nothing, so a new method reruns nothing."""
    return file.name.endswith("params.py") and file != ROOT / "stages/common/params.py"


@cache
def code_hash(*modules: str) -> str:
    """Hash of the code that `modules` run (schemas aside) and of the libraries' versions."""
    digest = hashlib.sha256()
    for file in closure(*modules):
        if not is_schema(file):
            digest.update(f"{file.relative_to(ROOT)} {file_hash(file)}\n".encode())
    for name in LIBRARIES:
        digest.update(f"{name} {_version(name)}\n".encode())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:  # say, opencv-python in place of -headless
        return "-"


def key(*parts: Any) -> str:
    """A short hexadecimal key of JSON-able parts."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
