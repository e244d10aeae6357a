"""Whose results a page shows: the run that made the newest of them, when and where; and its own revision."""

from pathlib import Path
from typing import Any

from pipeline.project import ledger
from pipeline.results.report import protocol


def read(root: Path, lock: dict[str, Any]) -> list[str]:
    """Short texts, to be set in one line."""
    mine = ledger.makers(ledger.read(root), lock)
    if not mine:
        return ["not made by wsss run in this clone", _page(root)]
    last = max(mine, key=lambda entry: str(entry.get("ended", "")))
    when = str(last.get("ended", ""))[:16].replace("T", " ")
    places = dict.fromkeys(str(entry.get("device") or "") for entry in mine)
    machine = ", ".join(place for place in places if place)
    return [
        when,
        f"run {last.get('run') or 'without a name'}",
        *([f"on {machine}"] if machine else []),
        _page(root),
    ]


def _page(root: Path) -> str:
    """The run may be of an earlier revision: what it was made of is compared file by file elsewhere."""
    return f"this page is of revision {protocol.revision(root)}"
