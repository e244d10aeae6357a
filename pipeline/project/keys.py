"""What a key of params.yaml means: its words there, what may stand there, who reads it, which presets set it.

Nothing is written down twice: the words are params.yaml's comments, the range is the schema's, the readers
are dvc.yaml's, the source is the row of docs/methods.md.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.project.presets import dotted, unknown
from pipeline.project.root import read_text
from stages.common.params import read_yaml, value_of
from stages.parameters.params import Parameters

LINE = re.compile(
    r"""(?P<indent>\ *)(?P<key>\w+):(?:"[^"]*"|'[^']*'|[^"'#])*(?:\#\ (?P<words>.*))?$""", re.VERBOSE
)
ROW = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Key:
    name: str
    value: Any
    words: str  # of its comment; "" if it has none
    allowed: str
    readers: tuple[str, ...]  # stages of dvc.yaml
    presets: dict[str, Any]  # the values of those that set another one
    sources: dict[str, str]  # by method of docs/methods.md


def about(root: Path, key: str) -> Key:
    """ValueError for a key that is not there, naming the nearest."""
    values = read_yaml(root / "params.yaml")
    if key not in dotted(values):
        raise ValueError(unknown(key, dotted(values)))
    return Key(
        key,
        value_of(values, key),
        _words(words(read_text(root / "params.yaml", "params.yaml")), key),
        allowed(Parameters.model_json_schema(), key),
        readers(read_yaml(root / "dvc.yaml"), key),
        _presets(root, key, value_of(values, key)),
        _sources(root / "docs" / "methods.md", {*key.split("."), str(value_of(values, key))}),
    )


def words(text: str) -> dict[str, str]:
    """The comments of a file of parameters by dotted key: those above a key's line, and the one behind it."""
    found: dict[str, str] = {}
    above: list[str] = []
    parents: list[tuple[int, str]] = []  # indent and key of the sections around
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            above.append(line.strip().removeprefix("#").strip())
        elif match := LINE.match(line):
            indent = len(match["indent"])
            parents = [each for each in parents if each[0] < indent] + [(indent, match["key"])]
            said = " ".join([*above, *filter(None, [match["words"]])])
            found |= {".".join(key for _, key in parents): said} if said else {}
            above = []
        else:
            above = []
    return found


def _words(said: dict[str, str], key: str) -> str:
    """Its own, or those of its like: an encoder is explained once, where the file first has one."""
    _, *tail = key.split(".")
    like = next((name for name in said if len(tail) > 1 and name.split(".")[1:] == tail), key)
    return said.get(key) or (f"{said[like]} ({like})" if like in said else "")


def allowed(schema: dict[str, Any], key: str) -> str:
    """What may stand at a key, in words."""
    place = schema
    for part in key.split("."):
        place = _meant(schema, place)
        if part not in place.get("properties", {}):
            return "as the section around says"  # options of a library
        place = place["properties"][part]
    return _allowed(schema, place)


