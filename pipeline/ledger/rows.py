"""What ledger/*.yaml says: the sets of pictures, the rows of each kind of method, the documents' systems."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.engine import worktrees
from pipeline.project.root import read_text
from stages.common.params import ParameterError, Section, check, parse_yaml

FOLDER, SETS, SYSTEMS, PLAIN = "ledger", "sets", "systems", "plain"
ORDER = (  # of the kinds on the page: as a picture goes through the recipe; others come behind
    PLAIN, "best", "strategy", "attribution", "refinement", "weak-source", "network", "loss", "term",
    "inference", "one-step", "few-shot", "diagnosis",
)  # fmt: skip
FILES = ("index", "ledger", "summary")  # of the set demo in reports/ledger: no other set is called so
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]  # a part of a branch's name


class Set(Section):
    """Pictures, and the recipe that every row of them begins with: the presets' names."""

    title: str
    recipe: str
    pictures: str
    changes: dict[str, Any] = Field({})  # of steps that rows switch on, by dotted key
    without: dict[str, list[str]] = Field({})  # by kind, the stages that none of its rows ends at here


class Published(Section):
    value: str  # as printed, with what it was measured on
    source: str


class Row(Section):
    """A method: a recipe, the set's if it names none, with changes by dotted key."""

    name: Name
    title: str
    file: str  # where its code is
    source: str  # document and equation or section
    expect: str
    preset: str | None = None
    changes: dict[str, Any] = Field({})
    on: dict[str, dict[str, Any]] = Field({})  # more changes, by set
    sets: list[str] = Field(["demo"])
    to: list[str] = Field([])  # the stages that it ends at; none: every rung of its recipe
    published: Published | None = None
    needs: list[Literal["gpu"]] = Field([])


class System(Section):
    """What a document defines, and the rows that score it, the one that stands for it first."""

    name: str
    source: str  # document and equation or section
    rows: Annotated[list[str], Field(min_length=1)]
    file: str | None = None  # where it is not the first row's
    keys: str | None = None  # where they are not what the first row changes
    scores: list[str] = Field(
        []
    )  # those that tell of it, as the page calls them; none: all but explanation's


class _Sets(Section):
    sets: dict[Name, Set]


class _Rows(Section):
    rows: list[Row]


class _Systems(Section):
    systems: list[System]


File = type[_Sets] | type[_Rows] | type[_Systems]


class Ledger(Section):
    sets: dict[str, Set]
    rows: dict[str, list[Row]]  # by kind, the plain row's first
    systems: list[System]

    def of(self, name: str) -> dict[str, list[Row]]:
        """The rows of a set, by kind. ValueError for an unknown set, and for one without a plain row."""
        if name not in self.sets:
            raise ValueError(f"--set {name}: there are {', '.join(self.sets)}")
        kinds = {
            kind: here for kind, rows in self.rows.items() if (here := [r for r in rows if name in r.sets])
        }
        if len(kinds.get(PLAIN, [])) != 1:
            raise ValueError(
                f"{FOLDER}/{PLAIN}.yaml: one row of {name}, please: all others are compared with it"
            )
        return kinds

    def elsewhere(self, name: str) -> list[tuple[str, Row]]:
        """The rows that other sets have, with their kinds."""
        return [(kind, row) for kind, rows in self.rows.items() for row in rows if name not in row.sets]


def read(root: Path) -> Ledger:
    """The whole ledger. ValueError with all that is wrong with its form, a line each."""
    place = root / FOLDER
    if not (place / f"{SETS}.yaml").is_file():
        raise ValueError(f"{FOLDER}/{SETS}.yaml is missing: it names the sets of pictures")
    files = [file for file in sorted(place.glob("*.yaml")) if file.stem not in (SETS, SYSTEMS)]
    files.sort(key=lambda file: ORDER.index(file.stem) if file.stem in ORDER else len(ORDER))
    problems = [
        f"{FOLDER}/{file.name} is not read: call it {file.stem}.yaml" for file in sorted(place.glob("*.yml"))
    ]
    sets = _checked(_Sets, place / f"{SETS}.yaml", problems)
    rows = {file.stem: _checked(_Rows, file, problems) for file in files}
    systems = place / f"{SYSTEMS}.yaml"
    named = _checked(_Systems, systems, problems) if systems.is_file() else []
    if problems:
        raise ValueError("\n  ".join([f"{FOLDER}: {len(problems)} problem(s)", *problems]))
    found = Ledger(sets=sets, rows=rows, systems=named)
    if wrong := [*_twice(found), *_unknown_sets(found), *_unknown_rows(found), *_runs(found)]:
        raise ValueError("\n  ".join([f"{FOLDER}: {len(wrong)} problem(s)", *wrong]))
    return found


