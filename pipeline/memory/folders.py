"""The hash of a folder, known again by the look of its files.

DVC trusts a file that has the inode, size and time of its last look, and asks its database for each file
anew. Where all files of a folder have them, its hash is that of the last look too, and one line keeps it.
"""

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.project import places
from stages.common.artifacts import write_atomic


@dataclass(frozen=True)
class Found:
    """A file or folder."""

    hash: Any
    meta: Any  # DVC's: whether it is executable is a part of the run cache's key


class Stamp:
    """Digest of all that DVC's hash of a folder follows from: its files, and what DVC is told to ignore."""

    def __init__(self, root: str, path: str, hash_name: str) -> None:
        import dvc

        self._digest = hashlib.sha256(f"{dvc.__version__} {hash_name}\n".encode())
        above = [place for place in Path(path).parents if place.is_relative_to(root)]
        for ignores in (place / ".dvcignore" for place in above):
            if ignores.is_file():
                self._digest.update(b"%s\0%s\0" % (os.fsencode(ignores), ignores.read_bytes()))

    def add(self, name: str, seen: os.stat_result) -> None:
        row = f"\0{seen.st_mode} {seen.st_ino} {seen.st_size} {seen.st_mtime_ns}\n"
        self._digest.update(os.fsencode(name) + row.encode())

    def __str__(self) -> str:
        return self._digest.hexdigest()


class Folders:
    """The lines, of this worktree alone. One that is lost or damaged costs a look by DVC."""

    def __init__(self, root: str) -> None:
        self._place = places.state(Path(root)) / "folders.json"

    def get(self, path: str, stamp: Stamp) -> Found | None:
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.meta import Meta

        with contextlib.suppress(KeyError, TypeError, ValueError):  # none, or a damaged one
            row = self._rows[path]
            if row["stamp"] == str(stamp):
                meta = Meta(isdir=True, size=int(row["size"]), nfiles=int(row["nfiles"]))
                return Found(HashInfo(str(row["name"]), str(row["hash"])), meta)
        return None

    def put(self, path: str, stamp: Stamp, found: Found) -> None:
        self._rows[path] = {
            "stamp": str(stamp), "name": found.hash.name, "hash": found.hash.value,
            "size": found.meta.size, "nfiles": found.meta.nfiles,
        }  # fmt: skip
        with contextlib.suppress(OSError):  # a plan can be made where nothing may be written
            write_atomic(self._place, json.dumps(self._rows, indent=1))

    @cached_property
    def _rows(self) -> dict[str, Any]:
        try:
            rows = json.loads(self._place.read_text())
        except (OSError, ValueError):
            return {}
        return rows if isinstance(rows, dict) else {}
