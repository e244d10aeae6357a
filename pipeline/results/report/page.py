"""reports/index.html: what a run found, from the tables that it left; nothing is computed again.

Each part of the page is left out where its table is not there, or is of another run (scores.py), and says
which command makes it.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.project import places
from pipeline.project.root import write_whole
from pipeline.project.tables import Table, read_csv
from pipeline.results import charts, data_set, ladder, pages, scores
from pipeline.results.compared import below
from pipeline.results.data_set import DataSet
from pipeline.results.diff.parting import is_stamp
from pipeline.results.report import (
    boundary,
    ceilings,
    diagnosed,
    explained,
    few_shot,
    gallery,
    head,
    paste,
    previous,
    protocol,
    published,
    recogniser,
    seeds,
    warn,
)
from pipeline.results.report import charts as drawings
from pipeline.results.report.published import Band
from pipeline.results.scores import Rung, Scores
from pipeline.results.snapshot import hashes

CONFUSED = 12  # pairs of classes that are shown
MATRIX = 30  # classes of a confusion table as text; of more the picture is shown
SHARES = ("miou", "over_segmentation", "under_segmentation")  # of the union; they sum to 100
TRAININGS = {
    "ordinary_classifier": "Ordinary classifier",
    "classifier": "Classifier",
    "saliency": "Saliency network",
    "affinity": "AffinityNet",
    "one_step": "One-step network",
    "segmenter": "Segmenter",
}
NETWORKS = {"one_step": "one_step/network"}  # where in data/ it is, if not in the step's own folder


def write(root: Path) -> Path:
    """Render the page; returns its path. Raises ValueError if nothing was run yet."""
    path = places.page(root)
    text = pages.render("report.html", **values(root))
    path.parent.mkdir(exist_ok=True)
    write_whole(path, text)
    return path


def values(root: Path) -> dict[str, Any]:
    """All that the template shows.

    `ladder` has a row per rung: its name, split and numbers as text, empty where they are not this run's,
    `state` (current, committed, stale, missing) and `standing`, a sentence. `standings` are the same
    sentences once each, with the rungs that share them.
    """
    found = ladder.read(root)
    params, lock, why_not = found.run.params, found.run.lock, found.why_not("dataset")
    data = DataSet([], [], {}) if why_not else data_set.read(root)
    rows = [rung.row() for rung in found.rungs]
    good = [rung.name for rung in found.good]
    classes = {rung.name: found.table(rung.name, "per_class.csv") for rung in found.rungs}
    top = ceilings.read(found)
    ceiling = ceilings.of_table(top)
    bands = {name: band for name, band in published.bands(data.classes, params).items() if name in good}
    scored = any(row["miou"] for row in rows)
    like = seeds.like(found)
    by_seed = {rung: values for rung, values in seeds.numbers(like).items() if rung in good}
    ious = found.per_class(data.classes)
    return {
        "scored": scored,
        "no_masks": not scored and (bool(good) or not (why_not or data.scored)),
        "head": head.read(root, lock),
        "warnings": warn.warnings(root, data, found.good),
        "against": previous.against(root, found, by_seed),
        "seeds": {rung: both for rung, values in by_seed.items() if (both := seeds.spread(values))},
        "runs": [run.run.name for run in like],
        "classifier": {} if found.why_not("classifier") else recogniser.read(root),
        "explanation": explained.part(found),
        "diagnosis": diagnosed.part(found),
        "few_shot": few_shot.part(found),
        "paste": _paste(found, ious, like) if scored else [],
        "name": params["dataset"]["name"],
        "ladder": [
            row | {"state": rung.state, "standing": rung.standing, "merged": rung.merged}
            for row, rung in zip(with_changes(rows, found.merged), found.rungs, strict=True)
        ],
        "standings": [{"rungs": rungs, "text": text} for rungs, text in found.told()],
        "bands": bands,
        "ceiling": ceiling,
        "oracles": ceilings.part(found, top),
        "ladder_chart": _chart(found, bands, ceiling, by_seed),
        "per_class": worst_first(ious, good),
        "steps": steps(rows, classes, found.merged),
        "areas": _areas(found),
        "curve": _curve(found),
        "boundary": boundary.part(found),
        "trainings": _trainings(found),
        "inputs": _inputs(found),
        "strategy": params["classifier"]["method"],
        "confusions": {r.name: confusions(root / r.folder / "confusion.csv") for r in found.good},
        "matrices": {r.name: matrix(root / r.folder / "confusion.csv") for r in found.good},
        "confusion_pictures": _pictures(root, found, "confusion.png") if scored else {},
        "gallery": gallery.read(root / "reports" / "gallery", shown(found), data.classes, found.merged),
        "data": {"splits": data_set.splits(data), "counts": data_set.counts(data),
                 "together": data_set.together(data), "why_not": why_not,
                 "supervision": data_set.supervision(data)},
        "learnt_from": protocol.learnt_from(found),
        "card": protocol.card(root, found, data),
        "cost": protocol.cost(root, lock),
    }  # fmt: skip


def shown(found: Scores) -> list[str]:
    """The rungs whose tiles the stage `gallery` drew from the very results that were scored."""
    lock, names, stages = found.run.lock, [], scores.names(found.run)
    for rung in found.good:
        stage = f"gallery@{rung.name}"
        drawn, scored = (hashes(lock.get(one, {}), "deps") for one in (stage, stages[rung.name]))
        same = drawn and all(drawn[path] == scored.get(path) for path in drawn if is_data(path))
        if same and not found.standings.bad.get(stage):
            names.append(rung.name)
    return names


def is_data(path: str) -> bool:
    return path.startswith("data/") and not is_stamp(path)


def with_changes(rows: Table, merged: Collection[str] = ()) -> Table:
    """The ladder with `change`: mIoU against the rung below, where the two can be compared."""
    return [
        row | {"change": _change(row["miou"], before["miou"]) if before else ""}
        for row, before in zip(rows, below(rows, merged), strict=True)
    ]


def worst_first(rows: Table, rungs: list[str]) -> Table:
    """IoU by class and rung, sorted by the last rung that has one; a class without any comes last."""

    def worth(row: dict[str, str]) -> float:
        return next((float(row[rung]) for rung in reversed(rungs) if row.get(rung)), 101.0)

    return sorted(rows, key=worth)


def steps(rows: Table, classes: dict[str, Table], merged: Collection[str] = ()) -> list[dict[str, Any]]:
    """What each step between two rungs gained and lost, by class, the largest loss first.

    Changes of IoU, of `over` (false positives) and `under` (false negatives), in percent of the union.
    """
    found = []
    for above, under in zip(rows, below(rows, merged), strict=True):
        before = {row["class"]: row for row in classes[under["rung"]]} if under else {}
        if not under or not before:
            continue
        lines = [
            {"class": row["class"]}
            | {key: _change(row[key], before[row["class"]][key]) for key in ("iou", "over", "under")}
            for row in classes[above["rung"]]
            if row["iou"] and before.get(row["class"], {}).get("iou")
        ]
        lines.sort(key=lambda line: float(line["iou"]))
        found.append({"below": under["rung"], "above": above["rung"], "rows": lines})
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


def _chart(found: Scores, bands: dict[str, Band], ceiling: dict[str, Any], by_seed: seeds.Values) -> str:
    rows = [rung.row() for rung in found.rungs]
    if not any(row["miou"] for row in rows):  # no truth
        return ""
    spreads = {rung: both for rung, values in by_seed.items() if (both := seeds.spread(values))}
    top = float(ceiling["miou"]) if ceiling.get("miou") else None
    return charts.svg(drawings.ladder(rows, bands, top, spreads, found.merged))


def _paste(found: Scores, ious: Table, like: list[Scores]) -> list[tuple[str, str, str]]:
    """Heading, CSV and LaTeX of each table."""
    rows = [rung.row() for rung in found.rungs]
    of_ladder = paste.of_ladder(like, found)
    of_classes = paste.of_classes({rung.name: seeds.iou(like, rung.name) for rung in found.good})
    return [
        ("Ladder", paste.as_csv(rows, of_ladder), paste.as_latex(rows, ladder.WORDS, of_ladder)),
        ("IoU by class", paste.as_csv(ious, of_classes), paste.as_latex(ious, (), of_classes)),
    ]


def _change(now: str, before: str) -> str:
    return f"{float(now) - float(before):+.2f}" if now and before else ""


def _areas(found: Scores) -> str:
    means = [_shares(rung) for rung in found.good if all(key in rung.numbers for key in SHARES)]
    return charts.svg(drawings.areas(means)) if means else ""


def _shares(rung: Rung) -> tuple[str, float, float, float]:
    right, over, under = (rung.numbers[key] for key in SHARES)
    return rung.name, right, over, under


def _curve(found: Scores) -> str:
    """Of the first rung that has a threshold."""
    rung = next((rung for rung in found.good if "best_threshold" in rung.numbers), None)
    rows = [row for row in found.table(rung.name, "curve.csv") if row["threshold"]] if rung else []
    return charts.svg(drawings.threshold_curve(rows, rung.numbers)) if rung and rows else ""


def _trainings(found: Scores) -> list[str]:
    """The loss curves of the networks that are this run's."""
    networks = {name: (title, NETWORKS.get(name, name)) for name, title in TRAININGS.items()}
    networks |= few_shot.networks(found)
    tables = {
        title: read_csv(found.run.root / "data" / folder / "history.csv")
        for name, (title, folder) in networks.items()
        if not found.why_not(name)
    }
    return [charts.svg(drawings.training(title, rows)) for title, rows in tables.items() if rows]


def _inputs(found: Scores) -> str:
    """The sheet of what the classifier's strategy trained on, where it is this run's."""
    file = found.run.root / "reports" / "classifier" / "inputs.png"
    return "" if found.why_not("classifier") or not file.is_file() else pages.data_uri(file)


def _pictures(root: Path, found: Scores, name: str) -> dict[str, str]:
    files = {rung: root / "reports" / "gallery" / rung / name for rung in shown(found)}
    return {rung: pages.data_uri(file) for rung, file in files.items() if file.is_file()}
