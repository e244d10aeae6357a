"""The part of the page about the explanation metrics: drawing, table, and what each of them says."""

from typing import Any

from pipeline.project.tables import Table
from pipeline.results import charts, explanation
from pipeline.results.explanation import MICRO, WORDS
from pipeline.results.report import charts as drawings
from pipeline.results.scores import Scores
from stages.explanation.names import BETTER


def part(found: Scores) -> dict[str, Any]:
    """Empty where the recipe does not ask for it; with `why_not` alone where there are no numbers of it."""
    rung = explanation.read(found)
    if rung is None and not explanation.asked(found.run):
        return {}
    if rung is None or not rung.good:
        return {"why_not": rung.standing if rung else f"not run: `wsss run {explanation.STAGE}`"}
    rows = explanation.classes(found)
    numbers = rung.numbers
    return {
        "why_not": "",
        "standing": rung.standing,
        "metrics": [{"key": key, "better": BETTER[key], "words": words} for key, words in WORDS.items()],
        "means": {key: rung.cell(key) for key in WORDS},
        "micro": {key: rung.cell(MICRO + key) for key in WORDS},
        "rows": worst_first(rows),
        "counts": {key: int(numbers[key]) for key in ("pairs", "pairs_with_others")}
        | {"images": rung.images},
        "chart": _chart({key: numbers[key] for key in WORDS if key in numbers}, rows),
    }


def worst_first(rows: Table) -> Table:
    """By F1+, the lowest first; then the classes without one, those without any pair last."""
    return sorted(rows, key=lambda row: (row["pairs"] == "0", not row["f1_plus"], float(row["f1_plus"] or 0)))


def _chart(means: dict[str, float], rows: Table) -> str:
    if not means:
        return ""
    by_class = {key: [float(row[key]) for row in rows if row[key]] for key in means}
    return charts.svg(drawings.explanation(means, by_class))
