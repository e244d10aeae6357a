"""The last run: what this workspace's page showed before, to say what has changed since.

.dvc/tmp/wsss/scores.json keeps the numbers of the last two different results of this workspace. Where it
keeps none of before, the numbers that HEAD has in git are the last run.
"""

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.project import git, ledger, places
from pipeline.project.changes import between
from pipeline.project.root import write_whole
from pipeline.results import noise, scores
from pipeline.results.noise import Seeded
from pipeline.results.scores import Scores
from pipeline.results.snapshot import open_run

Entry = dict[str, Any]  # when, run, params, data, rungs: {rung: [mIoU in percent, split, pictures]}
DATA = ("data/dataset", "data/masks")


def against(root: Path, found: Scores, seeds: Mapping[str, Seeded]) -> dict[str, Any]:
    """What the page says of the change against the last run; empty where none is known.

    `seeds` are values by seed of runs like the present one, by rung.
    """
    now = entry(found)
    before = remember(root, now)
    return compare(before, now, seeds) if before else {}


def entry(found: Scores) -> Entry:
    """What is kept of a run: the numbers that are its own."""
    last = ledger.makers(ledger.read(found.run.root), found.run.lock)[-1:]
    return {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "run": str(last[0].get("run", "")) if last else "",
        "params": found.run.params,
        "data": [found.run.hash(path) for path in DATA],
        "rungs": {
            rung.name: [rung.numbers["miou"], rung.split, rung.images]
            for rung in found.good
            if "miou" in rung.numbers
        },
    }


def remember(root: Path, now: Entry) -> Entry | None:
    """Keep `now` where it is new and has a number; returns the one before it, None if none is known."""
    file = places.state(root) / "scores.json"
    kept = _read(file)
    if now["rungs"] and not (kept and _same(kept[-1], now)):
        kept = [*kept, now][-2:]
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(kept))
    others = [one for one in kept if not _same(one, now)]
    if others:
        return others[-1]
    head = _head(root)
    return None if head is None or _same(head, now) else head


def compare(before: Entry, now: Entry, seeds: Mapping[str, Seeded]) -> dict[str, Any]:
    """What the page says of the change; where seeds are known, the present side is their mean."""
    same_data = before["data"] == now["data"]
    rows, rules = [], []
    for rung, (miou, *kind) in now["rungs"].items():
        old = before["rungs"].get(rung)
        if not same_data or old is None or old[1:] != kind:
            continue
        change = noise.compare({"before": old[0]}, seeds.get(rung) or {"now": miou})
        rules.append(change.rule)
        rows.append({
            "rung": rung, "before": scores.text(change.a), "now": scores.text(change.b),
            "seeds": change.runs_b, "change": f"{change.change:+.2f}",
            "noise": change.verdict if change.rule != noise.ONE_EACH else "",
        })  # fmt: skip
    return {
        "when": before["when"],
        "run": before["run"],
        "same_data": same_data,
        "params": [
            (key, _word(old), _word(new)) for key, old, new in between(before["params"], now["params"])
        ],
        "rows": rows,
        "rules": [noise.RULES[rule] for rule in dict.fromkeys(rules)],
    }


def _same(one: Entry, other: Entry) -> bool:
    return all(one[key] == other[key] for key in ("params", "data", "rungs"))


def _read(file: Path) -> list[Entry]:
    """None where the file is missing or not ours: it is a convenience, and is made anew."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        kept = json.loads(file.read_text())
        if all(_same(one, one) and {"when", "run"} <= one.keys() for one in kept):
            return list(kept)
    return []


def _head(root: Path) -> Entry | None:
    """The numbers that HEAD has; None without git, or where HEAD has none."""
    try:
        found = entry(scores.read(open_run(root, "HEAD")))
        when = git.run(root, "log", "-1", "--format=%h of %cs", "HEAD", "--", "reports")
    except ValueError:
        return None
    return found | {"run": f"the numbers in git, commit {when}", "when": ""} if found["rungs"] else None


def _word(value: Any) -> str:
    return "none" if value is None else json.dumps(value) if isinstance(value, list | dict) else str(value)
