"""The outputs of a stage that failed: as they were before.

DVC removes a stage's outputs before it runs its command. Where the command then refuses its input, or is
ended, the last good result would be gone from the workspace, though the cache has it.
"""

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.memory.graph import open_repo


def put_back(root: Path, stage: str, paths: Collection[str]) -> list[str]:
    """Put those of `paths` that are gone back from the cache; returns the lines that say so."""
    with open_repo(root) as repo, repo.lock:
        gone = [out for out in _outs(repo, stage) if out.def_path in paths and not out.exists]
        back = [out.def_path for out in gone if _restored(repo, out)]
    lost = [out.def_path for out in gone if out.def_path not in back]
    lines = [f"{', '.join(back)}: put back from the cache, as before this try"] if back else []
    return lines + ([f"{', '.join(lost)}: removed by dvc, and the cache does not have it"] if lost else [])


def _outs(repo: Any, stage: str) -> list[Any]:
    """Those whose hash dvc.lock knows."""
    node = next((node for node in repo.index.stages if node.cmd and node.name == stage), None)
    return [out for out in node.outs if out.hash_info] if node else []


def _restored(repo: Any, out: Any) -> bool:
    """Metrics that git keeps are in the cache too, by the run cache, though DVC does not link them."""
    if out.use_cache:
        if out.changed_cache():
            return False
        out.checkout(force=True)
        return True
    place = Path(repo.cache.local.oid_to_path(out.hash_info.value))
    if not place.is_file() or out.hash_info.isdir:
        return False
    path = Path(out.fs_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    shutil.copyfile(place, partial)
    os.replace(partial, path)
    return True
