"""The folder of one training's curve: logs/KIND/RUN/STAGE/N, N being the number of the training.

A training that goes on, whichever run it does, goes on in the folder where it began, and one that begins
again gets a new one beside it. Which is which follows from the epoch that is told first, and from the key of
the stage's inputs, which the folder keeps in training.json with the last epoch.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pipeline.project.root import write_whole

WORKSPACE = "workspace"  # the run of the checkout itself: so does DVC call it
STATE = "training.json"


@dataclass
class Curve:
    """One training as it is written down."""

    folder: Path
    key: str
    id: str
    epoch: int = 0  # the last one that is written; 0: none

    @property
    def run(self) -> str:
        return self.folder.parts[-3]

    @property
    def stage(self) -> str:
        """And which of its networks, where it trains more than one."""
        return self.folder.parts[-2]

    @property
    def name(self) -> str:
        return "/".join(self.folder.parts[-3:])

    def note(self, epoch: int) -> None:
        self.epoch = epoch
        state = {"key": self.key, "id": self.id, "epoch": epoch}
        write_whole(self.folder / STATE, json.dumps(state) + "\n")


class Writer(Protocol):
    """What writes one kind of log; made with a curve and the first epoch that it will hear of."""

    def write(self, epoch: int, numbers: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


def key(inputs: Mapping[str, Any]) -> str:
    """Equal where a stage's command, parameters and the hashes of what it reads are."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()


def find(place: Path, run: str, name: str, key: str, epoch: int) -> Curve:
    """Where a training of these inputs that tells `epoch` first goes on; a new folder for one that begins.

    An epoch that was told before the last one means that the training began again.
    """
    states = sorted(place.glob(f"*/{name}/*/{STATE}"), key=lambda file: file.stat().st_mtime)
    known = [curve for file in states if (curve := _read(file)).key == key]
    if known and epoch >= known[-1].epoch:
        return known[-1]
    taken = [int(folder.name) for folder in (place / run / name).glob("*") if folder.name.isdecimal()]
    folder = place / run / name / str(max(taken, default=0) + 1)
    folder.mkdir(parents=True)
    return Curve(folder, key, uuid.uuid4().hex)


def _read(file: Path) -> Curve:
    """A curve of no inputs for a file that cannot be understood."""
    nothing = Curve(file.parent, "", "")
    try:
        state = json.loads(file.read_text())
        return replace(nothing, key=str(state["key"]), id=str(state["id"]), epoch=int(state["epoch"]))
    except (ValueError, TypeError, KeyError):
        return nothing


def run_of(root: Path, main: Path) -> str:
    """The name of a run by its worktree, which is named as the run, or as the run of a sweep."""
    if root.resolve() == main.resolve():
        return WORKSPACE
    inside = root.resolve()
    place = (main / ".worktrees").resolve()
    return inside.relative_to(place).parts[0] if inside.is_relative_to(place) else plain(inside.name)


def name(stage: str, step: str) -> str:
    """Of a stage's training: the stage, and what the step is called beyond it: segmenter, segmenter_edges."""
    for known in (stage, stage.partition("@")[0]):
        if step.startswith(known):
            return plain(stage + step.removeprefix(known))
    return plain(f"{stage}.{step}")


def plain(text: str) -> str:
    """As the name of one folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-") or "_"
