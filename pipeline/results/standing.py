"""Whether a stage's result belongs to what params.yaml, the code and dvc.lock say now.

It is asked of the entries of dvc.lock, from the stage up to all that it stems from: an entry names its
inputs by their hashes, and the entries above it what they gave. No output is hashed; files of code are,
they are small. `wsss plan` looks at the outputs as well.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from pipeline.memory import cached
from pipeline.results import declared, ends
from pipeline.results.diff import parting
from pipeline.results.snapshot import Snapshot, hashes
from stages.common import stamps

PARAMS, CODE, RESULT, OUTCOME = "params", "code", "result", "outcome"
DATASET = "dataset"  # the stage that makes pictures and masks


@dataclass(frozen=True)
class Fault:
    """Why a result is not of what is there now; `stage` is where that is."""

    kind: str
    stage: str
    text: str  # as in "seeds.method: cam -> vgatt"


def _is_wish(fault: Fault) -> bool:
    return fault.kind in (PARAMS, CODE)


class Standings:
    """The stages of one run. It reads each file of code once, and looks at each stage once."""

    def __init__(self, run: Snapshot) -> None:
        self.run, self.lock = run, run.lock
        self.makers = {out: name for name, entry in run.lock.items() for out in hashes(entry, "outs")}
        self.stages = run.stages()
        self.constant = {name for name, stage in self.stages.items() if declared.is_constant(stage)}
        self.bad = ends.read(run) if run.commit is None else {}
        self._code: dict[str, str] | None = None
        self._found: dict[str, list[Fault]] = {}  # by stage

    @cached_property
    def _read(self) -> stamps.Read:
        return self.run.reader()

    def above(self, stage: str) -> list[str]:
        """The stage and all that it stems from, the first of them first; checks are left out."""
        found: dict[str, None] = {}

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in found or name in path or name in self.constant:
                return
            for dep in hashes(self.lock.get(name, {}), "deps"):
                if not parting.is_stamp(dep) and (maker := self.maker(dep)) is not None:
                    visit(maker, (*path, name))
            found[name] = None

        visit(stage, ())
        return list(found)

    def maker(self, path: str) -> str | None:
        """The stage that made a path, or what it lies in."""
        found = self.makers.get(path)
        if found is None:
            found = next((name for out, name in self.makers.items() if path.startswith(f"{out}/")), None)
        return found

    def known(self, stage: str) -> str:
        """The stage that a name means: itself, or the one of a foreach that was run last."""
        members = [name for name in self.lock if name.partition("@")[0] == stage]
        return stage if stage in self.lock or not members else members[-1]

    def faults(self, stage: str) -> list[Fault]:
        """Empty where the stage's result is that of the present parameters, code and inputs."""
        if stage not in self.lock:
            return [Fault(RESULT, stage, f"{stage} was not run")]
        return [fault for name in self.above(stage) for fault in self._own(name)]

    def is_foreign(self, faults: list[Fault]) -> bool:
        """Whether the result is of other pictures."""
        pictures = self.above(DATASET) if DATASET in self.lock else []
        return any(fault.kind in (PARAMS, RESULT) and fault.stage in pictures for fault in faults)

    def changed(self) -> set[str]:
        """The stages whose parameters or code are no more what dvc.lock has."""
        return {name for name in self.lock if any(map(_is_wish, self._of_inputs(name)))}

    def _own(self, name: str) -> Iterator[Fault]:
        faults = self._of_inputs(name)
        yield from faults
        end = self.bad.get(name)
        # What failed for a change that was taken back says nothing of the result that is there.
        if end and not (end.changed and not any(map(_is_wish, faults))):
            yield Fault(OUTCOME, name, f"{name}: {end.outcome} in the last run")

    def _of_inputs(self, name: str) -> list[Fault]:
        if name not in self._found:
            self._found[name] = list(self._inputs(name))
        return self._found[name]

    def _inputs(self, name: str) -> Iterator[Fault]:
        entry = self.lock[name]
        for key, old, new in parting.not_run(self.run.params, {name: entry}):
            yield Fault(PARAMS, name, f"{key} was {_plain(old)}, is {_plain(new)}")
        for text in self._declared(name, entry):
            yield Fault(CODE, name, f"dvc.yaml, {name}: {text}")
        code = self._digests()
        for path, value in hashes(entry, "deps").items():
            if parting.is_stamp(path):
                yield from (Fault(CODE, name, text) for text in self._stamped(path, value))
                continue
            maker = self.maker(path)
            if maker in self.constant:
                continue
            if maker is not None:
                if self._made(maker, path) not in (value, None):
                    yield Fault(RESULT, maker, f"{path} was made anew")
            elif path in code and code[path] != value:
                yield Fault(CODE, name, f"{path} {'was changed' if code[path] else 'is gone'}")

    def _made(self, maker: str, path: str) -> str | None:
        """The hash of what a stage gave: an output, or a part of one, which only the output's list tells.

        None of a part whose list is not in the cache: then nothing says that it changed.
        """
        outs = hashes(self.lock[maker], "outs")
        if path in outs:
            return outs[path]
        out = next(out for out in outs if path.startswith(f"{out}/"))
        files = self.run.listed(outs[out]) if outs[out].endswith(".dir") else {}
        return cached.part(files, path.removeprefix(f"{out}/")) if files else None

    def _declared(self, name: str, entry: dict[str, Any]) -> Iterator[str]:
        """What dvc.yaml says of a stage, and its entry does not; nothing of templates that only DVC knows."""
        try:
            said = declared.of(self.stages, name, self.run.params)
        except ValueError:
            return
        if said.cmd != entry.get("cmd"):
            yield "the command changed"
        deps, keys = hashes(entry, "deps"), (entry.get("params") or {}).get("params.yaml") or {}
        yield from (f"{path} is read now" for path in said.deps if path not in deps)
        yield from (f"{key} is read now" for key in said.keys if key not in keys)

    def _stamped(self, path: str, value: str) -> Iterator[str]:
        """What changed in the code of a stamp that had the hash `value`."""
        now = stamps.stamp(PurePosixPath(path).name, self.run.params, self._read)
        if _md5(now.encode()) != value:
            before = self.run.kept(value)
            changes = stamps.differences(before, now) if before else iter([f"the code of {path} changed"])
            yield from changes

    def _digests(self) -> dict[str, str]:
        """The hashes of the files of code that entries name, as they are now; "" of one that is gone."""
        if self._code is None:
            paths = {
                item["path"]
                for entry in self.lock.values()
                for item in entry.get("deps") or ()
                if item.get("hash") == "md5" and _is_code(item["path"], str(item.get("md5")))
                if self.maker(item["path"]) is None
            }
            found = self.run.read(sorted(paths))
            self._code = {path: _md5(found[path]) if path in found else "" for path in paths}
        return self._code


def _is_code(path: str, value: str) -> bool:
    """Neither data, nor a folder, nor the file whose values are compared one by one."""
    return not path.startswith(("data/", "/", "..")) and path != "params.yaml" and not value.endswith(".dir")


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _plain(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
