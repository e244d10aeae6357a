"""One run, read where it lies: the workspace as it is, or a revision's files in git and DVC's cache.

Nothing is checked out and nothing in the workspace changes. A run is called by a git revision, by its
name (its branch is wsss/run/NAME), or `workspace`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.memory import cached
from pipeline.project import git, safe
from pipeline.project.root import read_text
from pipeline.project.tables import Table, parse_csv
from stages.common import stamps
from stages.common.params import parse_yaml, value_of

WORKSPACE = "workspace"
TEMPLATE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Snapshot:
    """A run's parameters, the entries of its dvc.lock by stage, and the way to its files."""

    root: Path  # the project whose git and cache are read
    name: str  # as it was asked for
    commit: str | None  # None: the workspace
    params: dict[str, Any]
    lock: dict[str, Any]  # empty where nothing was ever run
    problems: list[str] = field(default_factory=list)  # why something could not be had, so far

    def text(self, path: str) -> str | None:
        """A small file: of the workspace, or as git keeps it, or from the cache; None if it is nowhere."""
        if self.commit is None:
            return _read(self.root / path)
        kept = _show(self.root, self.commit, path)
        if kept is not None:
            return kept
        found = self.files([path]).get(path)
        return None if found is None else found.read_text()

    def table(self, path: str) -> Table:
        """The rows of a CSV; none if it is nowhere."""
        return parse_csv(self.text(path) or "")

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Small files byte by byte, of the workspace or as git keeps them; left out is what is not there."""
        if self.commit is not None:
            return git.contents(self.root, self.commit, paths)
        files = {path: self.root / path for path in paths}
        return {path: file.read_bytes() for path, file in files.items() if file.is_file()}

    def reader(self) -> stamps.Read:
        """The files of code, of the workspace or as git keeps them."""
        if self.commit is None:
            return stamps.reader(self.root)
        return git.reader(self.root, self.commit)

    def kept(self, value: str) -> str | None:
        """The text of a small object of DVC's cache; None if it cannot be had."""
        place = self._bring([value]).get(value)
        return place.read_text(errors="replace") if place else None

    def listed(self, value: str) -> dict[str, str]:
        """The hashes of a folder's files by their paths in it; none where DVC's cache lacks the list."""
        place = cached.there(self.root, [value]).get(value)
        return cached.listing(place, f"dvc.lock of {self.name}") if place else {}

    def stages(self) -> dict[str, Any]:
        """The stages as dvc.yaml writes them; none where it cannot be read."""
        try:
            values = _load(self.text("dvc.yaml") or "", "dvc.yaml").get("stages")
        except ValueError:
            return {}
        return values if isinstance(values, dict) else {}

    def files(self, paths: Iterable[str]) -> dict[str, Path]:
        """Where files lie, for reading only; what the cache lacks is fetched. Left out is what is nowhere."""
        if self.commit is None:
            return {path: self.root / path for path in paths if (self.root / path).is_file()}
        known = self._hashes({out: value for path in paths for out, value in self._outs(path)})
        hashes = {path: known[path] for path in paths if path in known}
        places = self._bring(hashes.values())
        return {path: places[value] for path, value in hashes.items() if value in places}

    def inside(self, folder: str) -> list[str]:
        """The paths of all files of an output, or of a folder in one, sorted."""
        if self.commit is None:
            found = [entry for entry in (self.root / folder).rglob("*") if entry.is_file()]
            return sorted(entry.relative_to(self.root).as_posix() for entry in found)
        known = self._hashes(dict(self._outs(folder)))
        return sorted(path for path in known if path.startswith(f"{folder}/"))

    def hash(self, path: str) -> str | None:
        """The hash of an output as dvc.lock has it."""
        return next((value for out, value in self._outs(path) if out == path), None)

    def maker(self, path: str) -> str | None:
        """The stage that made an output."""
        return next((name for name, entry in self.lock.items() if path in hashes(entry, "outs")), None)

    def _outs(self, path: str) -> list[tuple[str, str]]:
        """The outputs that `path` is or lies in, with their hashes."""
        return [
            (out, value)
            for entry in self.lock.values()
            for out, value in hashes(entry, "outs").items()
            if path == out or path.startswith(f"{out}/")
        ]

    def _hashes(self, outs: dict[str, str]) -> dict[str, str]:
        """The hashes of outputs that are files, and of all files in those that are folders."""
        folders = {out: value for out, value in outs.items() if value.endswith(".dir")}
        places = self._bring(folders.values())
        found = {out: value for out, value in outs.items() if out not in folders}
        for out, value in folders.items():
            files = cached.listing(places[value], f"{out} of {self.name}") if value in places else {}
            found |= {f"{out}/{path}": hash for path, hash in files.items()}
        return found

    def _bring(self, values: Iterable[str]) -> dict[str, Path]:
        wanted = [safe.oid(value, f"dvc.lock of {self.name}") for value in values if value]
        places, problem = cached.bring(self.root, wanted) if wanted else ({}, "")
        if problem and problem not in self.problems:
            self.problems.append(problem)
        return places


