"""Tables to paste into a paper or a sheet: the ladder, and IoU by class, as LaTeX (booktabs) and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence

from pipeline.project.tables import Table
from pipeline.results.report.seeds import Values, numbers, spread
from pipeline.results.scores import PERCENT, Scores
from stages.common.artifacts import as_text

Spreads = Mapping[str, Mapping[str, tuple[float, float]]]  # mean and deviation by row and column
SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def as_csv(rows: Table, spreads: Spreads | None = None) -> str:
    """Rows as they are; where seeds are known, the mean and a column `... sd` behind it."""
    if not rows:
        return ""
    spreads = spreads or {}
    key, *columns = rows[0]
    wide = {column: any(column in spreads.get(row[key], {}) for row in rows) for column in columns}
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow([key, *(name for c in columns for name in ([c, f"{c} sd"] if wide[c] else [c]))])
    for row in rows:
        cells = [as_text(row[key])]
        for column in columns:
            found = spreads.get(row[key], {}).get(column)
            cells.append(f"{found[0]:.2f}" if found else row[column])
            if wide[column]:
                cells.append(f"{found[1]:.2f}" if found else "")
        lines.writerow(cells)
    return out.getvalue()


def as_latex(rows: Table, words: Sequence[str], spreads: Spreads | None = None) -> str:
    """A booktabs table; columns but the first and `words` hold numbers, set to the right."""
    if not rows:
        return ""
    key, *columns = rows[0]
    shape = "l" + "".join("l" if column in words else "r" for column in columns)
    head = " & ".join(escape(name.replace("_", " ")) for name in rows[0])
    lines = [rf"\begin{{tabular}}{{{shape}}}", r"\toprule", rf"{head} \\", r"\midrule"]
    for row in rows:
        own = (spreads or {}).get(row[key], {})
        cells = [escape(row[key]), *(_cell(row[column], own.get(column)) for column in columns)]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def of_ladder(like: list[Scores], found: Scores) -> dict[str, dict[str, tuple[float, float]]]:
    """Of each column, by rung: over runs like the one that has `found`, of its rungs that are scored."""
    spreads: dict[str, dict[str, tuple[float, float]]] = {}
    for key in PERCENT:
        values = numbers(like, key)
        for rung in found.good:
            if both := spread(values.get(rung.name, {})):
                spreads.setdefault(rung.name, {})[key] = both
    return spreads


def of_classes(values: Mapping[str, Values]) -> dict[str, dict[str, tuple[float, float]]]:
    """Of IoU by rung and class, by class and rung."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for rung, classes in values.items():
        for name, seeds in classes.items():
            if both := spread(seeds):
                found.setdefault(name, {})[rung] = both
    return found


def escape(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def _cell(text: str, both: tuple[float, float] | None) -> str:
    return rf"${both[0]:.2f} \pm {both[1]:.2f}$" if both else escape(text) or "--"
