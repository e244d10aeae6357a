"""A result belongs to what it was made from, or is not kept.

DVC hashes the inputs of a stage once more when its command has ended, and writes the result under those. So
what a stage reads is noted before it starts, watched while it runs, and compared when DVC has written. A
mark in the worktree's state says the same to the next run, should this one be killed in between.
"""

import io
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML, YAMLError

from pipeline.memory import lockfile, runcache
from pipeline.memory.graph import open_repo
from pipeline.project import ledger, places
from pipeline.project.outcomes import FAILED, RAN, Result
from pipeline.project.root import write_whole
from stages.common.inputs import Watch, differences
from stages.common.params import read_yaml, value_of

if TYPE_CHECKING:
    from pipeline.memory.plan import One, Reads

BEAT = 5.0  # seconds between two signs of life
LAST_WORDS = 60.0  # seconds after its last sign of life in which what a killed run started may have written
CLOCKS = 2.0  # seconds that the times of files may differ from this machine's


class Watched:
    """One child of one stage: what it reads, from now on."""

    def __init__(self, root: Path, one: "One", run: str) -> None:
        self.root, self.stage, self.inputs = root, one.stage.name, one.inputs
        self.before = lockfile.stages(root).get(self.stage)
        self.began, self.run = time.time(), run
        reads = one.reads
        self.watch = Watch(reads.paths, reads.params, lambda: _values(reads), reads.outs, root)
        self._write()

    def look(self) -> None:
        if self.watch.look() or time.monotonic() - self._beat > BEAT:
            self._write()

    def end(self, result: Result) -> str:
        """What changed, in words, if that spoils the result: then DVC forgets what it remembered of it."""
        self.watch.look(at_end=True)
        entry = lockfile.stages(self.root).get(self.stage)
        changes = self.watch.changes
        if entry is not None and entry != self.before:
            for change in _changes(self.inputs, lockfile.inputs(entry)):
                if not _are_among([change], changes):
                    changes.setdefault(change)
        elif result.outcome != RAN and result.good:  # there is nothing new
            changes.clear()
        if changes:
            _forget_all(self.root, self._left(), seen_until=time.time())
        _mark(self.root, self.stage).unlink(missing_ok=True)
        return self.watch.told()

    def _left(self) -> dict[str, Any]:
        return {
            "stage": self.stage, "run": self.run, "began": self.began, "inputs": self.inputs,
            "before": self.before, "changes": list(self.watch.changes), "alive": time.time(),
        }  # fmt: skip

    def _write(self) -> None:
        text = io.StringIO()
        YAML().dump(self._left(), text)
        path = _mark(self.root, self.stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.getvalue())
        self._beat = time.monotonic()


def judged(result: Result, changed: str) -> Result:
    """The result of a child while which `changed` changed; "" if nothing did."""
    if not changed or "changed while it ran" in result.why:
        return result
    if result.good:
        why = f"{changed} changed while it ran: its result is not kept; run again"
        return replace(result, outcome=FAILED, why=why)
    return replace(result, why=f"{result.why}; {changed} changed while it ran".removeprefix("; "))


def suspects(root: Path) -> set[str]:
    """Stages of which dvc.lock says what a killed run has made of other inputs; the next run mends it."""
    found, marks = set(), list(_marks(root).glob("*.yaml"))
    entries = lockfile.stages(root) if marks else {}
    for path in marks:
        left = _read(path)
        entry = entries.get(left["stage"]) if left else None
        if not left or not entry or entry == left["before"]:
            continue
        if left["changes"] or any(_changes(left["inputs"], lockfile.inputs(entry))):
            found.add(left["stage"])
    return found


def recover(root: Path) -> list[str]:
    """What killed runs have left half done: results of inputs that changed are forgotten; a line for each."""
    lines = []
    for path in sorted(_marks(root).glob("*.yaml")):
        left = _read(path)
        if left and (changed := _forget_all(root, left, seen_until=left["alive"])):
            lines.append(f"{left['stage']}: {changed} changed while a killed run was at work; it runs again")
        path.unlink(missing_ok=True)
    return lines


