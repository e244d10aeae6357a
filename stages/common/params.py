"""How a stage reads its parameters: only the keys that its `params:` list in dvc.yaml declares."""

import difflib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML, YAMLError

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]  # more is a slip of the keyboard
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
# The folder of data/ that holds what somebody made, if it is read: a link as `wsss link` makes it.
Given = Annotated[str, Field(pattern=r"^(nothing|raw/[A-Za-z0-9][A-Za-z0-9_.-]*)$")]


class Section(BaseModel):
    """A section of params.yaml. There are no defaults.

    Errors are unknown keys, wrong types, and numbers that are not finite (.inf, .nan).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


DEEP, ALIASED, LARGE = 100, 100_000, 20_000_000  # levels, values that aliases repeat, characters
SHOWN, LINES = 200, 40  # characters of a value, and problems, that a message names

Model = TypeVar("Model", bound=BaseModel)


class ParameterError(ValueError):
    """params.yaml holds something that is not allowed; the message says what is."""


class Empty(Section):
    """The section of a method without keys of its own."""


def read_yaml(path: Path) -> dict[str, Any]:
    """The file as a dict. YAML 1.2 as DVC reads it, so `1e-4` is a number."""
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise ParameterError(f"{path} is missing: run from the project's root") from None
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path} is not valid YAML: no UTF-8: {error}") from None
    if not isinstance(values, dict):
        raise ParameterError(f"{path} must hold sections, found {type(values).__name__}")
    return values


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text from anywhere: a branch that was fetched, a cache that others write to.

    ParameterError, which begins with `where`, for what is no YAML, and for what would take all memory.
    """
    check_yaml(text, where)
    try:
        return YAML(typ="safe").load(text)
    except (YAMLError, ValueError) as error:
        raise ParameterError(f"{where} is not valid YAML: {problem_of(error, text)}") from None


def problem_of(error: Exception, text: str) -> str:
    """What a YAML reader's error says of a text, in one line: where, what is wrong, and within what."""
    problem, at = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if at is None:
        return " ".join(str(error).split())
    if any(line[at.column : at.column + 1] == "\t" for line in text.splitlines()[at.line : at.line + 1]):
        problem = "a tab where YAML takes spaces"
    context, begun = getattr(error, "context", None), getattr(error, "context_mark", None)
    since = f", from line {begun.line + 1}" if begun else ""
    within = f" ({context}{since})" if context else ""
    return f"line {at.line + 1}, column {at.column + 1}: {problem}{within}"


def check_yaml(text: str, where: str) -> None:
    """ParameterError for a text that a YAML reader should not see: too deep, too large with its aliases."""
    try:
        problem = _bomb(text)
    except (YAMLError, ValueError):  # which the reader says better
        return
    if problem:
        raise ParameterError(f"{where} is refused: {problem}")


@lru_cache(maxsize=32)  # dvc.lock and dvc.yaml are looked at many times
def _bomb(text: str) -> str | None:
    """What is wrong with its size, from its events alone: an alias stands for all that its anchor holds."""
    if len(text) > LARGE:
        return f"it has more than {LARGE} characters"
    sizes: dict[str, int] = {}  # of what is anchored, with all that aliases in it repeat
    open_: list[tuple[str | None, int]] = []  # anchor, and the count before
    count = repeated = 0
    for event in YAML(typ="safe").parse(text):
        kind, anchor = type(event).__name__, getattr(event, "anchor", None)
        if kind == "AliasEvent":
            if any(anchor == name for name, _ in open_):
                return f"*{anchor} stands in what it names"
            count += sizes.get(anchor or "", 0)
            repeated += sizes.get(anchor or "", 0)
            if repeated > ALIASED:
                return f"its aliases repeat more than {ALIASED} values"
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            open_.append((anchor, count))
            count += 1
            if len(open_) > DEEP:
                return f"it is nested more than {DEEP} levels deep"
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            name, before = open_.pop()
            sizes |= {name: count - before} if name else {}
        elif kind == "ScalarEvent":
            count += 1
            sizes |= {anchor: 1} if anchor else {}
    return None


def check(model: type[Model], values: dict[str, Any], where: str) -> Model:
    """Validate `values`; every problem is one line: the key, what is wrong, what is allowed."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [line for problem in error.errors() for line in _explain(model, problem).splitlines()]
        more = [f"  and {len(lines) - LINES} more"] if len(lines) > LINES else []
        said = [f"{where}: {len(lines)} problem(s)", *lines[:LINES], *more]
        raise ParameterError("\n".join(said)) from None


def load(section: str, model: type[Model], stage: str | None = None, item: str | None = None) -> Model:
    """The section as `stage` may see it: what dvc.yaml declares for the stage, and no more.

    `item` is the one of a foreach that runs, where the stage's keys hang on it.
    """
    stage = stage or section
    values = read_yaml(Path("params.yaml"))
    declared = [key for key in declared_keys(stage, item) if key.split(".")[0] == section]
    if not declared:
        raise ParameterError(f"dvc.yaml declares no parameter of {section} for stage {stage}")
    seen = _select(values, declared)
    return check(model, seen.get(section, {}), f"params.yaml, section {section}")


def declared_keys(stage: str, item: str | None = None) -> list[str]:
    """The `params:` of a stage in dvc.yaml, templates such as ${seeds.method} filled in."""
    stages = read_yaml(Path("dvc.yaml")).get("stages", {})
    if stage not in stages:
        raise ParameterError(f"dvc.yaml has no stage {stage}")
    entry = stages[stage].get("do", stages[stage])
    values = read_yaml(Path("params.yaml")) | ({} if item is None else {"item": item})
    return [fill(key, values) for key in entry.get("params", [])]


def fill(key: str, values: dict[str, Any]) -> str:
    """A text of dvc.yaml with its templates, such as ${seeds.method}, filled in."""
    while "${" in key:
        start, end = key.index("${"), key.index("}")
        key = key[:start] + str(value_of(values, key[start + 2 : end])) + key[end + 1 :]
    return key


def value_of(values: Any, key: str) -> Any:
    """The value of a dotted key."""
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            raise ParameterError(f"params.yaml: {key} is missing")
        values = values[part]
    return values


def _select(values: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for key in keys:
        *parents, last = key.split(".")
        place = chosen
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value_of(values, key)
    return chosen


def _explain(model: type[BaseModel], problem: Any) -> str:
    key = _short(".".join(str(part) for part in problem["loc"]))
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, known_keys(model), n=1, cutoff=0.5)
        return f"  {key}: unknown key" + (f"; did you mean {near[0]}?" if near else "")
    if problem["type"] == "missing":
        return f"  {key}: missing"
    if problem["type"] == "value_error":  # of a validator of ours, which says what it found
        text = str(problem["ctx"]["error"])
        return f"  {key}: {text}" if key else f"  {text}"
    return f"  {key}: {problem['msg']}, found {_short(repr(problem['input']))}"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """All dotted keys of a model, those of its sections included."""
    keys = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                keys += known_keys(kind, f"{prefix}{name}.")
    return keys
