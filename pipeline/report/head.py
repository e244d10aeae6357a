"""Whose results a page shows: the run that made the newest of them, when, where, and of which revision."""

from pathlib import Path
from typing import Any

from pipeline import ledger
from pipeline.report import protocol


def read(root: Path, lock: dict[str, Any]) -> list[str]:
    """Short texts, to be set in one line."""
    mine = ledger.makers(ledger.read(root), lock)
    if not mine:
        return [f"revision {protocol.revision(root)}", "not made by wsss run in this clone"]
    last = max(mine, key=lambda entry: str(entry.get("ended", "")))
    when = str(last.get("ended", ""))[:16].replace("T", " ")
    places = dict.fromkeys(str(entry.get("device") or "") for entry in mine)
    machine = ", ".join(place for place in places if place)
    return [
        when,
        f"run {last.get('run') or 'without a name'}",
        f"revision {protocol.revision(root)}",
        *([f"on {machine}"] if machine else []),
    ]
