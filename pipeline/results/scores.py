"""The numbers of one run: each rung from its own files, and whether they are the run's.

All that shows a number asks here: the terminal, the page, `wsss diff`, sweeps, Prefect. A rung's numbers
are in the metrics.json that its evaluation wrote. They are the run's if dvc.lock says so: the file is the
one that it names, and all that the evaluation stems from is as parameters, code and dvc.lock
have it now (standing.py). Else the rung has none: reports/ of git, or of an earlier run, may be anybody's.
"""

import json
import math
import re
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.project import git, ledger
from pipeline.project.outcomes import RAN, RESTORED, Result
from pipeline.project.tables import Table
from pipeline.results import provenance
from pipeline.results.provenance import Made
from pipeline.results.snapshot import WORKSPACE, Snapshot, digest, hashes, open_run, resolved
from pipeline.results.standing import Fault, Standings
from stages.evaluation.names import MERGED

CURRENT, COMMITTED, STALE, MISSING = "current", "committed", "stale", "missing"
NOT_SCORED = "not scored in this run"
PERCENT = ("miou", "miou_best_threshold", "precision", "recall")  # what the ladder shows
STAGE = "evaluation"  # a foreach over the rungs
RUNGS = "reports/rungs"  # a folder for each
NO_RESULTS = ("dataset", "masks", "code", "parameters.ok")  # what an evaluation reads of data/ besides
NAMED = 3  # reasons that are told
PARTLY = "(in part from a cache)"


@dataclass(frozen=True)
class Rung:
    """A rung of one run. Numbers are percent; there are none where they are not the run's."""

    name: str
    state: str
    standing: str  # in words: who made the numbers, or why there are none
    split: str = ""
    images: int = 0
    numbers: Mapping[str, float] = field(default_factory=dict)  # all plain numbers of metrics.json
    classes: Mapping[str, float] = field(default_factory=dict)  # IoU by class
    folder: str = ""  # of its reports
    results: str = ""  # the folder of data/ that was scored
    merged: bool = False  # scored as object and ground: not to be set beside a rung of classes

    @property
    def good(self) -> bool:
        """Whether it was scored in this run; without a truth it has no numbers all the same."""
        return self.state in (CURRENT, COMMITTED)

    def cell(self, key: str) -> str:
        """A number as it is shown everywhere, or nothing."""
        return text(self.numbers[key]) if key in self.numbers else ""

    def row(self) -> dict[str, str]:
        """As a row of the ladder; state and standing are not in it."""
        images = str(self.images) if self.good else ""
        return {"rung": self.name, "split": self.split, **{key: self.cell(key) for key in PERCENT},
                "images": images}  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """A run's rungs in the order of the recipe, and what is known of its other stages."""

    run: Snapshot
    rungs: tuple[Rung, ...]
    standings: Standings

    @property
    def good(self) -> list[Rung]:
        return [rung for rung in self.rungs if rung.good]

    @property
    def merged(self) -> frozenset[str]:
        """The names of the rungs that are scored as object and ground."""
        return frozenset(rung.name for rung in self.rungs if rung.merged)

    def rung(self, name: str) -> Rung | None:
        return next((rung for rung in self.rungs if rung.name == name), None)

    def told(self) -> list[tuple[str, str]]:
        """Rungs, comma between, with the standing that they share: one line each is enough."""
        names: dict[str, list[str]] = {}
        for rung in self.rungs:
            names.setdefault(rung.standing, []).append(rung.name)
        return [(", ".join(found), standing) for standing, found in names.items()]

    def why_not(self, stage: str) -> str:
        """Why the result of any stage is not the run's; "" if it is."""
        return _reasons(self.standings.faults(self.standings.known(stage)))

    def table(self, rung: str, file: str) -> Table:
        """The rows of a rung's CSV; none where the rung is not the run's."""
        found = self.rung(rung)
        return self.run.table(f"{found.folder}/{file}") if found and found.good else []

    def per_class(self, order: Iterable[str] = ()) -> Table:
        """IoU by class and rung, of the rungs that are the run's; `order` is that of the data set."""
        scored = [rung for rung in self.good if rung.classes]
        names = dict.fromkeys([*order, *(name for rung in scored for name in rung.classes)] if scored else ())
        return [
            {"class": name}
            | {rung.name: text(rung.classes[name]) if name in rung.classes else "" for rung in scored}
            for name in names
        ]


