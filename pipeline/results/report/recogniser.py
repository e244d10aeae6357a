"""How well the classifier recognises, by class: the one score that needs no masks."""

import json
from pathlib import Path
from typing import Any

from pipeline.project.tables import Table


def read(root: Path) -> dict[str, Any]:
    """`map` and `f1` in percent as text, and a row by class; empty where the classifier has not run."""
    try:
        metrics = json.loads((root / "reports" / "classifier" / "metrics.json").read_text())
    except (OSError, ValueError):
        return {}
    if "map" not in metrics:
        return {}
    return {"map": f"{metrics['map']:.2f}", "f1": f"{metrics['f1']:.2f}", "rows": _rows(metrics)}


def _rows(metrics: dict[str, Any]) -> Table:
    """The worst first."""
    ap, f1 = metrics.get("ap_per_class", {}), metrics.get("f1_per_class", {})
    return [
        {"class": name, "AP": f"{value:.2f}", "F1": f"{f1[name]:.2f}" if name in f1 else ""}
        for name, value in sorted(ap.items(), key=lambda item: item[1])
    ]
