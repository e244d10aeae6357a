"""The pictures of a comparison: the same ones as both runs left them, drawn by a child process.

It gets two folders laid out as the project is, with links to the files that it needs: they lie in the
workspace or in DVC's cache, and nothing is copied.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.project import children
from pipeline.results import pages, scores
from pipeline.results.diff import parting
from pipeline.results.diff.comparison import Diff
from pipeline.results.diff.notes import some
from pipeline.results.scores import results_of
from pipeline.results.snapshot import Snapshot, hashes

INDEX = ("index.csv", "classes.json")  # of a data set: what the child reads besides pictures
SIDE = 224  # pixels, the longest side of a picture as shown

Drawings = dict[str, str]  # data URIs by name: picture, truth, a.labels, b.labels, a.errors, b.errors


@dataclass(frozen=True)
class Sheet:
    """The drawings by rung and picture, what could not be drawn, and names and colours in them."""

    shots: dict[str, dict[str, Drawings]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    classes: tuple[tuple[str, str], ...] = ()


def draw(diff: Diff, place: Path, most: int) -> Sheet:
    """The `most` pictures that changed most at each rung, drawn in the folder `place`."""
    shown = diff.pictures if most else ()
    wanted = {found.rung: [picture.id for picture in found.changed[:most]] for found in shown}
    for name, run in zip("ab", diff.pair, strict=True):
        if wanted and not _lay_out(run, place / name, wanted):
            return Sheet(notes=(f"no pictures: {run.name} has none to draw{_why(diff)}",))
    if not wanted:
        return Sheet()
    thresholds = [parting.value(run.params, "evaluation.threshold") for run in diff.pair]
    folders = {name: str(place / name) for name in ("a", "b", "out")}
    results = [{rung: results_of(run.lock[scores.names(run)[rung]]) for rung in wanted} for run in diff.pair]
    spec = {**folders, "rungs": wanted, "side": SIDE}
    spec |= {
        "thresholds": dict(zip("ab", thresholds, strict=True)),
        "results": dict(zip("ab", results, strict=True)),
    }
    (place / "spec.json").write_text(json.dumps(spec))
    if children.run(diff.pair[0].root, "stages.commands.compare", [place / "spec.json"]):
        return Sheet(notes=("no pictures: they could not be drawn, the reason was printed",))
    about = json.loads((place / "out" / "about.json").read_text())
    colours = [tuple((name, colour) for name, colour in about[what]) for what in ("errors", "classes")]
    return Sheet(_read(place / "out", wanted), tuple(_left_out(diff, about["left_out"])), *colours)


def _lay_out(run: Snapshot, folder: Path, wanted: dict[str, list[str]]) -> bool:
    """Links to all that the evaluations of the rungs read of the wanted pictures, and to the index.

    False if the index cannot be had: then nothing can be drawn.
    """
    paths: set[str] = set()
    for rung, ids in wanted.items():
        stage = scores.names(run).get(rung)
        for dep in _inputs(run, stage):
            paths.update(_of_pictures(run.inside(dep), ids))
    for path, file in run.files(sorted(paths)).items():
        link = folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    return all(any(folder.rglob(name)) for name in INDEX)


def _inputs(run: Snapshot, stage: str | None) -> list[str]:
    """What a stage read of the outputs of others."""
    deps = hashes(run.lock[stage], "deps") if stage else {}
    return [dep for dep in deps if dep.startswith("data/") and not parting.is_stamp(dep)]


def _of_pictures(paths: Iterable[str], ids: list[str]) -> list[str]:
    """Files are named after their picture."""
    known = set(ids)
    return [path for path in paths if Path(path).stem in known or Path(path).name in INDEX]


def _read(out: Path, wanted: dict[str, list[str]]) -> dict[str, dict[str, Drawings]]:
    return {
        rung: {
            name: {file.stem: pages.data_uri(file) for file in (out / rung / name).iterdir()}
            for name in ids
            if (out / rung / name).is_dir()
        }
        for rung, ids in wanted.items()
    }


def _left_out(diff: Diff, reasons: dict[str, str]) -> list[str]:
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    return [f"not drawn: {some(found)}: {reason}{_why(diff)}" for reason, found in names.items()]


def _why(diff: Diff) -> str:
    problems = dict.fromkeys(problem for run in diff.pair for problem in run.problems)
    return f" ({'; '.join(problems)})" if problems else ""
