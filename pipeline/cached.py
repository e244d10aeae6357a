"""Objects of DVC's cache by their hash, fetched from the remote where the cache lacks them.

For reading only: an object that is written to is spoilt for every workspace that uses the cache.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.graph import open_repo


def bring(root: Path, hashes: Iterable[str]) -> tuple[dict[str, Path], str]:
    """Where the objects lie, and why some could not be fetched ("" if nothing went wrong).

    What neither cache nor remote has is left out. A folder's list (`.dir`) is fetched without its files.
    """
    with open_repo(root) as repo:
        places = {value: Path(repo.cache.local.oid_to_path(value)) for value in hashes}
        missing = [value for value, place in places.items() if not place.is_file()]
        problem = _pull(repo, missing) if missing else ""
    return {value: place for value, place in places.items() if place.is_file()}, problem


def _pull(repo: Any, hashes: Iterable[str]) -> str:
    from dvc_data.hashfile.hash_info import HashInfo

    if not repo.config["core"].get("remote"):
        return "the cache lacks it and there is no DVC remote"
    try:
        failed = repo.cloud.pull([HashInfo("md5", value) for value in hashes]).failed
    except Exception as error:  # of any kind of remote: a comparison goes on without what it cannot have
        return f"the DVC remote: {' '.join(str(error).split()) or type(error).__name__}"
    return "the DVC remote lacks it or did not give it" if failed else ""


def listing(place: Path) -> dict[str, str]:
    """The hash of each file of a folder, by its path in it, from the folder's list."""
    return {item["relpath"]: item["md5"] for item in json.loads(place.read_bytes())}
