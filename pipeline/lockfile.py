"""dvc.lock is the memory of all runs, and DVC rewrites it in place: a kill in between damages it.

An empty one stops DVC; one that was cut short may still be valid YAML, with stages missing. So a copy
is kept after every stage, and entries that are gone from the file, but not from dvc.yaml, come back.
"""

import io
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from pipeline import places
from pipeline.graph import open_repo
from pipeline.project import write_whole
from stages.common.params import read_yaml


def backup_path(root: Path) -> Path:
    return places.state(root) / "dvc.lock.backup"


def entries(text: str) -> dict[str, Any] | None:
    """The stages of a lock file's text; None if it is damaged."""
    try:
        values = YAML(typ="safe").load(text)
    except (YAMLError, ValueError):
        return None
    if not isinstance(values, dict) or not isinstance(values.get("stages"), dict):
        return None
    stages = values["stages"]
    whole = all(
        isinstance(entry, dict) and entry.get("cmd") and entry.get("outs") for entry in stages.values()
    )
    return stages if whole else None


def save(root: Path) -> None:
    """Keep a copy of dvc.lock if it is sound."""
    with _dvc_waits(root):
        text = _read(root / "dvc.lock")
        if text and entries(text) is not None:
            backup_path(root).parent.mkdir(parents=True, exist_ok=True)
            write_whole(backup_path(root), text)


def repair(root: Path) -> list[str]:
    """Bring lost entries of dvc.lock back from the copy; returns lines that say what was done.

    Left alone: a file that is gone (so a user forgets all results), and one that is as git has it.
    """
    path = root / "dvc.lock"
    with _dvc_waits(root):
        text, old = _read(path), _of_known_stages(root, entries(_read(backup_path(root)) or "") or {})
        if text is None or text == _committed(root):
            return []
        now = entries(text)
        lost = {name: entry for name, entry in old.items() if name not in (now or {})}
        if now is not None and not lost:
            return []
        if now or lost:
            write_whole(path, dump({**(now or {}), **lost}))
        else:
            path.unlink()
        return [f"dvc.lock was damaged; brought back from the last copy: {', '.join(lost) or 'nothing'}"]


def _of_known_stages(root: Path, stages: dict[str, Any]) -> dict[str, Any]:
    """Without those that dvc.yaml has no more. Not through DVC, which a damaged file stops."""
    known = read_yaml(root / "dvc.yaml").get("stages") or {}
    return {name: entry for name, entry in stages.items() if name.split("@")[0] in known}


def _committed(root: Path) -> str | None:
    done = subprocess.run(["git", "show", "HEAD:./dvc.lock"], cwd=root, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


@contextmanager
def _dvc_waits(root: Path) -> Iterator[None]:
    """Hold DVC's lock of the repository: no `dvc` writes dvc.lock meanwhile."""
    with open_repo(root) as repo, repo.lock:
        yield


def dump(stages: dict[str, Any]) -> str:
    """The text of a dvc.lock with these stages, as DVC writes it."""
    yaml = YAML()
    yaml.default_flow_style = False
    text = io.StringIO()
    yaml.dump({"schema": "2.0", "stages": stages}, text)
    return text.getvalue()


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
