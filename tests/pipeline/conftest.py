"""For tests of projects whose stages take no time."""

from pathlib import Path

import pytest

from tests.conftest import Project, once
from tests.pipeline import stub


@pytest.fixture(scope="session")
def built_stub(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The stub graph, run and committed; a change of most of its sections ends there. Tests change copies."""
    return Project(once(tmp_path_factory, "stub", stub.build))


@pytest.fixture
def project(built_stub: Project, tmp_path: Path) -> Project:
    """A copy of the stub graph that is up to date, and has traced nothing."""
    copy = built_stub.copy(tmp_path / "project")
    stub.traced(copy)
    return copy
