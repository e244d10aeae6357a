"""What a cache holds that no kept commit and no workspace names."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.project import git, safe
from stages.common.params import parse_yaml

HASH = re.compile(rb"\b[0-9a-f]{32}\b(?:\.dir)?")
MEMORY = (":(glob)**/dvc.lock", ":(glob)**/*.dvc")  # the files that name results
OTHER = "other"  # of no row of the run cache: results of a plain `dvc add`, or what a killed save left


@dataclass(frozen=True)
class Found:
    """What would go, of how much; paths are absolute."""

    objects: dict[Path, int]  # with their bytes
    rows: list[Path]  # of the run cache, whose results are then gone
    by_output: dict[str, int]  # bytes
    kept: int  # objects


def survey(cache: Path, everywhere: list[Path], keep_last: int) -> Found:
    """What nobody needs. Reads all that is kept; removes nothing."""
    objects = dict(_objects(cache))
    store = _Store(cache, {_name(path) for path in objects})
    used = store.with_members(named(everywhere, keep_last))
    doomed = {path: size for path, size in objects.items() if _name(path) not in used}
    left = _Store(cache, {_name(path) for path in objects if path not in doomed})
    rows = [(path, _outputs(path)) for path in sorted((cache / "runs").glob("*/*/*"))]
    dead = [path for path, outs in rows if not outs or not all(left.is_whole(name) for name in outs.values())]
    by_output = _by_output(store, {_name(path): size for path, size in doomed.items()}, rows)
    return Found(doomed, dead, by_output, len(objects) - len(doomed))


def named(everywhere: list[Path], keep_last: int) -> set[str]:
    """Every hash in the kept dvc.lock and .dvc files: of commits, and as they lie there."""
    found: set[str] = set()
    for place in everywhere:
        found |= _hashes(_of_commits(place, revisions(place, keep_last)))
        listed = git.run(place, "ls-files", "-z", "--cached", "--others", "--", *MEMORY)
        files = [place / name for name in listed.split("\0") if name]
        found |= _hashes(b"\n".join(file.read_bytes() for file in files if file.is_file()))
    return found


def revisions(place: Path, keep_last: int) -> list[str]:
    """The last commits of a worktree, and the heads of all branches, tags, stashes and experiments."""
    form = "--format=%(objecttype) %(objectname)%0a%(*objecttype) %(*objectname)"
    refs = git.run(place, "for-each-ref", form, "refs/heads", "refs/tags", "refs/exps").splitlines()
    heads = [line.split()[1] for line in refs if line.startswith("commit ")]
    stashes = git.run(place, "stash", "list", "--format=%H").split()
    try:
        last = git.run(place, "rev-list", f"--max-count={keep_last}", "HEAD").split()
    except ValueError:  # no commit yet
        last = []
    return list(dict.fromkeys([*last, *heads, *stashes]))


def _of_commits(place: Path, commits: Iterable[str]) -> bytes:
    """The text of all files of commits that name results, each version once."""
    blobs: dict[str, None] = {}
    for commit in commits:
        for entry in git.run(place, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0"):
            about, _, path = entry.partition("\t")
            if path.rpartition("/")[2] == "dvc.lock" or path.endswith(".dvc"):
                blobs[about.split()[2]] = None
    command = ["git", "cat-file", "--batch"]
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    return subprocess.run(command, cwd=place, input=asked, capture_output=True, check=True).stdout


def _hashes(text: bytes) -> set[str]:
    """By form, not by the file's structure: what is damaged or unknown keeps too much, never too little."""
    return {match.decode() for match in HASH.findall(text)}


class _Store:
    """The objects of a cache that are there, or will be."""

    def __init__(self, cache: Path, present: set[str]) -> None:
        self.cache, self.present = cache, present
        self.lists: dict[str, set[str]] = {}

    def members(self, name: str) -> set[str]:
        """The files of a folder's list; nothing for a file, or where the list is not there."""
        if name not in self.lists:
            path = self.cache / "files" / "md5" / name[:2] / name[2:]
            is_there = name.endswith(".dir") and path.is_file()
            self.lists[name] = _hashes(path.read_bytes()) if is_there else set()
        return self.lists[name]

    def with_members(self, names: set[str]) -> set[str]:
        return names.union(*(self.members(name) for name in names))

    def is_whole(self, name: str) -> bool:
        return name in self.present and self.members(name) <= self.present


def _objects(cache: Path) -> Iterator[tuple[Path, int]]:
    """All files of the cache with their bytes; what a killed save left among them is one too."""
    for place, _, names in os.walk(cache / "files" / "md5"):
        for name in names:
            path = Path(place, name)
            yield path, path.lstat().st_size


def _name(path: Path) -> str:
    return path.parent.name + path.name


def _outputs(row: Path) -> dict[str, str]:
    """Names of a row's outputs by path; nothing if it cannot be read, as DVC cannot either."""
    try:
        outs: list[dict[str, Any]] = parse_yaml(row.read_text(), str(row))["outs"]
        return {str(out["path"]): safe.oid(out["md5"], str(row)) for out in outs}
    except (ValueError, KeyError, TypeError):
        return {}


def _by_output(
    store: _Store, doomed: dict[str, int], rows: list[tuple[Path, dict[str, str]]]
) -> dict[str, int]:
    """Bytes to free by the output they were of, largest first; an object of several counts for the first."""
    rest, found = dict(doomed), dict[str, int]()
    for _, outs in rows:
        for path, name in outs.items():
            sized = [rest.pop(one) for one in (name, *store.members(name)) if one in rest]
            if sized:
                found[path] = found.get(path, 0) + sum(sized)
    if rest:
        found[OTHER] = sum(rest.values())
    return dict(sorted(found.items(), key=lambda item: -item[1]))
