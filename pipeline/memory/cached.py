"""Objects of DVC's cache by their hash, fetched from the remote where the cache lacks them.

For reading only: an object that is written to is spoilt for every workspace that uses the cache.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.memory.graph import open_repo
from pipeline.project import safe


def bring(root: Path, hashes: Iterable[str]) -> tuple[dict[str, Path], str]:
    """Where the objects lie, and why some could not be fetched ("" if nothing went wrong).

    What neither cache nor remote has is left out. A folder's list (`.dir`) is fetched without its files.
    """
    with open_repo(root) as repo:
        places = _places(repo, hashes)
        missing = _missing(places)
        problem = _fetch(repo, missing) if missing else ""
    lacking = set(_missing(places))
    found = {value: place for value, place in places.items() if value not in lacking}
    if any(places[value].is_file() for value in lacking):
        problem = "a folder's list in the cache is damaged: `wsss run` mends it"
    return found, problem or ("the DVC remote lacks it" if lacking else "")


def there(root: Path, hashes: Iterable[str]) -> dict[str, Path]:
    """Where the objects lie that the cache has; nothing is fetched."""
    with open_repo(root) as repo:
        places = _places(repo, hashes)
    lacking = set(_missing(places))
    return {value: place for value, place in places.items() if value not in lacking}


def _places(repo: Any, hashes: Iterable[str]) -> dict[str, Path]:
    wanted = [safe.oid(value, "dvc.lock") for value in hashes if value]
    return {value: Path(repo.cache.local.oid_to_path(value)) for value in wanted}


def _missing(places: dict[str, Path]) -> list[str]:
    """Those that are not there; a damaged list of a folder cannot be read, and is as good as not there."""
    return [
        value
        for value, place in places.items()
        if not place.is_file() or (value.endswith(".dir") and not is_whole(place))
    ]


def _fetch(repo: Any, hashes: Iterable[str]) -> str:
    """Try to fetch objects; why that was not possible. `repo.fetch` would ask for whole outputs."""
    from dvc_data.hashfile.hash_info import HashInfo

    if not repo.config["core"].get("remote"):
        return "the cache lacks it and there is no DVC remote"
    try:
        remote = repo.cloud.get_remote_odb(None, "fetch")
        wanted = [HashInfo("md5", value) for value in hashes if value]
        repo.cloud.transfer(remote, repo.cache.local, wanted, verify=remote.verify)
    except Exception as error:  # of any kind of remote: a comparison goes on without what it cannot have
        return f"the DVC remote: {' '.join(str(error).split()) or type(error).__name__}"
    return ""


def listing(place: Path, where: str) -> dict[str, str]:
    """The hash of each file of a folder, by its path in it, from the folder's list.

    ValueError, which begins with `where`, for a list that leads out of the cache or out of the folder.
    """
    about = f"{where}: the list of its files, {place},"
    try:
        found = [(item["relpath"], item["md5"]) for item in json.loads(place.read_bytes())]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{about} is damaged: remove it") from None
    return {safe.inside(path, about): safe.oid(value, about) for path, value in found}


def part(files: dict[str, str], path: str) -> str:
    """DVC's hash of a file or folder in a folder of these files, by their paths there; "" if it has none."""
    if path in files:
        return files[path]
    own = [
        {"md5": value, "relpath": name.removeprefix(f"{path}/")}
        for name, value in files.items()
        if name.startswith(f"{path}/")
    ]
    listed = json.dumps(own, sort_keys=True).encode()
    return f"{hashlib.md5(listed, usedforsecurity=False).hexdigest()}.dir" if own else ""


def is_whole(path: Path) -> bool:
    """Whether the bytes of an object are those that its name is the hash of."""
    return md5(path) == f"{path.parent.name}{path.name}"[:32]


def md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
