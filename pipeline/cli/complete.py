"""What a shell offers at TAB where a command takes the name of something in the project.

A shell asks anew at every TAB, so nothing here loads DVC or torch. Outside a project, or where a file is
missing or damaged, there is nothing to offer: an error would land in the middle of a half-typed line. The
library keeps the names that begin with what is typed; what comes with a name, zsh and fish show beside it.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

import typer

Names = list[str | tuple[str, str]]


def _offered(names: Callable[[Path], Names]) -> Names:
    from pipeline.project.root import find_root

    if _second_part():
        return []
    try:
        return names(find_root())
    except Exception:  # whatever a damaged file leads to
        return []


def _second_part() -> bool:
    """Whether bash asks for a part of a word, `pr` of evaluation@pr: it would put a whole name there."""
    words, place = os.environ.get("COMP_WORDS", "").split("\n"), int(os.environ.get("COMP_CWORD", 0))
    return 0 < place <= len(words) and words[place - 1] in ("@", "=", ":")


def presets() -> Names:
    """Recipes, then data sets, each with its title."""
    from pipeline.project.presets import data_names, names

    return _offered(lambda root: [*names(root).items(), *data_names(root).items()])


def keys(incomplete: str) -> Names:
    """Dotted keys of params.yaml; before anything is typed the sections alone, for the keys are hundreds."""
    from pipeline.project.presets import dotted
    from stages.common.params import read_yaml

    def known(root: Path) -> Names:
        return [key for key in dotted(read_yaml(root / "params.yaml")) if incomplete or "." not in key]

    return _offered(known)


def stages() -> Names:
    """Steps of the recipe as params.yaml has it; where one runs for several things, each of these, too."""
    from pipeline.results.snapshot import resolved
    from stages.common.params import read_yaml

    def known(root: Path) -> Names:
        values, found = read_yaml(root / "params.yaml"), []
        for step, entry in read_yaml(root / "dvc.yaml")["stages"].items():
            each = list(resolved(entry["foreach"], values) or []) if "foreach" in entry else [""]
            found += [step] * bool(each)
            found += [f"{step}@{name}" for name in each if len(each) > 1]
        return found

    return _offered(known)


def ledger_sets() -> Names:
    from pipeline.ledger.rows import read

    return _offered(lambda root: [(name, found.title) for name, found in read(root).sets.items()])


def ledger_rows(context: typer.Context) -> Names:
    """Kinds, then rows, of the set that stands before on the line; `plain` is both."""
    from pipeline.ledger.rows import read

    def known(root: Path) -> Names:
        kinds = read(root).of(context.params.get("of") or "demo")
        rows = (row for found in kinds.values() for row in found if row.name not in kinds)
        return [*kinds, *((row.name, row.title) for row in rows)]

    return _offered(known)


def pictures() -> Names:
    """Of the data set, each with its classes."""
    from pipeline.results.data_set import labels, read

    return _offered(lambda root: [(row["id"], ", ".join(labels(row))) for row in read(root).pictures])


def revisions() -> Names:
    """What `wsss diff` compares: the workspace, branches, tags, points of sweeps, runs (-sN: of a point)."""
    from pipeline.project import git

    def known(root: Path) -> Names:
        refs = git.run(root, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags").split()
        runs = git.branches(root)
        points = [re.sub(r"-s\d+$", "", run) for run in runs]
        others = [ref for ref in refs if not ref.startswith(git.BRANCH)]
        return list(dict.fromkeys(["HEAD", "workspace", *others, *points, *runs]))

    return _offered(known)
