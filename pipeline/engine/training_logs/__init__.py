"""Training logs, where WSSS_LOGS asks for them: each epoch of each training for TensorBoard, DVC or W&B.

A stage tells the engine of each epoch (stages/common/progress.py), whatever runs it: `wsss run`, a run of a
sweep, a flow, a worker. Here a listener writes that down as well, so no stage knows of it, and no result or
key of the cache depends on it. A fault of a log never stops a training.
"""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.engine.training_logs import curves
from pipeline.engine.training_logs.curves import Curve, Writer
from pipeline.project import git
from pipeline.project.outcomes import Listener

VARIABLE = "WSSS_LOGS"
FOLDER = "logs"  # in the project of the main worktree: those of runs go with their run
PACKAGES = {"tensorboard": "tensorboard", "dvclive": None, "wandb": "wandb"}  # what writes each kind
INSTALL = 'pip install -c constraints.txt -e ".[{}]"'  # the extra is named as the kind


def asked() -> str:
    """The kind that WSSS_LOGS names, "" for none. ValueError for what is none, or cannot be written here."""
    kind = os.environ.get(VARIABLE, "")
    if kind and kind not in PACKAGES:
        raise ValueError(f"{VARIABLE}={kind}: give one of {', '.join(PACKAGES)}, or unset it")
    package = PACKAGES.get(kind)
    if package and not _is_installed(package):
        raise ValueError(f"{VARIABLE}={kind} needs {package}: {INSTALL.format(kind)}, or unset it")
    return kind


def _is_installed(package: str) -> bool:
    """Not by a folder of that name alone: W&B leaves one where it is used."""
    found = find_spec(package)
    return found is not None and found.origin is not None


def check() -> None:
    """Before anything runs: all that `asked` refuses, and a W&B without a key."""
    if asked() == "wandb":
        from pipeline.engine.training_logs import wandb

        wandb.log_in()


@contextmanager
def told(
    root: Path, run: str, stage: str, inputs: Mapping[str, Any], listener: Listener
) -> Iterator[Listener]:
    """Who hears of a stage at work: `listener`, and the logs of its trainings where they are asked for.

    `run` names the run; without, the worktree `root` does. `inputs` are what the stage's result hangs on.
    """
    kind = asked()
    if not kind:
        yield listener
        return
    logs = Logs(root, kind, run, stage, curves.key(inputs), listener)
    try:
        yield logs
    finally:
        logs.close()


class Logs:
    """A listener that passes on all it hears, and writes down the epochs of one stage at work."""

    def __init__(self, root: Path, kind: str, run: str, stage: str, key: str, listener: Listener) -> None:
        self.root, self.kind, self.run, self.stage, self.key = root, kind, run, stage, key
        self.listener = listener
        self.open: dict[str, tuple[Curve, Writer]] = {}  # by step: a stage may train more than one network
        self.at_fault = False

    def line(self, stage: str, text: str) -> None:
        self.listener.line(stage, text)

    def progress(self, stage: str, what: str, done: int, total: int) -> None:
        self.listener.progress(stage, what, done, total)

    def epoch(self, stage: str, values: dict[str, Any]) -> None:
        self.listener.epoch(stage, values)
        epoch, step = values.get("epoch"), str(values.get("step") or stage)
        numbers = {name: float(value) for name, value in values.items() if _is_number(name, value)}
        if type(epoch) is int and epoch > 0 and numbers and not self.at_fault:
            self._try(lambda: self._write(step, epoch, numbers))

    def close(self) -> None:
        for _, writer in self.open.values():
            self._try(writer.close)

    def _write(self, step: str, epoch: int, numbers: Mapping[str, float]) -> None:
        if step not in self.open:
            self.open[step] = self._begin(step, epoch)
        curve, writer = self.open[step]
        if epoch > curve.epoch:  # or a run was stopped between telling it and saving it
            writer.write(epoch, numbers)
            curve.note(epoch)

    def _begin(self, step: str, epoch: int) -> tuple[Curve, Writer]:
        main = git.main_root(self.root)
        run = curves.plain(self.run) if self.run else curves.run_of(self.root, main)
        name = curves.name(self.stage, step)
        curve = curves.find(main / FOLDER / self.kind, run, name, self.key, epoch)
        module = importlib.import_module(f"{__name__}.{self.kind}")  # only now: its library takes its time
        writer: Writer = module.Writer(curve, max(epoch, curve.epoch + 1))
        return curve, writer

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # a full disk, another version of a library: the training goes on
            if not self.at_fault:
                why = f"{type(error).__name__}: {' '.join(str(error).split())}"
                self.listener.line(self.stage, f"{self.kind} hears no more of this training: {why}")
            self.at_fault = True


def _is_number(name: str, value: Any) -> bool:
    return name not in ("step", "epoch", "epochs") and type(value) in (int, float)
