"""The ladder: one row per rung, from what the evaluation wrote. Metrics are in percent."""

from collections.abc import Mapping, Sequence

COLUMNS = ("rung", "split", "miou", "miou_best_threshold", "precision", "recall", "images")
PERCENT = ("miou", "miou_best_threshold", "precision", "recall")

Metrics = Mapping[str, float | str | dict[str, float]]


def rows(rungs: Mapping[str, Metrics]) -> list[tuple[str, ...]]:
    """The cells of the ladder, header first. A cell without a number (no truth, no threshold) is empty."""
    return [COLUMNS] + [
        (
            name,
            str(values["split"]),
            *(f"{values[key]:.2f}" if key in values else "" for key in PERCENT),
            str(values["images"]),
        )
        for name, values in rungs.items()
    ]


def headline(rungs: Mapping[str, Metrics]) -> dict[str, float | str | dict[str, float]]:
    """The ladder's numbers under flat names: `seeds.miou` and so on."""
    return {
        f"{name}.{key}": values[key]
        for name, values in rungs.items()
        for key in (*PERCENT, "images")
        if key in values
    }


def per_class(tables: Mapping[str, Mapping[str, str]]) -> list[tuple[str, ...]]:
    """IoU by class and rung, header first; `tables` maps a rung to {class: IoU}, empty without truth."""
    classes = dict.fromkeys(name for table in tables.values() for name in table)
    rows = [(name, *(table.get(name, "") for table in tables.values())) for name in classes]
    return [("class", *tables), *rows]


def markdown(table: Sequence[Sequence[str]], text_columns: int) -> str:
    """An aligned table; columns behind the first `text_columns` hold numbers, set to the right."""
    widths = [max(3, *(len(row[column]) for row in table)) for column in range(len(table[0]))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if column < text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join(padded) + " |\n"

    rule = ["-" * w if column < text_columns else "-" * (w - 1) + ":" for column, w in enumerate(widths)]
    return line(table[0]) + line(rule) + "".join(line(row) for row in table[1:])