def digest(content: bytes) -> str:
    """As dvc.lock names a file's content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def hashes(entry: dict[str, Any], what: str) -> dict[str, str]:
    """The hashes of an entry's `deps` or `outs` by path; "" where dvc.lock has none."""
    return {item["path"]: str(item.get(item.get("hash", "md5"), "")) for item in entry.get(what) or ()}


def open_run(root: Path, name: str) -> Snapshot:
    """The run that `name` means. ValueError if git knows none, or has no params.yaml there.

    A run goes before a revision of the same name; a revision where nothing was run has an empty lock.
    """
    commit = None if name == WORKSPACE else _commit(root, name)
    params, lock = (
        _read(root / path) if commit is None else _show(root, commit, path)
        for path in ("params.yaml", "dvc.lock")
    )
    if params is None:
        raise ValueError(f"{name} has no params.yaml: it is no revision of this project")
    stages = _load(lock, f"dvc.lock of {name}").get("stages") if lock else None
    lock_of = safe.lock(stages or {}, f"dvc.lock of {name}")
    run = Snapshot(root, name, commit, _load(params, f"params.yaml of {name}"), lock_of)
    return replace(run, lock=_of_recipe(run))


def _of_recipe(run: Snapshot) -> dict[str, Any]:
    """The entries of stages that dvc.yaml has, for DVC keeps those of stages that are gone; else all."""
    known: set[str] = set()
    for name, entry in (stages := run.stages()).items():
        each = resolved(entry.get("foreach"), run.params) if isinstance(entry, dict) else None
        if isinstance(each, dict | list):
            known |= {f"{name}@{key}" for key in each}
        else:  # one of DVC's own ways to make many of one counts as a whole
            known |= {stage for stage in run.lock if stage.partition("@")[0] == name}
    return {name: entry for name, entry in run.lock.items() if name in known} if stages else run.lock


def resolved(each: Any, params: Mapping[str, Any]) -> Any:
    """What a foreach goes over, where dvc.yaml leaves that to params.yaml: `${evaluation.rungs}`."""
    match = TEMPLATE.fullmatch(each) if isinstance(each, str) else None
    try:
        return value_of(params, match[1]) if match else each
    except ValueError:
        return None


def runs_of(root: Path, name: str) -> list[str]:
    """The runs that a name stands for: those of a point's seeds (NAME-s0, NAME-s1, ...), else itself."""
    seeds = [
        (int(match[1]), run)
        for run in git.branches(root)
        if (match := re.fullmatch(rf"{re.escape(name)}-s(\d+)", run))
    ]
    return [run for _, run in sorted(seeds)] or [name]


def _commit(root: Path, name: str) -> str:
    runs = git.branches(root)
    if name in runs:
        return git.resolve(root, f"refs/heads/{git.BRANCH}{name}")
    try:
        return git.resolve(root, name)
    except ValueError as error:
        known = f"; runs: {', '.join(runs)}" if runs else ""
        raise ValueError(f"{error}, and there is no run of that name{known}") from None


def _show(root: Path, commit: str, path: str) -> str | None:
    try:
        return git.run(root, "show", f"{commit}:./{path}") + "\n"
    except ValueError:
        return None


def _read(path: Path) -> str | None:
    try:
        return read_text(path, path.name)
    except FileNotFoundError:
        return None


def _load(text: str, where: str) -> dict[str, Any]:
    try:
        values = parse_yaml(text, where)
    except ValueError as error:
        raise ValueError(" ".join(str(error).split())) from None
    if not isinstance(values, dict):
        raise ValueError(f"{where} holds no sections")
    return values