def _forget_all(root: Path, left: dict[str, Any], seen_until: float) -> str:
    """Take what one child wrote under inputs that changed out of dvc.lock and the run cache.

    What changed, in words; "" if nothing was remembered that should not be. Others may share the cache: an
    entry of other inputs is the child's only if those are the changes that the run saw, or if it was written
    when the run saw nothing any more.
    """
    stage, inputs = left["stage"], left["inputs"]
    changes = dict.fromkeys(left["changes"])
    entry = lockfile.stages(root).get(stage)
    wrong = []
    with open_repo(root) as repo:  # DVC writes the run cache first: it may have come no further
        others = _of_others(root, left)
        written = list(runcache.written(repo, left["began"] - CLOCKS))
    if entry is not None and entry != left["before"] and not _is_later(entry, written, left):
        wrong.append(entry)
    for found, when in written:
        ours = found.get("cmd") == inputs["cmd"] and when <= left["alive"] + LAST_WORDS
        known = _are_among(_changes(inputs, lockfile.inputs(found)), changes)
        ours &= known or when > seen_until - 2 * BEAT
        if ours and ledger.hashes(found) not in others:
            wrong.append(found)
    told: dict[str, None] = {}
    for found in wrong:
        differ = {**changes, **dict.fromkeys(_changes(inputs, lockfile.inputs(found)))}
        if differ:
            _forget(root, stage, found, left["before"])
        told |= differ
    return ", ".join(told)


def _are_among(found: Iterable[str], changes: Iterable[str]) -> bool:
    """Whether changes between two entries were seen: of a folder, a change of a file in it."""
    return all(any(one == known or known.startswith(f"{one}/") for known in changes) for one in found)


def _is_later(
    entry: dict[str, Any], written: list[tuple[dict[str, Any], float]], left: dict[str, Any]
) -> bool:
    """Whether the run cache has an entry of dvc.lock from a time when the killed run was long gone."""
    times = [when for found, when in written if found == entry]
    return bool(times) and min(times) > left["alive"] + LAST_WORDS


def _of_others(root: Path, left: dict[str, Any]) -> list[list[str]]:
    """The outputs of the same stage that other runs made at that time, which are rightly remembered."""
    began, others = left["began"], []
    for line in ledger.read(root):
        if line.get("stage") == left["stage"] and line.get("outcome") == RAN:
            ended = _time(line.get("ended"))
            if ended >= began - 2 * CLOCKS and (line.get("run") != left["run"] or ended < began):
                others.append(line.get("outs") or [])
    return others


def _time(text: Any) -> float:
    """The time of a line of the ledger; that of one without is long ago."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return 0.0


def _forget(root: Path, stage: str, entry: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Take an entry out of the run cache and, if it is there, out of dvc.lock."""
    with open_repo(root) as repo:
        runcache.forget(repo, entry)
    if lockfile.stages(root).get(stage) == entry:
        lockfile.put(root, stage, before)


def _changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """In words, as a watch has them."""
    if before["cmd"] != now["cmd"]:
        yield "the command"
    for path in {**before["deps"], **now["deps"]}:
        if before["deps"].get(path) != now["deps"].get(path):
            yield path
    for file in {**before["params"], **now["params"]}:
        yield from differences(before["params"].get(file) or {}, now["params"].get(file) or {})


def _values(reads: "Reads") -> dict[str, Any]:
    """The parameters that a stage reads, by key."""
    values: dict[str, Any] = {}
    for path, keys in reads.params.items():
        if path.suffix not in (".yaml", ".yml", ".json"):
            values[path.name] = path.read_text()
            continue
        content = read_yaml(path)
        values |= {key: value_of(content, key) for key in keys} if keys else content
    return values


def _marks(root: Path) -> Path:
    return places.state(root) / "running"


def _mark(root: Path, stage: str) -> Path:
    return _marks(root) / f"{stage.replace('@', '-')}.yaml"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        values = YAML(typ="safe").load(path)
    except (YAMLError, FileNotFoundError):  # the run that wrote it has just removed it
        return None
    return values if isinstance(values, dict) and "changes" in values else None
