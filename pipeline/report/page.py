"""reports/index.html: what a run found, from the tables that it left; nothing is computed again.

Each part of the page is left out where its table is not there, and says which command makes it.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline import charts, data_set, ladder, lockfile, pages, places
from pipeline.project import write_whole
from pipeline.report import charts as drawings
from pipeline.report import gallery, head, paste, previous, protocol, published, recogniser, seeds, warn
from pipeline.report.published import Band
from pipeline.tables import Table, read_csv
from stages.common.params import read_yaml

CONFUSED = 12  # pairs of classes that are shown
MATRIX = 30  # classes of a confusion table as text; of more the picture is shown
SHARES = ("iou", "over", "under")  # of the union; they sum to 100
TRAININGS = {"classifier": "Classifier", "affinity": "AffinityNet", "segmenter": "Segmenter"}


def write(root: Path) -> Path:
    """Render the page; returns its path. Raises ValueError if nothing was run yet."""
    path = places.page(root)
    text = pages.render("report.html", **values(root))
    path.parent.mkdir(exist_ok=True)
    write_whole(path, text)
    return path


def values(root: Path) -> dict[str, Any]:
    """All that the template shows."""
    reports = root / "reports"
    rows = ladder.read(root)
    params, lock, data = read_yaml(root / "params.yaml"), lockfile.stages(root), data_set.read(root)
    rungs = [row["rung"] for row in rows]
    classes = {rung: read_csv(reports / rung / "per_class.csv") for rung in rungs}
    bands, ceiling = published.bands(data.classes, params), _ceiling(reports, params)
    scored = any(row["miou"] for row in rows)
    runs = seeds.like(root, params)
    by_seed = seeds.miou(runs)
    now = previous.entry(root, params, lock, rows)
    before = previous.remember(root, now)
    per_class = read_csv(reports / "per_class.csv")
    return {
        "scored": scored,
        "head": head.read(root, lock),
        "warnings": warn.warnings(root, data, rungs),
        "against": previous.compare(before, now, by_seed) if before else {},
        "seeds": {rung: both for rung, values in by_seed.items() if (both := seeds.spread(values))},
        "runs": [run.name for run in runs],
        "classifier": recogniser.read(root),
        "paste": _paste(rows, per_class, by_seed, {rung: seeds.iou(runs, rung) for rung in rungs}),
        "name": params["dataset"]["name"],
        "ladder": with_changes(rows),
        "bands": bands,
        "ceiling": ceiling,
        "ladder_chart": _chart(rows, bands, ceiling, by_seed),
        "per_class": worst_first(per_class, rungs) if scored else [],
        "steps": steps(rows, classes),
        "areas": _areas(rows, reports),
        "curve": _curve(reports),
        "trainings": _trainings(root),
        "confusions": {rung: confusions(reports / rung / "confusion.csv") for rung in rungs},
        "matrices": {rung: matrix(reports / rung / "confusion.csv") for rung in rungs},
        "confusion_pictures": _pictures(reports, rungs, "confusion.png") if scored else {},
        "gallery": gallery.read(reports / "gallery", rungs, data.classes),
        "data": {"splits": data_set.splits(data), "counts": data_set.counts(data),
                 "together": data_set.together(data)},
        "card": protocol.card(root, params, lock, data, rows),
        "cost": protocol.cost(root, lock),
    }  # fmt: skip


def with_changes(rows: Table) -> Table:
    """The ladder with `change`: mIoU against the rung below, where that is of the same split."""
    below: list[dict[str, str]] = [{}, *rows]
    return [
        row | {"change": _change(row["miou"], before["miou"]) if before.get("split") == row["split"] else ""}
        for row, before in zip(rows, below, strict=False)
    ]


def worst_first(rows: Table, rungs: list[str]) -> Table:
    """IoU by class and rung, sorted by the last rung that has one; a class without any comes last."""

    def worth(row: dict[str, str]) -> float:
        return next((float(row[rung]) for rung in reversed(rungs) if row.get(rung)), 101.0)

    return sorted(rows, key=worth)


def steps(rows: Table, classes: dict[str, Table]) -> list[dict[str, Any]]:
    """What each step between two rungs of one split gained and lost, by class, the largest loss first.

    Changes of IoU, of `over` (false positives) and `under` (false negatives), in percent of the union.
    """
    found = []
    for below, above in pairwise(rows):
        before = {row["class"]: row for row in classes[below["rung"]]}
        if below["split"] != above["split"] or not before:
            continue
        lines = [
            {"class": row["class"]}
            | {key: _change(row[key], before[row["class"]][key]) for key in ("iou", "over", "under")}
            for row in classes[above["rung"]]
            if row["iou"] and before.get(row["class"], {}).get("iou")
        ]
        lines.sort(key=lambda line: float(line["iou"]))
        found.append({"below": below["rung"], "above": above["rung"], "rows": lines})
    return found


def confusions(path: Path) -> Table:
    """The classes that are most often called another: share of the true class's pixels, in percent."""
    found = []
    for row in read_csv(path):
        truth = row.pop("truth")
        pixels = {name: int(count) for name, count in row.items()}
        total = sum(pixels.values())
        found += [
            (100 * count / total, truth, name) for name, count in pixels.items() if name != truth and count
        ]
    return [
        {"truth": truth, "called": name, "share": f"{share:.2f}"}
        for share, truth, name in sorted(found, reverse=True)[:CONFUSED]
    ]


