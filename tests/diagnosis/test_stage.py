"""The stage in a recipe, through DVC: there only if asked for, and then all that reads metrics sees it."""

import json
from pathlib import Path

from stages.common.artifacts import read_json
from stages.common.params import read_yaml
from tests.conftest import Project


def test_it_runs_alone_and_needs_no_mask(recipe: Project, tmp_path: Path) -> None:
    project = recipe.copy(tmp_path / "project")
    assert "diagnosis" not in project.run("dvc", "stage", "list").stdout
    before = set(read_yaml(project.root / "dvc.lock")["stages"])
    project.change(diagnosis__of=["classifier"], diagnosis__occlusion__stride=16)
    said = project.run("dvc", "repro", "diagnosis@classifier").stdout
    assert project.stages_that_ran(said) == {"code", "parameters", "diagnosis@classifier"}
    assert "diagnosis: 4 pictures, 24 of 24 results computed" in said
    assert set(read_yaml(project.root / "dvc.lock")["stages"]) == {*before, "diagnosis@classifier"}
    values = read_json(project.root / "reports/diagnosis/metrics.json")
    assert (values["images"], values["split"]) == (4, "val") and 0 <= values["accuracy_random"] <= 100
    shown = json.loads(project.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    assert shown["reports/diagnosis/metrics.json"]["data"]["accuracy"] == values["accuracy"]
    files = project.hashes("reports/diagnosis")
    project.run("rm", "-rf", ".scratch", "data/masks")
    said = project.run("python", "-m", "stages.diagnosis", WSSS_WORKERS="2").stdout
    assert "24 of 24 results computed" in said and project.hashes("reports/diagnosis") == files
