"""The part of the page about the diagnosis of the classifier: drawings and tables."""

from typing import Any

from pipeline.project.tables import Table
from pipeline.results import charts, diagnosis
from pipeline.results.diagnosis import WORDS
from pipeline.results.report import diagnosed_charts as drawings
from pipeline.results.scores import Rung, Scores, text


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
        "bias": [ratios(row) for row in known.bias] if rung.numbers["pairs"] else [],
        "bias_chart": charts.svg(drawings.bias(known.bias)) if rung.numbers["pairs"] else "",
        "ends": ends(next(iter(methods.values()), [])),
        "methods": [line(name, rows, rung) for name, rows in methods.items()] if rung.images else [],
        "agrees": any(name.startswith("agreement_") for name in rung.numbers),
        "says": [WORDS[name] for name in methods if name in WORDS],
        "removal_chart": charts.svg(drawings.removal(methods)) if rung.images else "",
    }


def ratios(row: dict[str, str]) -> dict[str, str]:
    """A layer with two decimals, and half the width of the mean's interval."""
    found = {key: text(float(row[key])) for key in ("median", "lower_quartile", "upper_quartile", "mean")}
    half = text(float(row["high"]) - float(row["mean"])) if row["high"] else ""
    return {key: value.replace("-", "\u2212") for key, value in found.items()} | {
        "layer": row["layer"], "half": half
    }  # fmt: skip


def ends(rows: Table) -> Table:
    """Of the rows of a method, the whole picture's first, the smallest share and the largest."""
    return rows[1:2] + rows[2:][-1:]


def line(method: str, rows: Table, rung: Rung) -> dict[str, Any]:
    """A method with its median change and its accuracy at the smallest and the largest share."""
    both = ends(rows)
    return {
        "name": diagnosis.name_of(method),
        "changes": [row["change_median"] for row in both],
        "accuracies": [row["accuracy"] for row in both],
        "agreement": rung.cell(f"agreement_{method}").replace("-", "\u2212"),
    }
