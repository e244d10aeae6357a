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

from ruamel.yaml import YAML, YAMLError

from pipeline import ledger, noise, places, worktrees
from pipeline.changes import between
from pipeline.noise import Seeded
from pipeline.project import write_whole
from pipeline.tables import Table, parse_csv

Entry = dict[str, Any]  # when, run, params, data, rungs: {rung: [mIoU in percent, split, images]}
DATA = ("data/dataset", "data/masks")


def entry(root: Path, params: Mapping[str, Any], lock: Mapping[str, Any], rows: Table) -> Entry:
    """What is kept of the results that lie in the workspace; rows are the ladder's."""
    last = ledger.read(root)[-1:]
    return {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "run": str(last[0].get("run", "")) if last else "",
        "params": dict(params),
        "data": _data(lock),
        "rungs": {
            row["rung"]: [float(row["miou"]), row["split"], row["images"]] for row in rows if row["miou"]
        },
    }


def remember(root: Path, now: Entry) -> Entry | None:
    """Keep `now` where it is new; returns the one before it, None if none is known."""
    file = places.state(root) / "scores.json"
    kept = _read(file)
    if not kept or _same(kept[-1], now) is False:
        kept = [*kept, now][-2:]
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(kept))
    if len(kept) > 1:
        return kept[-2]
    head = _head(root)
    return None if head is None or _same(head, now) else head


def compare(before: Entry, now: Entry, seeds: Mapping[str, Seeded]) -> dict[str, Any]:
    """What the page says of the change; `seeds` are values by seed of runs like the present one, by rung."""
    same_data = before["data"] == now["data"]
    rows, rules = [], []
    for rung, (miou, *kind) in now["rungs"].items():
        old = before["rungs"].get(rung)
        if not same_data or old is None or old[1:] != kind:
            continue
        change = noise.compare({"before": old[0]}, seeds.get(rung) or {"now": miou})
        rules.append(change.rule)
        rows.append({
            "rung": rung, "before": f"{old[0]:.2f}", "now": f"{miou:.2f}", "change": f"{miou - old[0]:+.2f}",
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


def _data(lock: Mapping[str, Any]) -> list[str]:
    outs = [out for stage in lock.values() for out in stage.get("outs") or ()]
    return [str(out.get("md5", "")) for path in DATA for out in outs if out["path"] == path]


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
    yaml = YAML(typ="safe")
    try:
        texts = [worktrees.git(root, "show", f"HEAD:./{path}")
                 for path in ("params.yaml", "dvc.lock", "reports/ladder.csv")]  # fmt: skip
        when = worktrees.git(root, "log", "-1", "--format=%h of %cs", "HEAD", "--", "reports/ladder.csv")
        params, lock = (yaml.load(text) or {} for text in texts[:2])
        return {"run": f"the numbers in git, commit {when}", "when": "", "params": params,
                "data": _data(lock.get("stages") or {}),
                "rungs": {row["rung"]: [float(row["miou"]), row["split"], row["images"]]
                          for row in parse_csv(texts[2]) if row["miou"]}}  # fmt: skip
    except (ValueError, KeyError, AttributeError, YAMLError):
        return None


def _word(value: Any) -> str:
    return "none" if value is None else json.dumps(value) if isinstance(value, list | dict) else str(value)
