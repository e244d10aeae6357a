"""Which clones use a cache that is not their own: `wsss prune` asks, for it knows results by their commits.

Each run notes its clone in the cache's folder users/. A clone that only ever ran plain `dvc` is not noted.
"""

import contextlib
import hashlib
import socket
from dataclasses import dataclass
from pathlib import Path

from pipeline.memory.graph import open_repo
from pipeline.project import git
from pipeline.project.root import write_whole


@dataclass(frozen=True)
class User:
    """A clone."""

    host: str
    root: Path
    note: Path  # the file that says so

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    def __str__(self) -> str:
        return str(self.root) if self.is_here else f"{self.host}:{self.root}"


def note(root: Path) -> None:
    """Note the clone of `root` as a user of its cache, unless the cache lies in it."""
    try:
        main = git.main_root(root).resolve()
    except ValueError:  # no git, and so no clone
        return
    with open_repo(root) as repo:
        cache = Path(repo.cache.local_cache_dir).resolve()
    if cache.is_relative_to(main):
        return
    text = f"{socket.gethostname()}\n{main}\n"
    path = cache / "users" / hashlib.sha256(text.encode()).hexdigest()[:16]
    with contextlib.suppress(OSError):  # a cache that is read only
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)


def others(cache: Path, clones: list[Path]) -> list[User]:
    """The users of a cache beside `clones`."""
    known = {clone.resolve() for clone in clones}
    users = []
    for path in sorted((cache / "users").glob("*")):
        host, _, root = path.read_text(errors="replace").strip().partition("\n")
        user = User(host, Path(root), path)
        if root and not (user.is_here and user.root.resolve() in known):
            users.append(user)
    return users
