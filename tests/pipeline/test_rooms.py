"""The rooms of pipeline/ stand in one order: a room imports from those before it, never from one behind."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = ("project", "memory", "results", "engine", "sweep", "ledger", "flows", "upkeep")
NAMED = re.compile(r"(?<![\w./-])(?:pipeline|stages|tests|docs|presets|benchmarks)/[\w./-]+\.\w+")
FILES = sorted(path for room in ORDER for path in (ROOT / "pipeline" / room).rglob("*.py"))


def modules(path: Path) -> set[str]:
    """The modules that a file imports, and each name that it takes from one, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def imported(path: Path) -> set[str]:
    """The rooms that a file imports from."""
    return {name.split(".")[1] for name in modules(path) if name.startswith("pipeline.")}


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


def test_dvcs_interface_is_imported_in_memory_and_for_two_things_in_upkeep():
    """It is private in all but name: what a new version of DVC may break stands in one place."""
    dvc = {"dvc", "dvc_data", "dvc_objects"}
    users = {path for path in FILES if any(name.split(".")[0] in dvc for name in modules(path))}
    known = {"upkeep/prune.py", "upkeep/checks/project.py"}
    others = {str(path.relative_to(ROOT / "pipeline")) for path in users if "memory" not in path.parts}
    assert others == known


def test_files_that_comments_and_pages_name_are_there():
    """The names in docs/add-a-method.md are of files to be written; NAME stands for any."""
    pages = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), ROOT / "dvc.yaml", ROOT / "Makefile"]
    code = [path for folder in ("pipeline", "stages") for path in (ROOT / folder).rglob("*.py")]
    named = {
        name
        for path in (*pages, *code)
        if path.name != "add-a-method.md"
        for name in NAMED.findall(path.read_text())
        if "NAME" not in name
    }
    assert len(named) > 20 and {name for name in named if not (ROOT / name).exists()} == set()
