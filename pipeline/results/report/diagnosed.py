"""The part of the page about the diagnosis of the classifier: drawings and tables."""

from typing import Any

from pipeline.project.tables import Table
from pipeline.results import charts, diagnosis
from pipeline.results.diagnosis import WORDS
from pipeline.results.report import diagnosed_charts as drawings
from pipeline.results.scores import Scores


def part(found: Scores) -> dict[str, Any]:
    """Empty where the recipe does not ask for it; with `why_not` alone where there are no numbers of it."""
    known = diagnosis.read(found)
    if known is None and not diagnosis.asked(found.run):
        return {}
    if known is None or not known.rung.good:
        return {"why_not": known.rung.standing if known else f"not run: `wsss run {diagnosis.STAGE}`"}
    rung, methods = known.rung, diagnosis.by_method(known.removal)
    return {
        "why_not": "",
        "standing": rung.standing,
        "images": rung.images,
        "pairs": int(rung.numbers["pairs"]),
        "left_out": rung.cell("left_out"),
        "accuracy": rung.cell("accuracy"),
        "bias": known.bias if rung.numbers["pairs"] else [],
        "bias_chart": charts.svg(drawings.bias(known.bias)) if rung.numbers["pairs"] else "",
        "methods": [
            row for name, rows in methods.items() for row in lines(name, rows, rung.cell(f"agreement_{name}"))
        ]
        if rung.images
        else [],
        "agrees": any(name.startswith("agreement_") for name in rung.numbers),
        "says": [WORDS[name] for name in methods if name in WORDS],
        "removal_chart": charts.svg(drawings.removal(methods)) if rung.images else "",
    }


def lines(method: str, rows: Table, agreement: str) -> Table:
    """A method at its smallest and its largest share, where these differ."""
    ends = rows[1:2] + rows[2:][-1:]
    return [row | {"name": diagnosis.name_of(method), "agreement": agreement} for row in ends]
