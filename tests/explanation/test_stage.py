"""The stage in a recipe, through DVC: there only if asked for, and then all that reads metrics sees it."""

import json
from pathlib import Path

from stages.common.artifacts import read_json
from stages.common.params import read_yaml
from stages.explanation.names import METRICS
from tests.conftest import Project


def test_it_runs_alone_and_needs_no_mask(recipe: Project, tmp_path: Path) -> None:
    project = recipe.copy(tmp_path / "project")
    assert "explanation" not in project.run("dvc", "stage", "list").stdout
    before = set(read_yaml(project.root / "dvc.lock")["stages"])
    project.change(explanation__of=["seeds"])
    said = project.run("dvc", "repro", "explanation@seeds").stdout
    assert project.stages_that_ran(said) == {"code", "parameters", "explanation@seeds"}
    assert "explanation: 8 pictures, 8 computed" in said
    assert set(read_yaml(project.root / "dvc.lock")["stages"]) == {*before, "explanation@seeds"}
    values = read_json(project.root / "reports/explanation/metrics.json")
    assert set(METRICS) <= set(values) and (values["images"], values["split"]) == (8, "train")
    shown = json.loads(project.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    assert shown["reports/explanation/metrics.json"]["data"]["f1_plus"] == values["f1_plus"]
    files = project.hashes("reports/explanation")
    project.run("rm", "-rf", ".scratch", "data/masks")
    said = project.run("python", "-m", "stages.explanation", WSSS_WORKERS="2").stdout
    assert "8 pictures, 8 computed" in said and project.hashes("reports/explanation") == files
