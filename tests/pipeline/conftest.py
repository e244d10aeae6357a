"""For tests of how processes end, and of projects whose stages take no time."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.common.conftest import Marked
from tests.conftest import Project
from tests.pipeline import stub


@pytest.fixture
def marked() -> Iterator[Marked]:
    """The processes of one test; what is left of them when it fails ends with it."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    processes = Marked()
    yield processes
    processes.left(0)


@pytest.fixture(scope="session")
def built_stub(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The stub graph, run once per test session: xdist's workers share it. Tests change copies only."""
    common = tmp_path_factory.getbasetemp()
    return stub.built(common.parent if "PYTEST_XDIST_WORKER" in os.environ else common)


@pytest.fixture
def project(built_stub: Project, tmp_path: Path) -> Project:
    """A copy of the stub graph that is up to date, and has traced nothing."""
    copy = built_stub.copy(tmp_path / "project")
    stub.traced(copy)
    return copy
