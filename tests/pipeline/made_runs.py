"""Runs made by hand, in git and in DVC's cache, whose numbers a test chooses: nothing computes them."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.memory.lockfile import dump
from stages.common.artifacts import csv_text
from stages.diagnosis.bias import COLUMNS as RATIOS
from stages.diagnosis.removal import COLUMNS as CHANGES
from stages.explanation.names import METRICS
from tests.conftest import ROOT, Project, new_repository

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false")
PARAMS = """\
generate: {seed: 0}
dataset: {name: toy}
classifier: {lr: 0.1, seed: 0}
pseudo_labels: {beta: 8}
segmenter: {seed: 0, epochs: 3}
evaluation: {threshold: 0.5}
"""


class Runs(Project):
    """A project with git and DVC, and nothing in its workspace but what a test writes."""

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, message: str = "a run") -> str:
        self.run(*GIT, "add", "-A")
        self.run(*GIT, "commit", "-q", "--allow-empty", "-m", message)
        return self.run("git", "rev-parse", "HEAD").stdout.strip()

    def store(self, content: bytes, cache: Path | None = None, suffix: str = "") -> str:
        """Put an object into the cache, or a remote; returns its hash."""
        value = hashlib.md5(content).hexdigest() + suffix
        place = (cache or self.root / ".dvc" / "cache") / "files" / "md5" / value[:2] / value[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_bytes(content)
            place.chmod(0o444)
        return value

    def store_folder(self, files: dict[str, bytes], cache: Path | None = None) -> str:
        items = [
            {"md5": self.store(content, cache), "relpath": path} for path, content in sorted(files.items())
        ]
        return self.store(json.dumps(items).encode(), cache, ".dir")


def make(root: Path) -> Runs:
    runs = Runs(root)
    new_repository(root)
    runs.write("dvc.yaml", "stages: {}\n")
    runs.write("params.yaml", PARAMS)
    runs.write(
        ".gitignore",
        "/data/\n/reports/*/per_picture.csv\n/reports/explanation/per_class.csv\n/reports/diagnosis/*.csv\n",
    )
    return runs


def entry(
    deps: dict[str, str] | None = None,
    params: dict[str, Any] | None = None,
    outs: dict[str, str] | None = None,
    cmd: str = "work",
) -> dict[str, Any]:
    """A stage of dvc.lock: hashes by path, parameters by key."""
    made: dict[str, Any] = {
        "cmd": cmd,
        "deps": [{"path": path, "md5": md5} for path, md5 in (deps or {}).items()],
    }
    if params:
        made["params"] = {"params.yaml": params}
    return made | {"outs": [{"path": path, "md5": md5} for path, md5 in (outs or {}).items()]}


def lock(runs: Runs, stages: dict[str, Any]) -> None:
    runs.write("dvc.lock", dump(stages))


def score(runs: Runs, rung: str, step: str = "evaluation", **values: Any) -> None:
    """Write the rung's metrics.json, which becomes the one that dvc.lock names of `step`."""
    text = json.dumps({"split": "train", **values}, sort_keys=True)
    stages = YAML(typ="safe").load(runs.root / "dvc.lock")["stages"]
    (out,) = (out for out in stages[f"{step}@{rung}"]["outs"] if out["path"].endswith("/metrics.json"))
    runs.write(out["path"], text)
    out["md5"] = hashlib.md5(text.encode()).hexdigest()
    lock(runs, stages)


def unmasked(root: Path, optional: str, of: str) -> Runs:
    """A recipe without masks, whose only rung has no number, that asks for the step `optional` of another."""
    made = make(root)
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    values[optional]["of"], values["dataset"]["truth"] = [of], "none"
    values["evaluation"]["rungs"] = {"seeds": "seeds"}
    YAML().dump(values, made.root / "params.yaml")
    step = entry({"data/dataset": "d0"}, None, {f"data/{of}": f"{of[0]}0"})
    rung = entry({f"data/{of}": f"{of[0]}0"}, None, {"reports/seeds/metrics.json": ""})
    lock(made, {of: step, "evaluation@seeds": rung})
    score(made, "seeds", images=0)
    return made


def explain(
    runs: Runs,
    numbers: dict[str, Any],
    rows: list[tuple[Any, ...]],
    seeds: str = "s0",
) -> None:
    """Add a stage `explanation` to dvc.lock, and write its files; the table is in the cache too.

    A row has a class, its pairs, those with others, and the metrics in their order. `seeds` is the hash
    of what is explained.
    """
    files = {
        "reports/explanation/metrics.json": json.dumps({"split": "train", **numbers}, sort_keys=True),
        "reports/explanation/per_class.csv": csv_text(
            [("class", "pairs", "pairs_with_others", *METRICS), *rows]
        ),
    }
    for path, text in files.items():
        runs.write(path, text)
    outs = {path: runs.store(text.encode()) for path, text in files.items()}
    deps = {"data/seeds": seeds, "data/classifier": seeds}
    stages = YAML(typ="safe").load(runs.root / "dvc.lock")["stages"]
    stages["explanation@seeds"] = entry(deps, None, outs)
    lock(runs, stages)


def diagnose(
    runs: Runs,
    numbers: dict[str, Any],
    bias: list[tuple[Any, ...]],
    removal: list[tuple[Any, ...]],
    classifier: str = "c0",
) -> None:
    """Add a stage `diagnosis` to dvc.lock, and write its files; the tables are in the cache too.

    `classifier` is the hash of what is diagnosed.
    """
    files = {
        "reports/diagnosis/metrics.json": json.dumps({"split": "val", **numbers}, sort_keys=True),
        "reports/diagnosis/bias.csv": csv_text([("layer", "pairs", "left_out", *RATIOS), *bias]),
        "reports/diagnosis/removal.csv": csv_text([("method", "share", "pictures", *CHANGES), *removal]),
    }
    for path, text in files.items():
        runs.write(path, text)
    outs = {path: runs.store(text.encode()) for path, text in files.items()}
    stages = YAML(typ="safe").load(runs.root / "dvc.lock")["stages"]
    stages["diagnosis@classifier"] = entry({"data/classifier": classifier}, None, outs)
    lock(runs, stages)
