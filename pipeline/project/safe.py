"""Names of objects and files as others wrote them, in a dvc.lock or a folder's list: they lead nowhere else.

A hash becomes a path in DVC's cache, and a path a place in the project. Both come with a branch that was
fetched, or from a cache and a remote to which others write.
"""

import re
from typing import Any

OID = re.compile(r"[0-9a-f]{32}(\.dir)?")
SHOWN = 80  # characters of what is refused


def oid(value: Any, where: str) -> str:
    """An MD5 in hexadecimal, with `.dir` for a folder's list; else ValueError, which begins with `where`."""
    if not isinstance(value, str) or not OID.fullmatch(value):
        raise ValueError(f"{where} is refused: {_short(value)} is no hash of DVC's")
    return value


def inside(path: Any, where: str) -> str:
    """A relative path that does not leave its folder, without links of its own; else ValueError."""
    parts = path.split("/") if isinstance(path, str) else [""]
    if not all(part not in ("", ".", "..") and "\0" not in part for part in parts):
        raise ValueError(f"{where} is refused: {_short(path)} is no path inside")
    return str(path)


def lock(stages: Any, where: str) -> dict[str, Any]:
    """The stages of a dvc.lock, whose outputs lie in the project; else ValueError. For hashes see `oid`."""
    if not isinstance(stages, dict):
        raise ValueError(f"{where} is refused: `stages` holds no stages")
    for name, entry in stages.items():
        about = f"{where}, stage {_short(name)},"
        _fields(entry, about)
        for what in ("deps", "outs"):
            items = entry.get(what) or [] if isinstance(entry, dict) else None
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise ValueError(f"{about} is refused: it holds no list of {what}")
            for item in items:
                if not isinstance(item.get("path"), str):
                    raise ValueError(f"{about} is refused: {_short(item)} has no path")
                if not isinstance(item.get("hash", ""), str):
                    raise ValueError(f"{about} is refused: {_short(item['hash'])} is no kind of hash")
                if what == "outs":
                    inside(item["path"].removeprefix("./").removesuffix("/"), about)
    return stages


def _fields(entry: Any, about: str) -> None:
    """The command and the parameters of an entry, which others than DVC read too; else ValueError."""
    if not isinstance(entry, dict) or not isinstance(entry.get("cmd", ""), str | list):
        raise ValueError(f"{about} is refused: it holds no command")
    params = entry.get("params") or {}
    if not isinstance(params, dict) or not all(isinstance(value, dict | None) for value in params.values()):
        raise ValueError(f"{about} is refused: it holds no parameters by file")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
