"""What a run leaves in Prefect's UI: a report, a table of IoU by class, and progress while it lasts.

The report is also saved as .dvc/tmp/wsss/report.md. Each part is left out where its files are missing.
"""

import contextlib
import contextvars
import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from pipeline.memory import plan
from pipeline.project import git, places, presets, words
from pipeline.project.changes import between
from pipeline.project.outcomes import GOOD, Result
from pipeline.project.root import write_whole
from pipeline.project.tables import Table, markdown
from pipeline.results import scores
from pipeline.results.scores import Rung, Scores
from pipeline.results.snapshot import open_run
from stages.common.params import parse_yaml, read_yaml

REPORT, PER_CLASS = "wsss-report", "wsss-per-class"
QUICK = 5.0  # seconds; what is done sooner gets no bar
PAUSE = 2.0  # seconds between two updates of the bars


@dataclass(frozen=True)
class About:
    """What a report is about; `root` is the worktree of the run."""

    root: Path
    name: str
    planned: plan.Plan
    results: dict[str, Result]


@dataclass(frozen=True)
class Report:
    """What is shown of a run that has ended."""

    name: str
    text: str  # markdown
    per_class: Table


def report(about: About, previous: str) -> Report:
    """Read the results; their numbers are compared with those of the revision `previous`."""
    found = scores.workspace(about.root)
    parts = [_summary(about), _outcomes(about), _ladder(found, previous)]
    parts += [_parameters(about), _pictures(found)]
    text = "\n".join(part for part in parts if part)
    return Report(about.name, text, found.per_class())


def show(report: Report, root: Path) -> None:
    """Save the report in the checkout `root`, then show it in the UI."""
    file = places.state(root) / "report.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, report.text)
    create_markdown_artifact(report.text, key=REPORT, description=f"run {report.name}")
    if report.per_class:
        create_table_artifact(
            report.per_class, key=PER_CLASS, description=f"IoU in percent, run {report.name}"
        )


def _summary(about: About) -> str:
    bad = [result for result in about.results.values() if not result.good]
    total = len(about.results)
    state = f"{len(bad)} of {total} stages are not" if bad else f"all {total} stages are"
    counts = Counter(result.outcome for result in about.results.values())
    parts = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    return f"# {about.name}: {state} up to date\n\n{parts}.\n"


def _outcomes(about: About) -> str:
    rows = []
    for name, result in about.results.items():
        row = about.planned.rows.get(name)
        planned = (row.state, words.shorten(row.why)) if row else ("", "")
        why = result.why or (planned[1] if result.outcome not in ("unchanged", "blocked") else "")
        outcome = result.outcome if result.outcome in GOOD else f"**{result.outcome}**"
        took = words.clock(result.seconds) if result.outcome != "unchanged" and result.seconds else ""
        rows.append((name, planned[0], outcome, took, result.device, why))
    return markdown(("stage", "plan", "outcome", "time", "on", "why"), rows, right=(3,))


def _ladder(found: Scores, previous: str) -> str:
    """A row per rung, those without numbers too, and below who made them."""
    if not found.rungs:
        return ""
    before = _before(found.run.root, previous)
    header = (*found.rungs[0].row(), "change of miou")
    cells = [(*rung.row().values(), _change(rung, before.get(rung.name))) for rung in found.rungs]
    table = markdown(header, cells, right=range(2, len(header)))
    told = "".join(f"- {rungs}: {standing}\n" for rungs, standing in found.told())
    return f"## The ladder\n\nIn percent; the change is against `{previous}`.\n\n{table}\n{told}"


def _before(root: Path, previous: str) -> dict[str, Rung]:
    with contextlib.suppress(ValueError):  # there was no such run
        return {rung.name: rung for rung in scores.read(open_run(root, previous)).good}
    return {}


def _change(now: Rung, before: Rung | None) -> str:
    """Of two runs that both have scored the rung."""
    if before is None or "miou" not in now.numbers or "miou" not in before.numbers:
        return ""
    return f"{now.numbers['miou'] - before.numbers['miou']:+.2f}"


def _parameters(about: About) -> str:
    changes = parameter_changes(about.root)
    if not changes:
        return ""
    cells = [(key, json.dumps(old), json.dumps(new)) for key, old, new in changes]
    return f"## Parameters\n\nAgainst the commit.\n\n{markdown(('parameter', 'before', 'now'), cells)}"


def parameter_changes(root: Path) -> list[presets.Change]:
    """What differs in params.yaml from the commit that the worktree is at."""

    try:
        text = git.run(root, "show", "HEAD:./params.yaml")
    except ValueError:
        return []
    return between(parse_yaml(text, "params.yaml of the run before"), read_yaml(root / "params.yaml"))


def _pictures(found: Scores) -> str:
    from pipeline.results import contact

    rungs = [(rung.name, rung.split) for rung in found.good]
    sheets = contact.sheets(found.run.root / "reports" / "gallery", rungs)
    pictures = [f"![The same pictures in every rung, split {split}]({uri})\n" for split, uri in sheets]
    return "\n".join(["## Pictures\n", *pictures]) if pictures else ""


@dataclass
class _Bar:
    """The progress of one stage, as last told and as last shown."""

    context: contextvars.Context  # of its task run, to which the artifact belongs
    since: float = field(default_factory=time.monotonic)
    last: float = 0.0
    told: tuple[float, str] = (0.0, "")
    shown: tuple[float, str] = (0.0, "")
    note: str = ""
    artifact: UUID | None = None


class Bars:
    """A progress artifact per stage that takes its time.

    They are sent by a thread of their own: a server that is slow or gone must not hold up who reads a
    stage's output, or its pipe fills and the stage stands still.
    """

    def __init__(self) -> None:
        self._bars: dict[str, _Bar] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._send, name="progress", daemon=True)
        self._thread.start()

    def progress(self, stage: str, pace: str, done: int, total: int) -> None:
        bar = self._bar(stage)
        bar.last = time.monotonic()
        bar.told = (100 * done / max(total, 1), f"{pace}{bar.note}")

    def epoch(self, stage: str, text: str) -> None:
        self._bar(stage).note = f"; {text}"

    def _bar(self, stage: str) -> _Bar:
        if stage not in self._bars:
            self._bars[stage] = _Bar(contextvars.copy_context())
        return self._bars[stage]

    def close(self) -> None:
        """Show what was told last, if that takes no time."""
        self._closed.set()
        self._thread.join(5)

    def _send(self) -> None:
        last = False
        while not last:
            last = self._closed.wait(PAUSE)
            for stage, bar in list(self._bars.items()):
                with contextlib.suppress(Exception):  # a bar is no reason to fail
                    self._show(stage, bar)

    def _show(self, stage: str, bar: _Bar) -> None:
        told = bar.told
        if told == bar.shown or (bar.artifact is None and bar.last - bar.since < QUICK):
            return
        percent, text = told
        if bar.artifact is None:
            key = re.sub("[^a-z0-9]+", "-", f"progress-{stage}".lower())
            made = bar.context.run(create_progress_artifact, percent, key, f"{stage}, {text}")
            bar.artifact = cast(UUID, made)
        else:
            bar.context.run(update_progress_artifact, bar.artifact, percent, f"{stage}, {text}")
        bar.shown = told