def _meant(schema: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    """Without references; of a section that a step may do without, the section."""
    while True:
        if "$ref" in place:
            place = schema["$defs"][place["$ref"].rpartition("/")[2]]
        elif sections := [each for each in place.get("anyOf", ()) if "$ref" in each]:
            place = sections[0]
        else:
            return place


def _allowed(schema: dict[str, Any], place: dict[str, Any]) -> str:
    if "anyOf" in place:  # a default stands for "not read by this step", never in params.yaml
        kinds = [each for each in place["anyOf"] if each.get("type") != "null" or "default" not in place]
        return " or ".join(_allowed(schema, each) for each in kinds)
    place = _meant(schema, place)
    if "enum" in place or "const" in place:
        return " | ".join(map(str, place.get("enum", [place.get("const")])))
    kind = place.get("type")
    if kind in ("integer", "number"):
        return f"{'whole number' if kind == 'integer' else 'number'}{_bounds(place)}"
    if kind == "array":
        items = place.get("items") or {"anyOf": place.get("prefixItems", [{}])}
        return f"list of {_allowed(schema, items)}{_count(place)}"
    if kind == "object":
        keys = ", ".join(place.get("properties", {}))
        return f"section: {keys}" if keys else "mapping, {} for none"
    return {"boolean": "true | false", "string": "text", "null": "null"}.get(str(kind), "any value")


def _count(place: dict[str, Any]) -> str:
    ends = {"at least": place.get("minItems"), "at most": place.get("maxItems")}
    texts = [f"{end} {number}" for end, number in ends.items() if number is not None]
    return f" ({', '.join(texts)})" if texts else ""


def _bounds(place: dict[str, Any]) -> str:
    low, high = place.get("minimum"), place.get("maximum")
    texts = [f"above {place['exclusiveMinimum']}"] if "exclusiveMinimum" in place else []
    texts += [f"below {place['exclusiveMaximum']}"] if "exclusiveMaximum" in place else []
    if low is not None and high is not None:
        texts.append(f"{low} to {high}")
    elif low is not None or high is not None:
        texts.append(f"{low} or more" if low is not None else f"{high} or less")
    return f", {', '.join(texts)}" if texts else ""


def stages(dvc: Any, where: str) -> dict[str, dict[str, Any]]:
    """The stages of a dvc.yaml by name. ValueError where it has none, naming it as `where`."""
    found = dvc.get("stages") if isinstance(dvc, dict) else None
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise ValueError(f"{where} has no stages: take one that `wsss plan` can read")
    return found


def readers(dvc: dict[str, Any], key: str) -> tuple[str, ...]:
    """The stages of dvc.yaml whose parameters hold the key, or a part of it; by some choice of methods."""
    found = []
    for name, entry in stages(dvc, "dvc.yaml").items():
        body = entry.get("do", entry)
        names = [one for each in body.get("params", ()) for one in (each if isinstance(each, str) else "",)]
        names += re.findall(r"\$\{([\w.]+)\}", f"{entry.get('foreach', '')} {body.get('deps', '')}")
        if any(_touches(one, key) for one in names):
            found.append(name)
    return tuple(found)


def _touches(declared: str, key: str) -> bool:
    """`segmenter.${segmenter.loss}` stands for any key of that section."""
    parts = re.sub(r"\$\{[^}]*\}", "*", declared).split(".")
    return bool(declared) and all(a in ("*", b) for a, b in zip(parts, key.split("."), strict=False))


def _presets(root: Path, key: str, value: Any) -> dict[str, Any]:
    found = {}
    for file in sorted((root / "presets").rglob("*.yaml"), key=lambda file: file.stem):
        values = read_yaml(file)
        other = value_of(values, key) if key in dotted(values) else value
        if other != value and not isinstance(other, dict):
            found[file.stem] = other
    return found


def _sources(methods: Path, names: set[str]) -> dict[str, str]:
    """The second cells of the rows whose first names one of these, in tables with a column `source`."""
    found: dict[str, str] = {}
    inside = False
    for line in read_text(methods, methods.name).splitlines() if methods.is_file() else ():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif len(cells) > 1 and cells[1] == "source":
            inside = True
        elif inside:
            found |= {name: cells[1] for name in ROW.findall(cells[0]) if name in names}
    return found


def show(root: Path, key: str | None) -> list[str]:
    """The lines about one key; of a section, or of the whole file, the keys in it."""
    said = words(read_text(root / "params.yaml", "params.yaml"))
    if key is None:
        return [f"{name!s:<22}{said.get(name, '')}".rstrip() for name in read_yaml(root / "params.yaml")]
    found = about(root, key)
    if isinstance(found.value, dict) and found.value:
        lines = [f"{key}: {found.words}" if found.words else key]
        for name, value in found.value.items():
            short = "..." if isinstance(value, dict) and value else text(value)
            lines.append(
                f"  {name}: {short:<{max(1, 28 - len(name))}} {said.get(f'{key}.{name}', '')}".rstrip()
            )
    else:
        lines = [f"{key}: {text(found.value)}", *([f"  {found.words}"] if found.words else [])]
        lines.append(f"  {found.allowed}")
    lines.append(f"  read by {', '.join(found.readers) or 'no stage'}")
    lines += [f"  {name}: {source}" for name, source in found.sources.items()]
    others = ", ".join(f"{name} {text(value)}" for name, value in found.presets.items())
    return [*lines, *([f"  presets: {others}"] if others else [])]


def text(value: Any) -> str:
    """A value in one line, as YAML writes it."""
    return value if isinstance(value, str) and value else json.dumps(value, default=str)
