"""Values of a JSON or XML that somebody else wrote: taken out with a word on what is wrong."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from stages.dataset.areas import Spot
from stages.dataset.files import read_file

MOST = 4 << 30  # bytes of a file of annotations: COCO's largest has 470 MB
T = TypeVar("T")
KINDS = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}


def read_json(path: Path) -> Any:
    """ValueError naming the file and the place where it is no JSON."""
    try:
        return json.loads(read_file(path, MOST).decode("utf-8-sig"))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON in UTF-8: {error}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: line {error.lineno} is no JSON: {error.msg}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def take(entry: object, key: str, kind: type[T]) -> T:
    """entry[key]. ValueError where it is missing or of another kind."""
    if not isinstance(entry, Mapping):
        raise ValueError(f"is {short(entry)}, not an object")
    if key not in entry:
        raise ValueError(f"{key!r} is missing")
    value = entry[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{key!r} is {short(value)}, not {KINDS.get(kind, kind.__name__)}")
    return value


def number(value: object) -> float:
    """A finite float of a number or a text."""
    try:
        found = float(value) if not isinstance(value, bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{short(value)} is no number")
    return found


def numbers(values: object, count: int | None = None) -> list[float]:
    """Of a list; of `count` numbers, if that is given."""
    if not isinstance(values, Sequence) or isinstance(values, str) or count not in (None, len(values)):
        raise ValueError(f"{short(values)} is not {f'{count} ' if count else 'a list of '}numbers")
    return [number(value) for value in values]


def spots(flat: Sequence[float]) -> tuple[Spot, ...]:
    """x, y, x, y, ... in pairs."""
    if len(flat) % 2:
        raise ValueError(f"{len(flat)} numbers are no pairs of x and y")
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def pairs(values: object) -> tuple[Spot, ...]:
    """Of a list of [x, y]."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"{short(values)} is not a list of points")
    return spots([value for pair in values for value in numbers(pair, 2)])


def short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
