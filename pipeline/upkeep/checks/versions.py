"""Whether what is installed is what was tried together. Read from metadata, nothing is imported."""

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from pipeline.upkeep.checks import OK, PROBLEM, WARNING, Line

SHOWN = ("dvc", "prefect", "torch", "lightning", "numpy")
OPTIONAL = ("prefect",)  # all but the flow works without
INSTALL = 'pip install -c constraints.txt -e ".[dev]"'


def versions(root: Path) -> Iterator[Line]:
    """Against constraints.txt."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    shown = [f"{name} {found}" for name in SHOWN if (found := installed(name))]
    yield Line(OK, "versions", ", ".join([f"python {python}", *shown]))
    missing = [name for name in needed() if installed(name) is None]
    if missing:
        harmless = set(missing) <= set(OPTIONAL)
        yield Line(
            WARNING if harmless else PROBLEM, "versions", f"not installed: {', '.join(missing)}", INSTALL
        )
    different = [
        f"{pin.name} {found} (tried: {pin.specifier})"
        for pin in pins(root / "constraints.txt")
        if (found := installed(pin.name)) and not pin.specifier.contains(found, prereleases=True)
    ]
    if different:
        yield Line(WARNING, "versions", f"others than tried: {', '.join(different)}", INSTALL)
    if installed("opencv-python") and installed("opencv-python-headless"):
        both = "opencv-python and opencv-python-headless overwrite each other"
        again = "pip uninstall opencv-python opencv-python-headless, then " + INSTALL
        yield Line(WARNING, "versions", both, again)


def interpreter(root: Path) -> Iterator[Line]:
    """Stages are `python -m ...`: a plain `dvc repro` starts the first python of PATH."""
    mine = Path(sys.executable).parent
    first = shutil.which("python")
    if first and os.path.realpath(Path(first).parent) == os.path.realpath(mine):
        yield Line(OK, "python", f"{first} is the first in PATH")
        return
    text = f"the first python in PATH is {first or 'none'}, not {sys.executable}: `dvc repro` would use it"
    yield Line(WARNING, "python", text, f'`wsss run` is right; for `dvc`: export PATH="{mine}:$PATH"')


def pins(file: Path) -> list[Requirement]:
    """The lines of constraints.txt; none if there is no such file."""
    lines = file.read_text().splitlines() if file.is_file() else []
    return [Requirement(line) for text in lines if (line := text.partition("#")[0].strip())]


def needed() -> list[str]:
    """What the project itself asks for, without its extras."""
    try:
        lines = metadata.requires("wsss-pipeline") or []
    except metadata.PackageNotFoundError:
        return []
    found = [Requirement(line) for line in lines]
    return [one.name for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
