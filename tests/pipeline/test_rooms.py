"""The rooms of pipeline/ stand in one order: a room imports from those before it, never from one behind."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = ("project", "memory", "results", "engine", "sweep", "flows", "upkeep")
FILES = sorted(path for room in ORDER for path in (ROOT / "pipeline" / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The rooms that a file imports from, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("pipeline.")}


def test_every_folder_is_a_room_of_the_order():
    folders = {path.name for path in (ROOT / "pipeline").iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == {*ORDER, "cli"}
    assert {path.name for path in (ROOT / "pipeline").glob("*.py")} == {"__init__.py"}


def test_files_are_short():
    files = [path for folder in ("pipeline", "stages") for path in (ROOT / folder).rglob("*.py")]
    assert {str(path): lines for path in files if (lines := len(path.read_text().splitlines())) > 300} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "pipeline")))
def test_a_room_imports_from_no_room_behind_it(path: Path):
    room = path.relative_to(ROOT / "pipeline").parts[0]
    assert imported(path) <= set(ORDER[: ORDER.index(room) + 1])
