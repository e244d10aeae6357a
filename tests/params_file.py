"""params.yaml of a test: the shipped values, changed, and written as JSON.

JSON is YAML as well. To read and write it with its comments (`Project.change`) takes a hundred times as long.
"""

import copy
import functools
import json
from pathlib import Path
from typing import Any

from stages.common.params import read_yaml

ROOT = Path(__file__).resolve().parents[1]


def shipped_params() -> dict[str, Any]:
    """To be changed."""
    return copy.deepcopy(_shipped())


@functools.cache
def _shipped() -> dict[str, Any]:
    return read_yaml(ROOT / "params.yaml")


def write_params(values: dict[str, Any]) -> None:
    """Into the working directory."""
    Path("params.yaml").write_text(json.dumps(values))
