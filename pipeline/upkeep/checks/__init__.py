"""The checks of `wsss doctor`: each looks at one thing and changes nothing."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OK, WARNING, PROBLEM = "ok", "warning", "problem"
PATIENCE = 600.0  # seconds for a child that imports a large library: a busy machine is not broken
SLOW = 20.0  # seconds from which on this is told


@dataclass(frozen=True)
class Line:
    """What a check found, and what to do about it."""

    mark: str
    check: str
    text: str
    do: str = ""


class ProbeError(ValueError):
    """A child did not get to its end; `values` is what it said before, `cause` its kind of exception."""

    def __init__(self, message: str, values: dict[str, Any]) -> None:
        super().__init__(message)
        self.values = values
        self.cause = message.partition(":")[0]


class SlowError(ProbeError):
    """A child was still at work after PATIENCE seconds: nothing is known to be broken."""


def probe(root: Path, program: str) -> dict[str, Any]:
    """Run Python lines in a child: a broken library takes it along, not us. It prints JSON, line by line.

    Returns all of its values, and `seconds`, how long it took; ProbeError holds its last words.
    """
    began = time.monotonic()
    command = [sys.executable, "-c", program]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        raise SlowError(f"no answer within {PATIENCE:.0f} s", _values(said)) from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise ProbeError(words[-1], _values(done.stdout))
    return _values(done.stdout) | {"seconds": time.monotonic() - began}


def slow(check: str, what: str, values: dict[str, Any]) -> list[Line]:
    """A line where a child took its time."""
    seconds = values.get("seconds", 0.0)
    if seconds < SLOW:
        return []
    do = "a busy machine or a slow disk: each stage starts as slowly, nothing is broken"
    return [Line(WARNING, check, f"{what} is slow ({seconds:.0f} s)", do)]


def _values(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for line in text.splitlines():
        if line.startswith("{"):
            values |= json.loads(line)
    return values
