"""reports/provenance.json: which machine made a rung's numbers, and when, for who reads them from git.

`wsss run` writes it beside the reports: by rung the hash of its metrics.json, the day, the processor or
GPU, the run. It says nothing of a rung whose hash is another one: then a plain `dvc repro` made the numbers.
No name of a host or a user is in it.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.project import gpus, processor
from pipeline.project.root import write_whole
from pipeline.results.snapshot import Snapshot

FILE = "reports/provenance.json"
LONGEST = 100  # characters of a text from a file that anybody may have written


@dataclass(frozen=True)
class Made:
    """How a rung's numbers came to be; "" where that is not known."""

    metrics: str  # the hash of metrics.json
    date: str
    machine: str
    run: str


def read(run: Snapshot) -> dict[str, Made]:
    """By rung; a file that is no such file says nothing."""
    return _parsed(run.text(FILE) or "")


def note(root: Path, hashes: Mapping[str, str], anew: Mapping[str, Made]) -> None:
    """Describe the rungs that a run has scored `anew`.

    `hashes` are those of metrics.json, of all rungs. What is told of equal numbers already stays.
    """
    file = root / FILE
    known = _parsed(file.read_text(errors="replace")) if file.is_file() else {}
    found = {rung: made for rung, made in known.items() if rung in hashes}
    for rung, made in anew.items():
        if rung not in known or known[rung].metrics != made.metrics:
            found[rung] = made
    if found != known:
        values = {rung: vars(made) for rung, made in found.items()}
        write_whole(file, json.dumps(values, indent=2, sort_keys=True) + "\n")


def machine() -> str:
    """The processor with the cores that this process may use, and the GPUs if it may use any."""
    return ", ".join([processor.described(), *_gpus()])


def _gpus() -> list[str]:
    if not gpus.devices() or not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=gpus.SECONDS)
    except (OSError, subprocess.TimeoutExpired):  # a driver that hangs must not hold up the end of a run
        return []
    return list(dict.fromkeys(done.stdout.splitlines())) if done.returncode == 0 else []


def _parsed(text: str) -> dict[str, Made]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    entries = values.items() if isinstance(values, dict) else ()
    return {str(rung): _made(entry) for rung, entry in entries if isinstance(entry, dict)}


def _made(entry: Mapping[str, Any]) -> Made:
    metrics, date, machine, run = (_line(entry.get(key)) for key in ("metrics", "date", "machine", "run"))
    return Made(metrics, date, machine, run)


def _line(value: Any) -> str:
    """Text in one line, without what a terminal takes for an order."""
    text = " ".join(str(value or "").split())
    return "".join(sign for sign in text if sign.isprintable())[:LONGEST]
