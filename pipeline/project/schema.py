"""Which schema judges parameters: the project's own, which at another revision may be another one."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from stages.common import stamps
from stages.common.params import ParameterError, check, parse_yaml, read_yaml
from stages.parameters.params import Parameters

HERE = Path(stamps.__file__).parents[2]
SCHEMA, LOOK = "stages.parameters.params", "stages/parameters/look.py"


def problem(root: Path) -> str | None:
    """What the schema of the project in `root` refuses of its params.yaml; None if all is well."""
    if not is_ours(stamps.reader(root)):
        return _asked(root) if (root / LOOK).is_file() else None
    try:
        check(Parameters, read_yaml(root / "params.yaml"), "params.yaml")
    except ParameterError as error:
        return str(error)
    return None


def is_ours(read: stamps.Read) -> bool:
    """Whether a project, by its files, has the schema of this process; one without any schema does."""
    if read("stages/parameters/params.py") is None:
        return True
    files = [*_ours(), *stamps.closure(stamps.schemas(_values(read)), {}, read)]  # it may have more steps
    return all(read(path) == _ours().get(path) for path in files)


def _values(read: stamps.Read) -> dict[str, Any]:
    try:
        values = parse_yaml((read("params.yaml") or b"").decode(), "params.yaml")
    except (ParameterError, UnicodeDecodeError):  # which a reader of these values says
        values = None
    return values if isinstance(values, dict) else {}


@cache
def _ours() -> dict[str, bytes | None]:
    """The files of the schema of this process."""
    read = stamps.reader(HERE)
    modules = [SCHEMA, *(f"stages.{name}.params" for name in Parameters.model_fields)]
    return {path: read(path) for path in stamps.closure(modules, {}, read)}


def _asked(root: Path) -> str | None:
    """By a child with the project's own code: what `wsss check` says there."""
    done = subprocess.run(
        [sys.executable, "-m", "stages.parameters.look"], cwd=root, capture_output=True, text=True
    )
    return (
        done.stderr.strip().removeprefix("error: ") or "params.yaml is refused" if done.returncode else None
    )
