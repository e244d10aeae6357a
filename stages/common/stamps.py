"""Which code a step runs: the files that its door imports, and those of the methods that params.yaml chooses.

The stage `code` writes a stamp for each step, and a stage depends on the stamp of its step: so an edit of a
method that is not chosen runs `code` alone. All here is static: files are parsed, nothing is imported.
"""

import ast
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from stages.common import statements
from stages.common.params import read_yaml

FOLDER = "data/code"  # data/code/<step>, made by the stage `code`
NOTHING = "data/nothing"  # a file, in place of another stage's output that a stage does without
EMPTY = "nothing\n"  # the content of NOTHING
Read = Callable[[str], bytes | None]
"""A file's bytes by its path from the project's root; None where there is no such file."""

CHOSEN = re.compile(r"stages\.([a-z_]+)\.(?:([a-z_]+)\.)?")  # what stands before a name chosen at run time


def reader(root: Path) -> Read:
    """The files of a folder."""

    def read(path: str) -> bytes | None:
        file = root / path
        return file.read_bytes() if file.is_file() else None

    return read


def all_of(root: Path) -> dict[str, str]:
    """The stamp of every step of the project in `root`, but of `code` itself. ParameterError for bad YAML."""
    values, read = read_yaml(root / "params.yaml"), reader(root)
    steps = sorted(path.parent.name for path in (root / "stages").glob("*/__main__.py"))
    return {step: stamp(step, values, read) for step in steps if step != "code"}


def stamp(step: str, values: Mapping[str, Any], read: Read) -> str:
    """The text of data/code/<step>: a line `digest  path` for each file that the step runs, sorted by path.

    `values` are those of params.yaml. Left out are files without a statement, and the schemas of parameters
    (save for the step `parameters`), so that adding a method or a key reruns nothing. No more does an edit of
    a comment or a docstring, for the digest is of what is left without them.
    """
    lines = []
    modules = [f"stages.{step}.__main__", *(schemas(values) if step == "parameters" else [])]
    for path in closure(modules, values, read):
        content = read(path)
        if content and _look(content).runs and (step == "parameters" or not is_schema(path)):
            lines.append(f"{_look(content).digest}  {path}\n")
    return "".join(lines)


def digest(content: bytes) -> str:
    """SHA-256 of a file's statements, in hexadecimal; of all of it where it does not parse."""
    return _look(content).digest


def schemas(values: Mapping[str, Any]) -> list[str]:
    """Where the types of each section are, of a step that is there."""
    return [f"stages.{section}.params" for section in values]


def is_schema(path: str) -> bool:
    """Types, choices and ranges of parameters: they compute nothing."""
    return path.endswith("params.py") and path != "stages/common/params.py"


def closure(modules: list[str], values: Mapping[str, Any], read: Read) -> list[str]:
    """The project's files that importing `modules` runs, their packages included, sorted.

    Imports inside functions count too. A module whose name is put together at run time, as in
    f"stages.seeds.{method}", is the one that `values` chooses: `seeds.method`, or of a stage that is a
    foreach over methods `saliency.of`; in a folder of the step, as in f"stages.segmenter.losses.{loss}", the
    one of the key that begins the folder's name, `segmenter.loss`.
    """
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for path in _paths(name):
            if path in found or (content := read(path)) is None:
                continue
            found.add(path)
            looked = _look(content)
            waiting += looked.imports
            for prefix in looked.prefixes:
                waiting += [f"{prefix}{name}" for name in _choices(prefix, values)]
    return sorted(found)


def files(text: str) -> dict[str, str]:
    """The hashes of a stamp's files by path."""
    return {path: digest for digest, _, path in (line.partition("  ") for line in text.splitlines())}


def differences(before: str, now: str) -> Iterator[str]:
    """What changed between two stamps, in words."""
    old, new = files(before), files(now)
    for path in sorted({**old, **new}):
        if path not in new:
            yield f"{path} is run no more"
        elif old.get(path) != new[path]:
            yield f"{path} {'changed' if path in old else 'is run now'}"


def _paths(module: str) -> list[str]:
    """Where the module's own file and the __init__ of each package above it would lie."""
    parts = module.split(".")
    packages = ["/".join([*parts[:n], "__init__.py"]) for n in range(1, len(parts) + 1)]
    return [*packages, "/".join(parts) + ".py"]


class Looked(NamedTuple):
    """What is to be known of a file of code."""

    digest: str  # of its statements
    runs: bool  # whether it has one
    imports: tuple[str, ...]  # modules of this project, and names of theirs
    prefixes: tuple[str, ...]  # what stands before a name that is chosen at run time


@lru_cache(maxsize=1024)  # most files are in the closures of most steps
def _look(content: bytes) -> Looked:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # the stage that imports it says so
        return Looked(_sha256(content), True, (), ())
    built = any(quote + b"stages." in content for quote in (b'"', b"'"))  # few files; a walk takes a while
    left = statements.only(content, tree)
    imports, prefixes = _imports(_statements(tree.body)), _prefixes(tree) if built else ()
    return Looked(_sha256(left), bool(left), tuple(imports), tuple(prefixes))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements, without the expressions in them."""
    for node in body:
        yield node
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, inner, ()))


def _imports(nodes: Iterable[ast.AST]) -> list[str]:
    names: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] in ("stages", "pipeline")]


def _prefixes(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and len(node.values) == 2:
            first = node.values[0]
            if isinstance(first, ast.Constant) and CHOSEN.fullmatch(str(first.value)):
                found.append(str(first.value))
    return found


def _choices(prefix: str, values: Mapping[str, Any]) -> list[str]:
    """The names that params.yaml gives; none where it is wrong, which the stage `parameters` says."""
    step, folder = CHOSEN.fullmatch(prefix).groups()  # type: ignore[union-attr]
    section = values.get(step)
    if not isinstance(section, Mapping):
        return []
    keys = [key for key in section if (folder.startswith(str(key)) if folder else key in ("method", "of"))]
    names: list[Any] = []
    for value in (section[key] for key in keys):
        names += list(value) if isinstance(value, list | Mapping) else [value]
    return [name for name in names if isinstance(name, str) and name.isidentifier()]
