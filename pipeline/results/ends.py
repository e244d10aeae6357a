"""How the last run of a workspace ended: the stages that it did not bring up to date.

dvc.lock does not say so: the entry of a stage that failed is that of an earlier run. The note lies in the
worktree's own folder, which git does not see; a later run that reaches the stage takes it out.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.memory import lockfile
from pipeline.project import places
from pipeline.project.outcomes import Result
from pipeline.project.root import write_whole
from pipeline.results.snapshot import Snapshot


def path(root: Path) -> Path:
    return places.state(root) / "not-up-to-date.json"


def note(root: Path, results: Mapping[str, Result], changed: Collection[str]) -> None:
    """Remember what is bad among `results`, with what dvc.lock has of it.

    Of the stages `changed`, parameters or code are not those of dvc.lock: a wish that may be taken back.
    """
    lock, known = lockfile.stages(root), _read(root)
    kept = {name: entry for name, entry in known.items() if name not in results}
    for name, result in results.items():
        if not result.good:
            entry = lock.get(name, {})
            kept[name] = {"outcome": result.outcome, "entry": entry, "changed": name in changed}
    if kept != known:
        path(root).parent.mkdir(parents=True, exist_ok=True)
        write_whole(path(root), json.dumps(kept, indent=2))


@dataclass(frozen=True)
class End:
    """How a stage was left."""

    outcome: str
    changed: bool  # its parameters or code then were not those of dvc.lock


def read(run: Snapshot) -> dict[str, End]:
    """Each stage that the last run left so, if dvc.lock has the same entry still."""
    return {
        name: End(str(entry.get("outcome")), entry.get("changed") is True)
        for name, entry in _read(run.root).items()
        if entry.get("entry") == run.lock.get(name, {})
    }


def _read(root: Path) -> dict[str, dict[str, Any]]:
    try:
        values = json.loads(path(root).read_text())
    except (OSError, ValueError):  # none, or cut by a full disk: nothing is known
        return {}
    entries = values.items() if isinstance(values, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}
