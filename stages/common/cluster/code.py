"""What code and which libraries compute here: equal results rest on equal ones."""

from pathlib import Path

from stages.common.fingerprint import LIBRARIES, ROOT, file_hash, version

Code = dict[str, str]  # hashes of the files of stages/, versions of libraries


def code(root: Path = ROOT) -> Code:
    """Of this process. A version is without its build: torch 2.13.0+cpu counts as 2.13.0, of a GPU's host."""
    files = {str(file.relative_to(root)): file_hash(file) for file in sorted((root / "stages").rglob("*.py"))}
    return files | {name: version(name).partition("+")[0] for name in LIBRARIES}


def difference(here: Code, there: Code) -> str:
    """What a worker, there, has otherwise, in words; "" where all is equal."""
    for name in [*here, *(name for name in there if name not in here)]:
        mine, its = here.get(name, "missing"), there.get(name, "missing")
        if mine == its:
            continue
        if name in LIBRARIES:
            return f"it has {name} {its}, the stage {mine}: install what constraints.txt says on both"
        return f"its {name} is not the stage's: bring its clone to the same commit"
    return ""
