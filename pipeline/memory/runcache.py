"""DVC's run cache: which outputs once came out of which inputs, and whether they are there.

An entry lies under a key of the command, the inputs' hashes, the parameters and the outputs' names.
"""

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.memory.graph import nodes, open_repo
from stages.common.params import parse_yaml


class RunCache:
    def __init__(self, repo: Any) -> None:
        self.repo = repo

    def key(self, node: Any) -> str:
        """The key of a stage whose dependencies hold the hashes and parameters of now."""
        return key_of(lock_entry(node))

    def newest(self, node: Any, key: str) -> dict[str, Any] | None:
        """The newest entry of a key whose outputs are all cached; None if none is."""
        return next((entry for entry in self.entries(key) if as_stage(node, entry).outs_cached()), None)

    def entries(self, key: str) -> Iterator[dict[str, Any]]:
        """The entries of a key, the newest first: what dvc.lock would say of a stage."""
        for file in self._files(key):
            entry = self.repo.stage_cache._load_cache(key, file.name)
            if entry and entry.get("outs"):  # else half of it is there
                yield entry

    def _files(self, key: str) -> list[Path]:
        folder = Path(self.repo.stage_cache._get_cache_dir(key))
        files = folder.iterdir() if folder.is_dir() else ()
        return sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)

    def last(self, node: Any) -> Any:
        """The entry of dvc.lock, whose outputs the cache has (those that git keeps too: runs save them)."""
        return as_stage(node, lock_entry(node))

    def may_have(self, node: Any, known: dict[str, Any]) -> bool:
        """Whether some entry agrees with all that is known of the stage's inputs: hashes by path."""
        hashes = [str(info.value) for info in known.values()]
        texts = (text for text in self._texts if all(value in text for value in hashes))
        return any(_agrees(text, node, known) for text in texts)  # few: to parse one takes milliseconds

    @cached_property
    def _texts(self) -> list[str]:
        texts = []
        for file in Path(self.repo.stage_cache.cache_dir).glob("*/*/*"):
            with contextlib.suppress(FileNotFoundError):  # a run beside this one has just renamed it
                texts.append(file.read_text(errors="replace"))
        return texts


def lock_entry(node: Any) -> dict[str, Any]:
    """What dvc.lock would say of a stage as it is now."""
    from dvc.stage.serialize import to_single_stage_lockfile

    entry: dict[str, Any] = to_single_stage_lockfile(node)
    return entry


def save(root: Path, stage: str) -> None:
    """Let the run cache have a result of which git keeps an output that is no metric or plot.

    DVC leaves such a result out, and in a clone its stage would always run.
    """
    with open_repo(root) as repo:
        node = nodes(repo).get(stage)
        if node and is_kept(node) and not any(out.changed_checksum() for out in node.outs):
            cache = repo.stage_cache
            cache._create_stage = lambda entry, wdir: as_stage(node, entry)  # its own needs the root as cwd
            cache.save(node)


def by_git(node: Any) -> bool:
    """Whether git keeps an output that is no metric or plot."""
    return any(not (out.use_cache or out.metric or out.plot) for out in node.outs)


def forget(repo: Any, entry: Mapping[str, Any]) -> None:
    """Remove an entry of dvc.lock from the run cache."""
    cache = repo.stage_cache
    key = key_of(dict(entry))
    folder = Path(cache._get_cache_dir(key))
    for file in folder.iterdir() if folder.is_dir() else ():
        found = cache._load_cache(key, file.name)
        if found is None or hashes(found) == hashes(entry):
            file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # there was none, or entries are left; DVC fails on an empty one
        folder.rmdir()


def written(repo: Any, then: float) -> Iterator[tuple[dict[str, Any], float]]:
    """The entries that were written since a time of the clock, and when."""
    for file in Path(repo.stage_cache.cache_dir).glob("*/*/*"):
        with contextlib.suppress(FileNotFoundError):  # a run beside this one has just renamed it
            when = file.stat().st_mtime
            if when >= then and (entry := _loaded(file.read_text(errors="replace"))):
                yield entry, when


def hashes(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The hashes of an entry's outputs, by path."""
    return {out["path"]: out.get("md5") for out in entry.get("outs") or ()}


def is_kept(node: Any) -> bool:
    """Whether DVC keeps the stage's results in the run cache."""
    outs = all(out.protocol == "local" and out.is_in_repo and not out.persist for out in node.outs)
    deps = all(dep.protocol == "local" for dep in node.deps)
    return bool(node.deps and node.outs and outs and deps and not always_runs(node))


def always_runs(node: Any) -> bool:
    return bool(node.always_changed or node.is_callback)


def key_of(entry: dict[str, Any]) -> str:
    """The key of an entry: outputs count by their names only."""
    from dvc.stage.cache import _get_cache_hash

    return str(_get_cache_hash(dict(entry), key=True))


def as_stage(node: Any, entry: Any) -> Any:
    """An entry of dvc.lock or the run cache as a stage. DVC's own way needs the root as cwd."""
    from dvc.stage import PipelineStage, create_stage
    from dvc.stage.loader import StageLoader

    outs = [out["path"] for out in entry["outs"]]
    stage = create_stage(PipelineStage, node.repo, node.path, cmd=entry["cmd"], wdir=node.wdir, outs=outs)
    StageLoader.fill_from_lock(stage, entry)
    return stage


def _agrees(text: str, node: Any, known: dict[str, Any]) -> bool:
    from dvc.dependency import ParamsDependency

    entry = _loaded(text)
    if entry is None:
        return False
    try:
        found = {dep["path"]: dep.get("md5") for dep in entry.get("deps", ())}
        outs = {out["path"] for out in entry["outs"]}
        params = entry.get("params", {})
    except (TypeError, KeyError, AttributeError):  # half written
        return False
    files = [dep for dep in node.deps if not isinstance(dep, ParamsDependency)]
    wanted = {dep.def_path: dep.hash_info.value for dep in node.deps if isinstance(dep, ParamsDependency)}
    return bool(
        entry["cmd"] == node.cmd
        and found.keys() == {dep.def_path for dep in files}
        and all(found[path] == info.value for path, info in known.items())
        and params == wanted
        and outs == {out.def_path for out in node.outs}
    )


def _loaded(text: str) -> dict[str, Any] | None:
    """The text of an entry; None for half of one."""
    try:
        entry = parse_yaml(text, "a row of the run cache")
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and entry.get("outs") else None
