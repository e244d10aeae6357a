"""Training logs: can what WSSS_LOGS asks for be written."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.engine import training_logs
from pipeline.upkeep.checks import OK, Line


def logs(root: Path) -> Iterator[Line]:
    """Nothing where WSSS_LOGS is not set."""
    if kind := training_logs.asked():
        yield Line(OK, "logs", f"each epoch of each training goes to {training_logs.FOLDER}/{kind}, too")
