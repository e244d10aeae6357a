"""What lies at a path of the workspace, and what a run will find there, as far as anybody knows.

Every path is hashed once, with DVC's own memory of hashes (a file that has the size, time and inode of
the last look is not read again), and a folder that did not change not even that: see `folders`.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.memory.folders import Folders, Found, Stamp
from pipeline.project import walk


@dataclass(frozen=True)
class _Output:
    maker: str  # the stage
    found: Found | None  # after the run; None if nobody knows
    there: bool  # already


class Files:
    def __init__(self, repo: Any) -> None:
        self.repo = repo
        self._folders = Folders(repo.root_dir)
        self._outputs: dict[str, _Output] = {}  # by absolute path
        self._now: dict[str, Found | None] = {}

    def tell(self, path: str, maker: str, found: Found | None, there: bool) -> None:
        """What a stage's output will be, None if nobody knows; whether it is so already."""
        self._outputs[path] = _Output(maker, found, there)

    def now(self, item: Any) -> Found | None:
        """What lies at an output or dependency of DVC's; None if nothing does."""
        path = item.fs_path
        if path not in self._now:
            self._now[path] = self._look(item) if item.exists else None
        return self._now[path]

    def _look(self, item: Any) -> Found:
        path = item.fs_path
        stamp = Stamp(self.repo.root_dir, path, item.hash_name)
        local = item.protocol == "local"
        for name, seen in walk.entries(path) if local else ():
            if (what := walk.kind(seen)) and not self.repo.dvcignore.is_ignored_file(name):
                raise ValueError(f"{name} is {what}, which has no end: remove it")
            stamp.add(name, seen)
        is_folder = local and os.path.isdir(path)
        known = self._folders.get(path, stamp) if is_folder else None
        if known:
            return known
        meta, info = item._get_hash_meta()
        if is_folder:
            self._folders.put(path, stamp, Found(info, meta))
        return Found(info, meta)

    def unknown(self, path: str) -> dict[str, None]:
        """Stages because of which nobody knows what a run will find at `path`."""
        return {
            self._outputs[out].maker: None
            for out in self._overlapping(path)
            if self._outputs[out].found is None
            or (out.startswith(f"{path}/") and not self._outputs[out].there)
        }

    def ahead(self, dep: Any) -> Found | None:
        """What a run will find at a dependency, where that is known; None if nothing will be there."""
        path = dep.fs_path
        for out in self._overlapping(path):
            output = self._outputs[out]
            if output.found is not None and out == path:
                return output.found
            if output.found is not None and not output.there:
                return self._part(output.found, path.removeprefix(f"{out}/"))
        return self.now(dep)

    def _overlapping(self, path: str) -> list[str]:
        """Outputs that `path` is, lies in or contains."""
        return [
            out
            for out in self._outputs
            if out == path or path.startswith(f"{out}/") or out.startswith(f"{path}/")
        ]

    def _part(self, folder: Found, path: str) -> Found | None:
        """What will lie in a folder that is to be restored."""
        from dvc_data.hashfile.meta import Meta
        from dvc_data.hashfile.tree import Tree

        cache: Any = self.repo.cache.local
        parts: Any = Path(path).parts
        tree = Tree.load(cache, folder.hash)
        file = tree.get(parts)
        if file:
            return Found(file[1], file[0])
        part = tree.get_obj(cache, parts)
        return Found(part.hash_info, Meta(isdir=True)) if part else None


def written_now(folder: Path) -> set[str]:
    """Paths that a dvc is writing now, by its own record of them in .dvc/tmp/rwlock."""
    import psutil

    try:
        written = json.loads((folder / "rwlock").read_text())["write"]
        return {path for path, writer in written.items() if psutil.pid_exists(writer["pid"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none, or half written
        return set()
