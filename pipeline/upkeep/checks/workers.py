"""Dask: does the scheduler that WSSS_DASK names answer."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.upkeep.checks import OK, PROBLEM, Line
from pipeline.upkeep.checks.versions import installed
from stages.common.cluster import address

INSTALL = 'pip install -c constraints.txt -e ".[dask]"'
START = f"start it (docs/cluster.md), or unset {address.VARIABLE}"


def dask(root: Path) -> Iterator[Line]:
    """Nothing where WSSS_DASK is not set."""
    if not os.environ.get(address.VARIABLE):
        return
    asked = address.asked()
    if installed("distributed") is None:
        yield Line(PROBLEM, "dask", f"{address.VARIABLE}={asked}, and Dask is not installed", INSTALL)
    elif number := address.local(asked):
        yield Line(OK, "dask", f"per-picture work goes to {number} processes here")
    else:
        yield _scheduler(asked)


def _scheduler(asked: str) -> Line:
    try:
        address.reach(asked)
    except (OSError, OverflowError) as error:  # a port that cannot be
        return Line(PROBLEM, "dask", f"no Dask scheduler answers at {asked}: {error}", START)
    return Line(OK, "dask", f"the scheduler {asked} answers: per-picture work goes to its workers")
