"""The checks of `wsss doctor`: each looks at one thing and changes nothing."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OK, WARNING, PROBLEM = "ok", "warning", "problem"
PATIENCE = 300.0  # seconds for a child that imports a large library: a network disk takes minutes
SLOW = 20.0  # seconds, from which on it is worth a word


@dataclass(frozen=True)
class Line:
    """What a check found, and what to do about it."""

    mark: str
    check: str
    text: str
    do: str = ""


class SlowError(ValueError):
    """A child has not come to its end in PATIENCE seconds: nothing is known to be broken."""


class ProbeError(ValueError):
    """A child did not get to its end; `values` is what it said before."""

    def __init__(self, message: str, values: dict[str, Any]) -> None:
        super().__init__(message)
        self.values = values


def probe(root: Path, program: str) -> dict[str, Any]:
    """Run Python lines in a child: a broken library takes it along, not us. It prints JSON, line by line.

    Returns all of its values, and under "took" how many seconds it needed. ProbeError holds its last words;
    SlowError is raised for one that is given up.
    """
    command, start = [sys.executable, "-c", program], time.monotonic()
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise SlowError(f"no answer within {PATIENCE:.0f} s") from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise ProbeError(words[-1], _values(done.stdout))
    return {**_values(done.stdout), "took": time.monotonic() - start}


def slow(values: dict[str, Any]) -> str:
    """A word on a child that took its time."""
    took = values.get("took", 0.0)
    return f"; slow: {took:.0f} s to import" if took > SLOW else ""


def _values(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for line in text.splitlines():
        if line.startswith("{"):
            values |= json.loads(line)
    return values
