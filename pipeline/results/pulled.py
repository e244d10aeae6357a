"""A finished run's numbers, tables and pictures from the DVC remote, without its weights, maps and masks.

Megabytes instead of gigabytes: all that the page and a comparison read.
"""

import filecmp
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.project import locks, places
from pipeline.results.snapshot import Snapshot, hashes, open_run
from stages.common.artifacts import write_atomic
from stages.common.door import visible

REPORTS, RAW = "reports/", "data/raw/"
TEXTS = (".csv", ".json", ".md", ".txt")  # of an output in data/: what it says of itself
SHOWN = 3  # files that a message names


@dataclass(frozen=True)
class Pulled:
    """Paths of files."""

    new: list[str]  # of the workspace, or for another run in the cache
    there: list[str]  # equal, and so left as they were
    mine: list[str]  # of the workspace, with other content: left as they were
    lacking: list[str]
    why: str  # in words, where something is lacking
    size: int = 0  # bytes of the new ones


def pull(root: Path, name: str | None) -> Pulled:
    """Into the workspace what the committed dvc.lock names; of another run, `name`, into the cache alone.

    ValueError where nothing can be had, where the workspace's dvc.lock is not the committed one, or where
    a run is at work there.
    """
    run = open_run(root, name or "HEAD")
    if name is None:
        _check(root)
    outs = [out for entry in run.lock.values() for out in hashes(entry, "outs")]
    wanted = [path for out in outs for path in _told(run, out)]
    found = run.files(wanted)
    why = "; ".join(run.problems)
    if not found:
        raise ValueError(f"nothing of {run.name} can be fetched: {why or 'its dvc.lock names no results'}")
    result = Pulled([], [], [], [path for path in wanted if path not in found], why)
    for path, source in found.items():
        file = root / path
        if name or not file.exists():
            result.new.append(path)
        else:
            (result.there if filecmp.cmp(file, source, shallow=False) else result.mine).append(path)
        if name is None and not file.exists():
            write_atomic(file, source.read_bytes())
    return replace(result, size=sum(found[path].stat().st_size for path in result.new))


def _check(root: Path) -> None:
    """What is written beside other results would be taken for theirs."""
    held = places.worktree_lock(root)
    if locks.is_held(held):
        raise locks.HeldError("this worktree", locks.holder(held))
    committed, here = open_run(root, "HEAD"), open_run(root, "workspace")
    if here.lock != committed.lock:
        raise ValueError(
            "dvc.lock is not the committed one: results of a commit would lie beside those of a run here. "
            "`wsss pull HEAD` fetches them into the cache alone, for `wsss diff`; or commit dvc.lock first"
        )


def _told(run: Snapshot, out: str) -> list[str]:
    """What an output tells: all in reports/, and texts elsewhere. A folder whose list is lacking: itself.

    Pictures that were generated tell nothing, and a data set with a part of its files is none.
    """
    value, told = run.hash(out) or "", out.startswith(REPORTS)
    if out.startswith(RAW):
        return []
    if value.endswith(".dir"):
        files = run.inside(out) or ([out] if run.problems else [])
        return [path for path in files if told or path == out or path.endswith(TEXTS)]
    return [out] if value and told and not run.read([out]) else []  # git has the smallest


def main(root: Path, name: str | None) -> int:
    """Fetch and say what was fetched; 1 where something was not."""
    found = pull(root, name)
    where = f"into the cache: `wsss diff {name}` reads them" if name else "`wsss report` writes their page"
    print(f"{len(found.new)} files, {found.size / 1e6:.1f} MB, {len(found.there)} were there; {where}")
    print("without weights, maps and masks: `dvc pull` fetches all")
    if found.mine:
        print(f"left as they are, for they differ: {_some(found.mine)}")
    if found.lacking:
        print(f"{_some(found.lacking)} could not be fetched: {found.why}")
    return int(bool(found.mine or found.lacking))


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return visible(f"{', '.join(paths[:SHOWN])}{more}")