def matrix(path: Path) -> dict[str, Any]:
    """The table of counts in percent of each true class; empty without a truth, or of too many classes."""
    rows = read_csv(path)
    if not 0 < len(rows) <= MATRIX:
        return {}
    names = [name for name in rows[0] if name != "truth"]
    lines = []
    for row in rows:
        total = sum(int(row[name]) for name in names)
        lines.append((row["truth"], [100 * int(row[name]) / total if total else None for name in names]))
    return {"names": names, "rows": lines}


def _chart(rows: Table, bands: dict[str, Band], ceiling: dict[str, Any], by_seed: seeds.Values) -> str:
    if not any(row["miou"] for row in rows):  # no truth
        return ""
    spreads = {rung: both for rung, values in by_seed.items() if (both := seeds.spread(values))}
    return charts.svg(drawings.ladder(rows, bands, ceiling.get("miou"), spreads))


def _paste(
    rows: Table, per_class: Table, by_seed: seeds.Values, classes: dict[str, seeds.Values]
) -> list[tuple[str, str, str]]:
    """Heading, CSV and LaTeX of each table; none without a truth."""
    if not any(row["miou"] for row in rows):
        return []
    ladder_seeds, class_seeds = paste.of_ladder(by_seed), paste.of_classes(classes)
    return [
        ("Ladder", paste.as_csv(rows, ladder_seeds), paste.as_latex(rows, ladder.WORDS, ladder_seeds)),
        ("IoU by class", paste.as_csv(per_class, class_seeds), paste.as_latex(per_class, (), class_seeds)),
    ]


def _ceiling(reports: Path, params: dict[str, Any]) -> dict[str, Any]:
    """What the segmenter reaches when trained on the masks; empty where nobody asked, or it was not run."""
    metrics = reports / "ceiling" / "metrics.json"
    return read_yaml(metrics) if params["ceiling"]["of"] and metrics.is_file() else {}


def _change(now: str, before: str) -> str:
    return f"{float(now) - float(before):+.2f}" if now and before else ""


def _areas(rows: Table, reports: Path) -> str:
    means = []
    for row in rows:
        scores = [r for r in read_csv(reports / row["rung"] / "per_class.csv") if r["iou"]]
        if scores:
            parts = [sum(float(r[key]) for r in scores) / len(scores) for key in SHARES]
            means.append((row["rung"], parts[0], parts[1], parts[2]))
    return charts.svg(drawings.areas(means)) if means else ""


def _curve(reports: Path) -> str:
    rows = [row for row in read_csv(reports / "seeds" / "curve.csv") if row["threshold"]]
    metrics = reports / "seeds" / "metrics.json"
    if not rows or not metrics.is_file():
        return ""
    found = read_yaml(metrics)
    return charts.svg(drawings.threshold_curve(rows, found["threshold"], found["best_threshold"]))


def _trainings(root: Path) -> list[str]:
    tables = {title: read_csv(root / "data" / name / "history.csv") for name, title in TRAININGS.items()}
    return [charts.svg(drawings.training(title, rows)) for title, rows in tables.items() if rows]


def _pictures(reports: Path, rungs: list[str], name: str) -> dict[str, str]:
    files = {rung: reports / rung / name for rung in rungs}
    return {rung: pages.data_uri(file) for rung, file in files.items() if file.is_file()}
