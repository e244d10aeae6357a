"""What is damaged in DVC's cache, and harms a run: found in time, and removed.

DVC trusts an object that is read-only, and makes every object read-only. So one whose bytes a disk or a
hand has changed is restored as it is, into the workspace and under the right hash. A run therefore hashes
what it is about to restore, which it reads anyway.
"""

import contextlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.memory import cached
from pipeline.memory.cached import is_whole
from pipeline.project import safe

Copy = tuple[Path, str]  # an object of the cache, and the path in the workspace that it is a copy of
NAMED = 3  # files of a folder, at most


def at_stake(repo: Any, restored: Any, others: Iterable[Any]) -> list[Copy]:
    """The objects of a stage's results, stages of DVC's, that a run must be able to trust.

    Of the result that would be restored, all. Of others, under the same inputs or the last one, only the
    lists of folders: DVC never writes a list anew that it believes to have.
    """
    copies = [copy for out in restored.outs for copy in _objects(repo, out)] if restored else []
    return copies + [_list(repo, out) for other in others for out in other.outs if _has_list(out)]


def remove_damaged(copies: Iterable[Copy]) -> list[str]:
    """Remove what is damaged; a line for each object."""
    lines = []
    for path, name in copies:
        if _is_damaged(path):
            path.unlink()
            lines.append(f"the cache's copy of {name} was damaged: {path} is removed")
    return list(dict.fromkeys(lines))


def check_lists(repo: Any, paths: list[str]) -> None:
    """ValueError for a folder's list, of an output among `paths`, that leads out of its folder."""
    for node in repo.index.stages:
        for out in node.outs:
            if out.def_path in paths:
                list(_objects(repo, out))


def is_cached(out: Any) -> bool:
    """Whether DVC takes an output for whole in its cache.

    DVC itself is asked only where something is wrong: it takes three times as long over a folder's files.
    """
    top, value = out.cache.path, out.hash_info.value
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # DVC says what that means
        if out.hash_info.isdir:
            listed = json.loads(Path(out.cache.oid_to_path(value)).read_bytes())
            oids = [value, *(row["md5"] for row in listed)]
            if all(_is_trusted(f"{top}/{oid[:2]}/{oid[2:]}") for oid in oids):
                return True
    return not out.changed_cache()


def edited(repo: Any, out: Any) -> list[str]:
    """What differs in an output whose hash is not that of the last run, in words: the files of a folder."""
    folder, place = Path(out.fs_path), Path(repo.cache.local.oid_to_path(out.hash_info.value))
    if not (out.hash_info.isdir and folder.is_dir() and place.is_file() and is_whole(place)):
        return [f"{out.def_path} was edited"]
    before, there = cached.listing(place, out.def_path), _listing(out)
    wrong = [
        *(f"{name} is missing" for name in before if name not in there),
        *(f"{name} was edited" for name in before if name in there and there[name] != before[name]),
        *(f"{name} is new" for name in there if name not in before),
    ]
    more = [f"and {len(wrong) - NAMED} more in {out.def_path}"] * (len(wrong) > NAMED)
    return [f"{out.def_path}/{text}" for text in wrong[:NAMED]] + more or [f"{out.def_path} was edited"]


def _listing(out: Any) -> dict[str, str]:
    """The files of an output that is a folder, with their hashes, which DVC knows of what did not change."""
    where = (out.local_cache, out.fs_path, out.fs, out.hash_name)
    _, _, tree = out._build(*where, ignore=out.dvcignore, dry_run=True, no_progress_bar=True)
    return {"/".join(key): info.value for key, _, info in tree}


def clear_run(cache: Path, key: str) -> None:
    """Remove what a kill or a full disk leaves in the run cache under a key, and DVC would fail on for ever.

    Entries without outputs, and a folder without entries.
    """
    folder = cache / "runs" / key[:2] / key
    with contextlib.suppress(OSError):  # there is none, or entries are left
        for file in folder.iterdir():
            if not file.name.startswith(".") and b"\nouts:" not in file.read_bytes():
                file.unlink()
        folder.rmdir()


def _objects(repo: Any, out: Any) -> Iterator[Copy]:
    """The objects of an output and the paths that they are copies of; of a folder its list comes first."""
    if not out.hash_info or out.hash_info.name != "md5":
        return
    path, name = _list(repo, out)
    yield path, name
    if out.hash_info.isdir and path.is_file() and is_whole(path):
        for name, value in cached.listing(path, out.def_path).items():
            yield Path(repo.cache.local.oid_to_path(value)), f"{out.def_path}/{name}"


def _list(repo: Any, out: Any) -> Copy:
    return Path(repo.cache.local.oid_to_path(safe.oid(out.hash_info.value, out.def_path))), out.def_path


def _has_list(out: Any) -> bool:
    return bool(out.hash_info and out.hash_info.name == "md5" and out.hash_info.isdir)


def _is_trusted(path: Path | str) -> bool:
    """Whether DVC has made it read-only; it then hashes it no more."""
    return stat.S_IMODE(os.stat(path).st_mode) == 0o444


def _is_damaged(path: Path) -> bool:
    """Whether DVC would trust it without reason, or stumble over it; a file that can be written it hashes."""
    try:
        trusted = path.suffix == ".dir" or _is_trusted(path)
        return trusted and not is_whole(path)
    except FileNotFoundError:
        return False