def text(value: float) -> str:
    """A number of a rung, in percent: two decimals, as metrics.json and `dvc metrics` have it."""
    return f"{value:.2f}"


def workspace(root: Path) -> Scores:
    return read(open_run(root, WORKSPACE))


def read(run: Snapshot) -> Scores:
    """The rungs that the recipe has, each with its numbers or without."""
    standings, past = Standings(run), ledger.read(run.root) if run.commit is None else []
    made, stages = provenance.read(run), names(run)
    rungs = [_rung(run, standings, past, made, name, stage) for name, stage in stages.items()]
    return Scores(run, tuple(rungs), standings)


def names(run: Snapshot) -> dict[str, str]:
    """The stage that scores each rung: those of dvc.yaml, and if it has none, of dvc.lock.

    A recipe of one's own without a stage `evaluation` has a rung for each RUNG/metrics.json of reports/.
    """
    stage = run.stages().get(STAGE)
    stage = stage if isinstance(stage, dict) else {}
    each = resolved(stage.get("foreach"), run.params)
    if isinstance(each, dict | list) and "metrics.json" in json.dumps(stage.get("do"), default=str):
        return {str(name): f"{STAGE}@{name}" for name in each}
    found = {
        match[1]: stage
        for stage, entry in run.lock.items()
        for path in hashes(entry, "outs")
        if (match := re.fullmatch(r"reports/(?:.+/)?([^/]+)/metrics\.json", path))
    }
    rungs = {name: stage for name, stage in found.items() if stage.startswith(f"{STAGE}@")}
    return rungs or found


def extra(scores: Scores, name: str, stage: str) -> Rung:
    """What another stage than the evaluation has scored, as the ceiling."""
    return _rung(scores.run, scores.standings, ledger.read(scores.run.root), {}, name, stage)


def note(root: Path, results: Mapping[str, Result]) -> None:
    """Write down on which machine a run that has ended made its numbers."""
    found = open_run(root, WORKSPACE)
    known, anew = {}, {}
    for name, stage in names(found).items():
        path = _metrics_of(found, name, stage)
        if path is None:
            continue
        known[name] = found.hash(path) or ""
        scored = stage in results and results[stage].outcome in (RAN, RESTORED)
        if scored and known[name] == digest(found.read([path]).get(path, b"")):
            anew[name] = _made(found, stage, known[name])
    if known:
        provenance.note(root, known, anew)


def _made(run: Snapshot, stage: str, metrics: str) -> Made:
    """Who computed a rung: this machine, if it has; and all that the rung stems from, or a part of it."""
    host = socket.gethostname()
    known = ledger.makers(ledger.read(run.root), run.lock)
    here = {line["stage"]: line for line in known if line["outcome"] == RAN and line.get("host") == host}
    if stage not in here:
        return Made(metrics, time.strftime("%Y-%m-%d"), "", "")
    others = {line["stage"] for line in known} - here.keys()  # of a plain `dvc repro` nothing is known
    part = f" {PARTLY}" if others.intersection(Standings(run).above(stage)) else ""
    line = here[stage]
    return Made(
        metrics, str(line.get("ended", ""))[:10], provenance.machine() + part, str(line.get("run", ""))
    )


