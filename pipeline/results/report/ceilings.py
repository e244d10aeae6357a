"""The part of the page about what the labels cost: full supervision and the oracles (CHEN 4.4.2)."""

from typing import Any

from pipeline.results import charts, scores
from pipeline.results.report import charts as drawings
from pipeline.results.scores import Rung, Scores

PREDICTIONS = "predictions"  # the folder of data/ that the segmenter of the recipe made
NAMES = {  # as the bars are called, in their order
    "own": "the labels as they are",
    "only_true": "only the right ones",
    "all_corrected": "all put right",
    "segmenter": "full supervision",
}


def read(found: Scores) -> dict[str, Rung]:
    """What the parameters ask for and the run has, by its name in `ceiling.of`."""
    asked = found.run.params["ceiling"]["of"]
    stages = {name: f"ceiling@{name}" for name in asked if f"ceiling@{name}" in found.run.lock}
    rungs = {name: scores.extra(found, name, stage) for name, stage in stages.items()}
    return {name: rung for name, rung in rungs.items() if rung.good and "miou" in rung.numbers}


def part(found: Scores, ceilings: dict[str, Rung]) -> dict[str, str]:
    """The drawing and what it says; empty where there is no oracle beside the segmenter's own result.

    Only what was scored on the same pictures is compared.
    """
    own = next((r for r in found.good if r.results == PREDICTIONS and "miou" in r.numbers), None)
    known = {"own": own} | ceilings if own else {}
    of_same = {name: rung for name, rung in known.items() if own and _scored(rung) == _scored(own)}
    miou = {name: of_same[name].numbers["miou"] for name in NAMES if name in of_same}
    if not {"only_true", "all_corrected"} & miou.keys() or "own" not in miou:
        return {}
    bars = [(NAMES[name], value) for name, value in miou.items()]
    return {"says": sentence(miou), "chart": charts.svg(drawings.oracles(bars))}


def sentence(miou: dict[str, float]) -> str:
    """What wrong and what missing labels cost, in points of mIoU, by the keys of NAMES; `own` is there."""
    own, corrected, full = (miou.get(name) for name in ("own", "all_corrected", "segmenter"))
    said = []
    if own is not None and corrected is not None:
        said.append(
            f"wrong labels cost {corrected - own:.2f} points of mIoU ({own:.2f} as they are, "
            f"{corrected:.2f} all put right)"
        )
    if corrected is not None and full is not None:
        said.append(f"missing labels cost {full - corrected:.2f} ({full:.2f} with full supervision)")
    if "only_true" in miou:
        said.append(f"where the wrong ones are left out instead of put right, it is {miou['only_true']:.2f}")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _scored(rung: Rung) -> tuple[str, int]:
    return rung.split, rung.images


def of_table(ceilings: dict[str, Rung]) -> dict[str, Any]:
    """Full supervision as a row of the ladder; empty if unknown."""
    return ceilings["segmenter"].row() if "segmenter" in ceilings else {}
