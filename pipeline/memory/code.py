"""The stamps of the code: what the stage `code` will write into data/code, worked out as it does."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.memory.files import Found
from stages.common import stamps
from stages.common.params import ParameterError


class Code:
    """The code of the project of a DVC repository, as it is now."""

    def __init__(self, repo: Any) -> None:
        self.repo, self.root = repo, Path(repo.root_dir)

    @cached_property
    def texts(self) -> dict[str, str]:
        """The stamp of each step by its path; none where params.yaml cannot be read."""
        try:
            found = stamps.all_of(self.root)
        except ParameterError:
            return {}
        return {str(self.root / stamps.FOLDER / step): text for step, text in found.items()}

    def outputs(self) -> dict[str, Found]:
        """What will lie in data/code and at data/nothing, by absolute path."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.meta import Meta

        nothing = {str(self.root / stamps.NOTHING): stamps.EMPTY}
        return {
            path: Found(HashInfo("md5", _md5(text.encode())), Meta(size=len(text.encode())))
            for path, text in {**self.texts, **nothing}.items()
        }

    def changes(self, dep: Any, before: Any) -> list[str]:
        """What changed in the code of a stamp since the one with the hash `before`, in words; none if it
        is no stamp, or if the cache lacks the old one."""
        if not before or Path(dep.fs_path).parent != self.root / stamps.FOLDER:
            return []
        now, old = self.texts.get(dep.fs_path), Path(self.repo.cache.local.oid_to_path(before.value))
        if now is None or not old.is_file():
            return []
        return list(stamps.differences(old.read_text(errors="replace"), now))


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