def _rung(
    run: Snapshot, standings: Standings, past: list[dict[str, Any]], made: Mapping[str, Made],
    name: str, stage: str,
) -> Rung:  # fmt: skip
    again = f": `wsss run {stage}`" if run.commit is None else ""
    path = _metrics_of(run, name, stage)
    if path is None:
        return Rung(name, MISSING, f"{NOT_SCORED}{again}", folder=f"{RUNGS}/{name}")
    folder, results = path.removesuffix("/metrics.json"), results_of(run.lock[stage])
    faults, wrong = standings.faults(stage), _edited(run, stage)
    values = _values(run, path)
    if wrong or values is None:
        why = wrong or f"{path} cannot be read"
        return Rung(name, MISSING, f"{NOT_SCORED}: {why}{again}", folder=folder, results=results)
    plain = {key: _number(value) for key, value in values.items() if key not in ("split", "classes")}
    numbers = {key: value for key, value in plain.items() if value is not None}
    if standings.is_foreign(faults):
        why = _reasons(faults)
        return Rung(name, MISSING, f"{NOT_SCORED}: {why}{again}", folder=folder, results=results)
    if faults:
        earlier = f"; an earlier run had {text(numbers['miou'])}" if "miou" in numbers else ""
        why = f"stale, {NOT_SCORED}: {_reasons(faults)}{earlier}{again}"
        return Rung(name, STALE, why, folder=folder, results=results)
    state, standing = _maker(run, stage, path, past, made.get(name))
    split, images = str(values.get("split", "")), numbers.pop("images", 0)
    iou = values.get("iou")
    classes = {key: _number(value) for key, value in iou.items()} if isinstance(iou, dict) else {}
    shown = {key: value for key, value in classes.items() if value is not None}
    merged = values.get("classes") == MERGED
    return Rung(name, state, standing, split, int(images), numbers, shown, folder, results, merged)


def _maker(
    run: Snapshot, stage: str, path: str, past: list[dict[str, Any]], made: Made | None
) -> tuple[str, str]:
    """The state of a rung whose numbers are the run's, and who made them, as far as that is known."""
    known = made if made and made.metrics == run.hash(path) else None
    if run.commit is not None:
        return COMMITTED, f"committed in {run.commit[:7]}, {_of(known)}"
    entry = run.lock[stage]
    mine = ledger.makers(past, {stage: entry})
    others = any((run.root / out).exists() for out in hashes(entry, "outs") if out != path)
    commit = _commit(run, path) if not mine and not others else None
    if commit:
        return COMMITTED, f"the committed numbers ({commit}), {_of(known)}; nothing was run here"
    if not mine:
        return CURRENT, f"{_of(known)}, not by a run of this workspace" if known else _of(None)
    ran = [e for e in mine if e["outcome"] == RAN]
    last = (ran or mine)[-1]
    date, name = str(last.get("ended", ""))[:16].replace("T", " "), str(last.get("run", ""))
    return CURRENT, f"{'made' if ran else 'restored from the cache'} {date} by {name}"


def _of(made: Made | None) -> str:
    if made is None:
        return "made by a plain `dvc repro`"
    if not made.machine:
        return f"restored from a cache {made.date}".strip()
    parts = [f"made on {made.machine}", made.date, f"by {made.run}" * bool(made.run)]
    return " ".join(part for part in parts if part)


def _commit(run: Snapshot, path: str) -> str | None:
    """HEAD, where the workspace has the file as git has it there."""
    try:
        head = git.resolve(run.root, "HEAD")
        same = git.contents(run.root, head, [path]).get(path) == run.read([path]).get(path)
        return head[:7] if same else None
    except ValueError:
        return None


def _metrics_of(run: Snapshot, name: str, stage: str) -> str | None:
    """The file of a rung's numbers, if dvc.lock has it of the stage: in a folder of the rung's name."""
    outs = hashes(run.lock.get(stage, {}), "outs")
    return next((path for path in outs if path.endswith(f"/{name}/metrics.json")), None)


def results_of(entry: dict[str, Any]) -> str:
    """The folder of data/ that an evaluation scored: the one that it reads beside pictures and masks."""
    paths = [PurePosixPath(path) for path in hashes(entry, "deps")]
    found = [path for path in paths if path.parts[0] == "data" and path.parts[1] not in NO_RESULTS]
    name = str(found[0].relative_to("data")) if len(found) == 1 else ""
    return {"affinity_labels": "affinity_labels/crf"}.get(name, name)  # as runs of old had it


def _edited(run: Snapshot, stage: str) -> str:
    """What of a rung's files is not as dvc.lock has it; files that are not there are not at hand, no more."""
    outs = hashes(run.lock[stage], "outs")
    present = run.read(path for path, value in outs.items() if not value.endswith(".dir"))
    wrong = [path for path, content in present.items() if digest(content) != outs[path]]
    return f"{wrong[0]} is not the one of dvc.lock" if wrong else ""


def _values(run: Snapshot, path: str) -> dict[str, Any] | None:
    try:
        values = json.loads(run.text(path) or "")
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def _reasons(faults: list[Fault]) -> str:
    found = list(dict.fromkeys(fault.text for fault in faults))
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more
