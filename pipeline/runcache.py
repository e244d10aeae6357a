"""DVC's run cache, read only: which outputs once came out of which inputs, and whether they are there.

An entry lies under a key of the command, the inputs' hashes, the parameters and the outputs' names.
"""

import contextlib
from functools import cached_property
from pathlib import Path
from typing import Any

from stages.common.params import parse_yaml


class RunCache:
    def __init__(self, repo: Any) -> None:
        self.repo = repo

    def key(self, node: Any) -> str:
        """The key of a stage whose dependencies hold the hashes and parameters of now."""
        from dvc.stage.cache import _get_cache_hash
        from dvc.stage.serialize import to_single_stage_lockfile

        return str(_get_cache_hash(to_single_stage_lockfile(node), key=True))

    def newest(self, node: Any, key: str) -> Any:
        """The newest entry of a key, as a stage like `node`; None if there is none."""
        cache = self.repo.stage_cache
        folder = Path(cache._get_cache_dir(key))
        files = sorted(folder.iterdir(), key=lambda f: f.stat().st_mtime) if folder.is_dir() else []
        entry = cache._load_cache(key, files[-1].name) if files else None
        return _as_stage(node, entry) if entry and entry.get("outs") else None  # else half of it is there

    def last(self, node: Any) -> Any:
        """The entry of dvc.lock, whose outputs the cache has (those that git keeps too: runs save them)."""
        from dvc.stage.serialize import to_single_stage_lockfile

        return _as_stage(node, to_single_stage_lockfile(node))

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


def is_kept(node: Any) -> bool:
    """Whether DVC keeps the stage's results in the run cache."""
    outs = all(out.protocol == "local" and out.is_in_repo and not out.persist for out in node.outs)
    deps = all(dep.protocol == "local" for dep in node.deps)
    return bool(node.deps and node.outs and outs and deps and not always_runs(node))


def always_runs(node: Any) -> bool:
    return bool(node.always_changed or node.is_callback)


def _as_stage(node: Any, entry: Any) -> Any:
    """An entry of dvc.lock or the run cache as a stage. DVC's own way needs the root as cwd."""
    from dvc.stage import PipelineStage, create_stage
    from dvc.stage.loader import StageLoader

    outs = [out["path"] for out in entry["outs"]]
    stage = create_stage(PipelineStage, node.repo, node.path, cmd=entry["cmd"], wdir=node.wdir, outs=outs)
    StageLoader.fill_from_lock(stage, entry)
    return stage


def _agrees(text: str, node: Any, known: dict[str, Any]) -> bool:
    from dvc.dependency import ParamsDependency

    try:
        entry = parse_yaml(text, "a row of the run cache")
        hashes = {dep["path"]: dep.get("md5") for dep in entry.get("deps", ())}
        outs = {out["path"] for out in entry["outs"]}
        params = entry.get("params", {})
    except (ValueError, TypeError, KeyError, AttributeError):  # half written
        return False
    files = [dep for dep in node.deps if not isinstance(dep, ParamsDependency)]
    wanted = {dep.def_path: dep.hash_info.value for dep in node.deps if isinstance(dep, ParamsDependency)}
    return bool(
        entry["cmd"] == node.cmd
        and hashes.keys() == {dep.def_path for dep in files}
        and all(hashes[path] == info.value for path, info in known.items())
        and params == wanted
        and outs == {out.def_path for out in node.outs}
    )
