"""What `wsss predict` can say at once of what it was asked for, before torch is loaded."""

import re
from collections.abc import Iterator
from pathlib import Path

from stages.predictions.pictures import found

NAMED = 3  # of many files


def for_labels(root: Path, pictures: list[Path], out: Path, model: Path | None) -> Iterator[str]:
    """Lines on what will not be labelled. ValueError where nothing can be, or the results have no place."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is there already: name a new folder, results are never mixed")
    place = model or root / "data" / "segmenter"
    missing = [name for name in ("config.json", "weights.safetensors") if not (place / name).is_file()]
    if missing:
        hint = "`wsss run segmenter` makes data/segmenter, `dvc checkout` takes it from the cache"
        raise ValueError(f"{model or 'data/segmenter'} holds no trained segmenter (no {missing[0]}): {hint}")
    problems = {path: why for path in pictures if (why := found.problem(path))}
    if len(problems) == len(set(pictures)):
        raise ValueError("\n".join(f"{_typed(path)}: {why}" for path, why in problems.items()))
    yield from (f"cannot be labelled: {_typed(path)}: {why}" for path, why in problems.items())
    if others := found.skipped(pictures):
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        yield f"skipped, no pictures: {', '.join(str(path) for path in others[:NAMED])}{more}"


def _typed(path: Path) -> str:
    """As the user has typed it: a path makes one slash of two."""
    return re.sub(r"^(\w+):/(?=[^/])", r"\1://", str(path))
