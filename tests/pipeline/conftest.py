"""For tests of projects whose stages take no time."""

import os
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.pipeline import stub


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
