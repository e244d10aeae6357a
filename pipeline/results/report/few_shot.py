"""The part of the page about few-shot segmentation: scores of each fold, its classes, and episodes drawn."""

from typing import Any

from pipeline.results import pages, scores
from pipeline.results.scores import Rung, Scores, text
from stages.episodes.names import heading, order

STAGE = "episodes"  # a foreach over the folds


def part(found: Scores) -> dict[str, Any]:
    """Empty where the recipe does not ask for it; a fold without numbers says with `why_not` why."""
    asked = folds(found)
    if not asked:
        return {}
    rungs = {fold: _read(found, fold) for fold in asked}
    good = [rung for rung in rungs.values() if rung and rung.good]
    kinds = _kinds(good)
    return {
        "kinds": [heading(kind) for kind in kinds],
        "vectors": " and ".join(found.run.params["few_shot"]["vectors"]),
        "folds": [_fold(found, fold, rung, kinds) for fold, rung in rungs.items()],
        "means": _means(good, kinds) if len(good) == len(rungs) > 1 else [],
    }


def folds(found: Scores) -> list[int]:
    """Those that the run's parameters ask for."""
    section = found.run.params.get("few_shot")
    return list(section.get("folds") or []) if isinstance(section, dict) else []


def networks(found: Scores) -> dict[str, tuple[str, str]]:
    """Title, and the folder in data/, of each fold's network, by its stage."""
    return {
        f"few_shot@{fold}": (f"Few-shot network, fold {fold}", f"few_shot/{fold}") for fold in folds(found)
    }


def _read(found: Scores, fold: int) -> Rung | None:
    stage = f"{STAGE}@{fold}"
    return scores.extra(found, str(fold), stage) if stage in found.run.lock else None


def _kinds(rungs: list[Rung]) -> list[str]:
    """How supports guide, as the tables name it, of all folds: fewer shots first."""
    names = {
        key.removeprefix("miou_") for rung in rungs for key in rung.numbers
        if key.startswith("miou_") and not key.endswith("_std")
    }  # fmt: skip
    return sorted(names, key=order)


def _fold(found: Scores, fold: int, rung: Rung | None, kinds: list[str]) -> dict[str, Any]:
    if rung is None or not rung.good:
        why = rung.standing if rung else f"not run: `wsss run {STAGE}@{fold}`"
        return {"fold": fold, "why_not": why}
    sheet = found.run.root / rung.folder / "sheet.png"
    return {
        "fold": fold,
        "why_not": "",
        "standing": rung.standing,
        "episodes": int(rung.numbers["episodes"]),
        "runs": int(rung.numbers["runs"]),
        "images": rung.images,
        "rows": [
            {"score": name, "cells": [_cell(rung, f"{key}_{kind}") for kind in kinds]}
            for name, key in (("mIoU", "miou"), ("FB-IoU", "fb_iou"))
        ],
        "classes": [
            {
                "class": row["class"],
                "episodes": row["episodes"],
                "cells": [row.get(f"iou_{k}", "") for k in kinds],
            }
            for row in found.run.table(f"{rung.folder}/per_class.csv")
        ],
        "sheet": pages.data_uri(sheet) if sheet.is_file() else "",
    }


def _cell(rung: Rung, key: str) -> str:
    """A mean, and its deviation over the runs if there are several."""
    deviation = rung.cell(f"{key}_std")
    return rung.cell(key) + (f" ± {deviation}" if deviation else "")


def _means(rungs: list[Rung], kinds: list[str]) -> list[str]:
    """mIoU over the folds, as papers give it."""
    keys = [f"miou_{kind}" for kind in kinds]
    return [
        text(sum(rung.numbers[key] for rung in rungs) / len(rungs))
        if all(key in rung.numbers for rung in rungs)
        else ""
        for key in keys
    ]