def chosen(kinds: dict[str, list[Row]], only: Sequence[str]) -> list[Row]:
    """The rows that are asked for by kind or name; without: all. ValueError for what is neither."""
    rows = {row.name: row for found in kinds.values() for row in found}
    if unknown := [word for word in only if word not in kinds and word not in rows]:
        near = " or ".join(difflib.get_close_matches(unknown[0], {**kinds, **rows}, n=3))
        meant = f" (did you mean {near}?)" if near else ""
        raise ValueError(
            f"--only {unknown[0]}: no kind and no row of this set{meant}; kinds: {', '.join(kinds)}; "
            f"{FOLDER}/KIND.yaml names the rows"
        )
    return [row for kind, found in kinds.items() for row in found if not only or {kind, row.name} & {*only}]


def _checked(model: File, file: Path, problems: list[str]) -> Any:
    """What the file holds; what is wrong with it goes to `problems`, a line each."""
    (field,), where = model.model_fields, f"{FOLDER}/{file.name}"
    try:
        values = parse_yaml(read_text(file, where), where)
    except ValueError as error:
        problems.append(" ".join(str(error).split()))
        return {} if model is _Sets else []
    try:
        return getattr(check(model, {field: values}, where), field)
    except ParameterError as error:
        _, *lines = str(error).splitlines()
        problems += [f"{where}: {_named(values, line.strip())}" for line in lines]
        return {} if model is _Sets else []


def _named(values: Any, line: str) -> str:
    """A problem with the name of the row or system where pydantic counts them from 0."""
    parts = line.partition(":")[0].split(".")
    if len(parts) > 1 and parts[0] in ("rows", "systems") and parts[1].isdigit():
        row = values[int(parts[1])]
        name = row.get("name", "") if isinstance(row, dict) else ""
        rest = line.removeprefix(".".join(parts[:2]))
        return f"{parts[0].removesuffix('s')} {int(parts[1]) + 1} ({name}){rest}"
    return line


def _twice(found: Ledger) -> list[str]:
    files: dict[str, list[str]] = {}  # by the name of a row
    for kind, rows in found.rows.items():
        for row in rows:
            files.setdefault(row.name, []).append(f"{FOLDER}/{kind}.yaml")
    lines = [
        f"{' and '.join(dict.fromkeys(those))}: two rows are called {name}"
        for name, those in files.items()
        if len(those) > 1
    ]
    both = [name for name in files if name in found.rows and name != PLAIN]
    return lines + [f"{files[name][0]}: {name} is a kind and a row" for name in both]


def _unknown_sets(found: Ledger) -> Iterator[str]:
    for kind, rows in found.rows.items():
        for row in rows:
            for name in dict.fromkeys([*row.sets, *row.on]):
                where = f"{FOLDER}/{kind}.yaml, {row.name}"
                if name not in found.sets:
                    yield f"{where}: there is no set {name}"
                elif name not in row.sets:
                    yield f"{where}: `on` has {name}, and `sets` has not"


def _unknown_rows(found: Ledger) -> list[str]:
    there = {row.name for rows in found.rows.values() for row in rows}
    return [
        f"{FOLDER}/{SYSTEMS}.yaml, {system.name}: there is no row {name}"
        for system in found.systems
        for name in system.rows
        if name not in there
    ]


def _runs(found: Ledger) -> Iterator[str]:
    """What is wrong with the names of runs, ledger-SET-ROW-sSEED, and of the sets' pages."""
    yield from (f"{FOLDER}/{SETS}.yaml: no set is called {name}" for name in FILES if name in found.sets)
    seen: dict[str, str] = {}
    for kind, rows in found.rows.items():
        for row in rows:
            for name in dict.fromkeys(row.sets):
                run, where = f"ledger-{name}-{row.name}-s0", f"{FOLDER}/{kind}.yaml, {row.name}"
                other = seen.setdefault(run, f"{row.name} on {name}")
                if other != f"{row.name} on {name}":
                    yield f"{where}: on {name} its runs are called as those of {other}"
                try:
                    worktrees.check_name(run)
                except ValueError as error:
                    yield f"{where}: {error}"
