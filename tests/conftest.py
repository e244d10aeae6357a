"""For all tests: one thread each, since xdist is the parallelism, and torchvision made importable."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported, and for child processes
os.environ.setdefault("WSSS_WORKERS", "1")  # steps work in their own process, as on a machine of one core
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what tests start is compiled once, not by each of them

import atexit
import fcntl
import functools
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import stages  # noqa: F401  # before a test imports torchvision, or what imports it
from stages.common.fingerprint import file_hash
from tests import warm
from tests.common.conftest import Marked

# Started in the background by a shell, tests and all that they start would be deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
TINY = {"augment.crop": 64, "batch": 4, "epochs": 2, "threads": 1}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest first, or one process ends alone with it: tests of the whole, then of the engine."""

    def place(item: pytest.Item) -> tuple[int, int]:
        parts = item.path.relative_to(ROOT / "tests").parts
        return (0 if len(parts) == 1 else 1 if parts[0] == "pipeline" else 2), -len(parts)

    items.sort(key=place)


def drawn(values: Iterable[Any], first: int) -> list[Any]:
    """Cases of one kind for `parametrize`: `make test` tries the `first`, `make storm` the others."""
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)), marks=[pytest.mark.storm] * (n >= first)
        )
        for n, value in enumerate(values)
    ]


class Project:
    """A copy of the project in a folder of its own, with git and DVC, on a tiny generated set."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run with this interpreter first in PATH; the output, errors included, is in stdout."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", **warm_environment(), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-6000:]}"
        return done

    def change(self, **values: object) -> None:
        """Change params.yaml: `project.change(seeds__method="vgatt")`."""
        yaml = YAML()
        yaml.preserve_quotes = True
        params = yaml.load(self.root / "params.yaml")
        for key, value in values.items():
            *sections, last = key.split("__")
            place = params
            for section in sections:
                place = place[section]
            assert last in place, key
            place[last] = value
        yaml.dump(params, self.root / "params.yaml")

    def hashes(self, folder: str) -> dict[str, str]:
        """Of each file below a folder of the project, by its path in that folder."""
        files = (file for file in sorted((self.root / folder).rglob("*")) if file.is_file())
        return {str(file.relative_to(self.root / folder)): file_hash(file) for file in files}

    def stages_that_ran(self, output: str) -> set[str]:
        lines = (line for line in output.splitlines() if line.startswith("Running stage '"))
        return {line.split("'")[1] for line in lines}

    def copy(self, root: Path) -> "Project":
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)


def warm_environment() -> dict[str, str]:
    """As `warm.environment`; a package that a copy of the project lacks is this one's."""
    found = warm.environment()
    return found | {"PYTHONPATH": os.pathsep.join(filter(None, [found.get("PYTHONPATH", ""), str(ROOT)]))}


@pytest.fixture
def warmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test starts is warm, also by an engine in its own process."""
    for name, value in warm_environment().items():
        monkeypatch.setenv(name, value)


@functools.cache
def _repository(git: bool) -> Path:
    """A folder that `git init` and `dvc init` have made, for copies: DVC takes seconds for it."""
    folder = tempfile.mkdtemp(prefix="wsss-repository-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    project = Project(Path(folder))
    if git:
        project.run("git", "init", "-q", "-b", "main")
    project.run("dvc", "init", "-q", *([] if git else ["--no-scm"]))
    project.run("dvc", "config", "core.analytics", "false")
    if git:
        project.run("git", "reset", "-q")  # DVC has added its files
    (project.root / ".dvcignore").unlink()  # empty: in a copy it would take the place of the project's own
    return project.root


def new_repository(root: Path, git: bool = True) -> None:
    """git and DVC, or DVC alone, in a folder; nothing committed."""
    shutil.copytree(_repository(git), root, dirs_exist_ok=True, symlinks=True)


def make_project(root: Path) -> Project:
    root.mkdir(parents=True)
    for name in ("stages", "presets", "pipeline"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml", "prefect.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    project = Project(root)
    new_repository(root)
    steps = ("classifier", "ordinary_classifier", "saliency", "affinity", "one_step", "segmenter")
    tiny = {f"{step}__{key.replace('.', '__')}": value for step in steps for key, value in TINY.items()}
    project.change(generate__train=8, generate__val=4, generate__size=64, generate__classes=3, **tiny)
    return project


@pytest.fixture
def marked() -> Iterator[Marked]:
    """The processes of one test; what is left of them when it fails ends with it."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    processes = Marked()
    yield processes
    processes.left(0)


@pytest.fixture
def page() -> Iterator[Any]:
    """An empty page of a headless browser."""
    from tests import browser

    with browser.opened() as empty:
        yield empty


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name`, which `make` fills: once per test session, although xdist runs one in each worker.

    The first to ask makes it, the others wait. Tests change copies.
    """
    common = factory.getbasetemp()
    common = common.parent if "PYTEST_XDIST_WORKER" in os.environ else common
    place, made = common / name, common / f"{name}.made"
    with (common / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(place, ignore_errors=True)  # of one who failed
            make(place)
            made.touch()
    return place


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The whole recipe on 12 pictures; `first_run` is what DVC said."""

    def make(place: Path) -> None:
        make_project(place)
        place.with_name("recipe.txt").write_text(Project(place).run("dvc", "repro").stdout)

    project = Project(once(tmp_path_factory, "recipe", make))
    project.first_run = project.root.with_name("recipe.txt").read_text()  # type: ignore[attr-defined]
    return project


@pytest.fixture(scope="session")
def ran_stub(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The stub graph (tests/pipeline/stub.py) after `dvc repro`, as a run leaves it; not committed."""
    from pipeline.memory import lockfile
    from tests.pipeline import stub

    def make(place: Path) -> None:
        project = stub.make(place)
        project.run("dvc", "repro", "-q")
        assert lockfile.keep(place) == []
        stub.traced(project)

    return Project(once(tmp_path_factory, "ran-stub", make))
