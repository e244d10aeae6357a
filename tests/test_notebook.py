"""docs/one-picture.ipynb: its code runs on a finished recipe, and shows that recipe's numbers."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot as plt

from stages.common.artifacts import read_npz
from tests.conftest import ROOT, Project

NOTEBOOK = json.loads((ROOT / "docs/one-picture.ipynb").read_text(encoding="utf-8"))
CODE = {cell["id"]: cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"}
RUNGS = {"seeds": "train", "crf": "train", "pseudo_labels": "train", "predictions": "val"}


@pytest.fixture
def small(recipe: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The notebook lies in docs/, which is where its kernel begins."""
    project = recipe.copy(tmp_path / "project")
    (project.root / "docs").mkdir()
    monkeypatch.chdir(project.root / "docs")
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.switch_backend("Agg")
    yield project
    plt.close("all")


def executed() -> tuple[dict[str, Any], dict[str, int]]:
    """The names that the cells leave, and how many figures each has drawn."""
    names: dict[str, Any] = {}
    drawn = {}
    for name, cell in CODE.items():
        exec(compile("".join(cell["source"]), name, "exec"), names)
        drawn[name] = len(plt.get_fignums())
        for number in plt.get_fignums():
            plt.figure(number).canvas.draw()
        plt.close("all")
    return names, drawn


def test_it_is_committed_without_outputs() -> None:
    """They would be pictures in git, and a diff of them with every run."""
    assert [name for name, cell in CODE.items() if cell["outputs"] or cell["execution_count"]] == []
    assert len({cell["id"] for cell in NOTEBOOK["cells"]}) == len(NOTEBOOK["cells"])


def test_its_pictures_and_numbers_are_those_of_the_recipe(small: Project) -> None:
    names, drawn = executed()
    assert drawn == {
        "read": 0, "case": 0, "show": 0, "picture": 2, "maps": 1, "seeds": 1, "labels": 2, "affinity": 1,
        "cell": 1, "walk": 2, "besides": 0, "prediction": 3, "ladder": 1,
    }  # fmt: skip
    train, val = names["case"].picture, names["val"].picture
    assert (train.split, val.split) == ("train", "val")
    assert len(train.labels) == max(len(picture.labels) for picture in names["pictures"].split("train"))
    for rung, split in RUNGS.items():
        folder = small.root / "reports/rungs" / rung
        identifier = train.id if split == "train" else val.id
        with (folder / "per_picture.csv").open(newline="") as file:
            (row,) = (row for row in csv.DictReader(file) if row["id"] == identifier)
        assert f"{names['here'][rung]:.2f}" == row["miou"]
        assert names["means"][rung] == json.loads((folder / "metrics.json").read_text())["miou"]
    check_neighbours(names, read_npz(small.root / f"data/affinity/maps/{train.id}.npz"))


def check_neighbours(names: dict[str, Any], stored: dict[str, np.ndarray]) -> None:
    """A pair is stored once, with the cell from which the offset leads to the other."""
    y, x, beta = names["y"], names["x"], names["walk"].beta
    one, raised = names["neighbours"](1), names["neighbours"](beta)
    for pair, (dy, dx) in zip(stored["affinities"].astype(float), stored["offsets"], strict=True):
        for place, value in (((y + dy, x + dx), pair[y, x]), ((y - dy, x - dx), pair[y - dy, x - dx])):
            assert one[place] == pytest.approx(value, rel=1e-5)
            assert not names["out_of_reach"][place]
            assert raised[place] == pytest.approx(value**beta, rel=1e-4, abs=1e-9)
    assert one[y, x] == 1 and np.count_nonzero(~names["out_of_reach"]) == 1 + 2 * len(stored["offsets"])


def test_a_recipe_without_affinities_and_masks_and_with_a_graph_network(
    small: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    small.change(pseudo_labels__method="threshold", affinity__of=[], affinity_labels__of=[])
    small.change(graph__of=["a2gnn"])
    shutil.copytree(small.root / "data/pseudo_labels", small.root / "data/graph")
    for mask in (small.root / "data/masks").glob("*.png"):
        mask.unlink()
    names, drawn = executed()
    assert {name for name, figures in drawn.items() if not figures} == {
        "read", "case", "show", "labels", "affinity", "cell",
    }  # fmt: skip
    said = capsys.readouterr().out.splitlines()
    without = [line.partition(":")[0] for line in said if line.endswith(": this recipe does without it")]
    assert without == ["crf", "affinity_labels", "affinity", "random_walk"]
    assert said.count("truth: data/masks has none of this picture") == 2 and names["here"] == {}
