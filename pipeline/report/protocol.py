"""The protocol card: what a reader must know to trust a number, or to compare it with another."""

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import ledger, presets, terminal, worktrees
from pipeline.data_set import DataSet
from pipeline.tables import Table

PACKAGES = ("torch", "torchvision", "segmentation_models_pytorch", "timm", "numpy", "dvc")
Rows = list[tuple[str, str]]


def card(root: Path, params: dict[str, Any], lock: dict[str, Any], data: DataSet, ladder: Table) -> Rows:
    """Name and text of each line."""
    evaluation, source = params["evaluation"], params["dataset"]
    scored = ", ".join(f"{row['rung']} on {row['images']} of {row['split']}" for row in ladder)
    number = {split: sum(p["split"] == split for p in data.pictures) for split in ("train", "val")}
    readers = "the evaluation and this page's pictures" + ", and the ceiling," * bool(params["ceiling"]["of"])
    return [
        ("data set", f"{source['name']} (source {source['source']}): {len(data.classes) - 1} classes, "
                     f"{number['train']} pictures of train, {number['val']} of val"),
        ("fingerprint", f"data/dataset {_hash(lock, 'data/dataset')}, masks {_hash(lock, 'data/masks')}"),
        ("scored", f"{scored}; the truth is {source.get('masks') or 'masks'}, which only "
                   f"{readers} read"),
        ("resolution", "every picture at its own size; maps are brought to it bilinearly"),
        ("maps", "divided by their maximum, per picture and class; only of classes in the picture's labels"),
        ("threshold", f"{evaluation['threshold']:g} for all pictures and classes, a parameter; the best of "
                      f"{evaluation['bins']} is found on the same masks and is there to be seen, not used"),
        ("mean", "IoU over the classes that occur, background included, of one table of counts over the "
                 "whole split; 255 in the truth is not scored, unknown in a result counts as missed"),
        ("chosen on", "networks saw image-level labels only, and the last epoch is kept; thresholds, beta "
                      "and steps of the presets were chosen on training masks, as the papers do"),
        ("seeds", ", ".join(f"{key} {value}" for key, value in _seeds(params)) or "none"),
        *_preset(root),
        ("revision", revision(root)),
        ("versions", ", ".join([f"python {platform.python_version()}", *map(_version, PACKAGES)])
                     + " (of the environment that made this page)"),
    ]  # fmt: skip


def cost(root: Path, lock: dict[str, Any]) -> Table:
    """By stage: what its present result took, as this clone's ledger knows it; cells else are empty."""
    entries = [entry for entry in ledger.read(root) if entry.get("outcome") == "ran"]
    rows = []
    for stage, value in lock.items():
        mine = [e for e in entries if e.get("stage") == stage and e.get("outs") == ledger.hashes(value)]
        row = {"stage": stage, "time": "", "seconds": "", "memory": "", "on": "", "ended": ""}
        if mine:
            last = mine[-1]
            seconds, memory = float(last.get("seconds") or 0), float(last.get("memory") or 0)
            row |= {"time": terminal.clock(seconds), "seconds": f"{seconds:.1f}"}
            row |= {"memory": f"{memory / 2**20:.0f}" if memory else ""}
            row |= {
                "on": str(last.get("device", "")),
                "ended": str(last.get("ended", ""))[:16].replace("T", " "),
            }
        rows.append(row)
    return rows


def _hash(lock: dict[str, Any], path: str) -> str:
    outs = [out for entry in lock.values() for out in entry.get("outs", [])]
    return next((str(out.get("md5", ""))[:12] for out in outs if out["path"] == path), "unknown")


def _seeds(params: dict[str, Any]) -> list[tuple[str, int]]:
    return [(f"{name}.seed", section["seed"]) for name, section in params.items()
            if isinstance(section, dict) and "seed" in section]  # fmt: skip


def _preset(root: Path) -> Rows:
    """The preset that is nearest to params.yaml, and what differs from it."""
    near = {name: presets.differences(root, name) for name in presets.names(root)}
    if not near:
        return []
    name = min(near, key=lambda key: len(near[key]))
    changes = "; ".join(f"{key} {now} (preset: {its})" for key, now, its in near[name])
    return [("parameters", f"as preset {name}" + (f", but {changes}" if changes else ""))]


def revision(root: Path) -> str:
    try:
        commit = worktrees.git(root, "rev-parse", "--short", "HEAD")
        changed = worktrees.git(root, "status", "--porcelain", "--untracked-files=no")
    except ValueError:
        return "not in git"
    return commit + (", with changes that are not committed" if changed else "")


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} missing"
