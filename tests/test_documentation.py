"""docs/add-a-method.md, followed to the letter: files are written, diffs applied, the result is run."""

import re
from pathlib import Path

import pytest

from stages.common.fingerprint import file_hash
from stages.common.params import read_yaml
from tests.conftest import Project

PAGE = (Path(__file__).parents[1] / "docs" / "add-a-method.md").read_text()
NEW = {
    "A seed method with a parameter": ("seeds", "data/seeds"),
    "A training strategy of the classifier": ("classifier", "data/classifier/weights.safetensors"),
    "A loss of the segmenter": ("segmenter", "data/segmenter/weights.safetensors"),
}


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def content(path: Path) -> dict[str, str]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {file.name: file_hash(file) for file in files}


@pytest.mark.parametrize("title", NEW)
def test_a_newcomer_reruns_its_own_step_and_what_follows(recipe: Project, tmp_path: Path, title: str) -> None:
    """The file and its schema rerun nothing; chosen in params.yaml, it runs, and gives something else."""
    project = recipe.copy(tmp_path / "project")
    stage, out = NEW[title]
    before = content(project.root / out)
    text = section(title)
    (name,) = re.findall(r"This goes to\s+`(stages/\S+\.py)`", text)
    code, *diffs = re.findall(r"```(?:python|diff)\n(.*?)```", text, flags=re.DOTALL)
    (project.root / name).write_text(code)
    for diff in diffs:
        if "params.yaml" in diff:  # what is added so far is chosen by nobody
            ran = project.stages_that_ran(project.run("dvc", "repro", stage).stdout)
            assert ran == {"code", "parameters"}
        (project.root / "new.diff").write_text(diff)
        project.run("git", "apply", "--recount", "new.diff")
    ran = project.stages_that_ran(project.run("dvc", "repro", stage).stdout)
    assert ran == {"code", "parameters", stage}
    assert content(project.root / out) != before
    stamp = (project.root / f"data/code/{stage}").read_text()
    assert name in stamp and read_yaml(project.root / "params.yaml")["generate"]["train"] == 8
