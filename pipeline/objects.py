"""Objects of DVC's cache whose bytes are not what their name says.

DVC trusts an object that is read-only, and makes every object read-only. So one that a disk or a hand
has damaged is restored as it is, into the workspace and under the right hash. A run therefore hashes
what it is about to restore, which it reads anyway.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import plan
from pipeline.graph import open_repo


def remove_damaged(root: Path, stage: str) -> list[str]:
    """Remove what is damaged of the result that would be restored for `stage`; a line for each object."""
    with open_repo(root) as repo:
        entry = plan.cached_result(repo, stage)  # of equal inputs; else the last result
        node = next(node for node in repo.index.stages if node.cmd and node.name == stage)
        lines = []
        for out in (entry or node).outs:
            for path, name in _objects(repo, out):
                if _is_damaged(path):
                    path.unlink()
                    lines.append(f"the cache's copy of {name} was damaged: {path} is removed")
        return list(dict.fromkeys(lines))


def _objects(repo: Any, out: Any) -> Iterator[tuple[Path, str]]:
    """The objects of an output and the paths that they are copies of; of a folder its list comes first."""
    if not out.hash_info or out.hash_info.name != "md5":
        return
    path = Path(repo.cache.local.oid_to_path(out.hash_info.value))
    yield path, out.def_path
    if out.hash_info.isdir and path.is_file():
        for item in json.loads(path.read_bytes()):
            yield Path(repo.cache.local.oid_to_path(item["md5"])), f"{out.def_path}/{item['relpath']}"


def _is_damaged(path: Path) -> bool:
    """Whether DVC would trust it without reason; one that can be written it hashes itself."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) != 0o444:
                return False
            return hashlib.file_digest(file, "md5").hexdigest() != f"{path.parent.name}{path.name}"[:32]
    except FileNotFoundError:
        return False
