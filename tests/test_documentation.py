"""docs/add-a-method.md, followed to the letter: files are written, diffs applied, the result is run."""

import csv
import re
import shutil
from pathlib import Path

import pytest

from stages.common.fingerprint import file_hash
from stages.common.params import read_yaml
from tests.conftest import Project, drawn

PAGE = (Path(__file__).parents[1] / "docs" / "add-a-method.md").read_text()
SEGMENTER = ("segmenter", "data/segmenter/weights.safetensors")
NEW = {  # the stage to run, and what differs after it
    "A seed method with a parameter": ("seeds", "data/seeds"),
    "A training strategy of the classifier": ("classifier", "data/classifier/weights.safetensors"),
    "A loss of the segmenter": SEGMENTER,
    "A network of the segmenter": SEGMENTER,
    "A step that a recipe may do without": SEGMENTER,
    "A layout of data sets": ("dataset", "data/dataset"),
}
STEP = {"despeckle@pseudo_labels"}


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def content(path: Path) -> dict[str, str]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {file.name: file_hash(file) for file in files if file.is_file()}


def blocks(text: str) -> list[tuple[str, str]]:
    """What a section holds in order: (path, content) of a file to write, ("", diff) of one to apply."""
    found = []
    for before, kind, block in re.findall(r"(.*?)```(python|diff)\n(.*?)```", text, flags=re.DOTALL):
        paths = re.findall(r"goe?s?\s+to\s+`(stages/\S+\.py)`", before)
        assert len(paths) == (kind == "python"), before
        found.append((paths[0] if paths else "", block))
    return found


@pytest.mark.parametrize("title", drawn(NEW, 1))
def test_a_newcomer_reruns_its_own_step_and_what_follows(recipe: Project, tmp_path: Path, title: str) -> None:
    """The file and its schema rerun nothing; chosen in params.yaml, it runs, and gives something else."""
    project = recipe.copy(tmp_path / "project")
    stage, out = NEW[title]
    before = content(project.root / out)
    shutil.copytree(by_class(project.root), project.root / "data/raw/mine")
    files, new = [], set()
    for path, block in blocks(section(title)):
        if path:
            files.append(path)
        elif "+++ b/dvc.yaml" in block:
            new = STEP
        elif "+++ b/params.yaml" in block and not new:  # what is added so far is chosen by nobody
            ran = project.stages_that_ran(project.run("dvc", "repro", stage).stdout)
            assert ran == {"code", "parameters"}
        write(project, path, block)
    if new:
        project.change(despeckle__pixels=5000)  # more than a picture has: these labels have no specks
    ran = project.stages_that_ran(project.run("dvc", "repro", stage).stdout)
    assert ran == {"code", "parameters", *new, stage}
    assert content(project.root / out) != before
    stamps = "".join(file.read_text() for file in (project.root / "data/code").iterdir())
    code = [file for file in files if not file.endswith(("__init__.py", "params.py"))]
    assert code and all(file in stamps for file in code)
    assert read_yaml(project.root / "params.yaml")["generate"]["train"] == 8


@pytest.mark.parametrize("title", NEW)
def test_what_is_added_fits_the_code_and_is_allowed(recipe: Project, tmp_path: Path, title: str) -> None:
    """Of every section, without a run."""
    project = recipe.copy(tmp_path / "project")
    shutil.copytree(by_class(project.root), project.root / "data/raw/mine")
    modules = []
    for path, block in blocks(section(title)):
        write(project, path, block)
        modules += [path.removesuffix(".py").replace("/", ".")] if path else []
    assert project.run("python", "-m", "stages.parameters").returncode == 0
    assert modules
    project.run("python", "-c", f"import {', '.join(modules)}")


def write(project: Project, path: str, block: str) -> None:
    """A file of code, or, without a path, a diff of what is there."""
    if path:
        (project.root / path).parent.mkdir(exist_ok=True)
        (project.root / path).write_text(block)
    else:
        (project.root / "new.diff").write_text(block)
        project.run("git", "apply", "--recount", "new.diff")


def by_class(root: Path) -> Path:
    """The generated pictures, each in a folder of its split and first class."""
    data = root / "data/dataset"
    for row in csv.DictReader((data / "index.csv").open(newline="")):
        folder = root / "by_class" / row["split"] / row["labels"].split(";")[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / "images" / row["file"], folder)
    return root / "by_class"


def test_what_a_left_out_step_makes_cannot_be_read(recipe: Project, tmp_path: Path) -> None:
    """Of a step that no schema of ours names: its list is asked all the same."""
    project = recipe.copy(tmp_path / "project")
    for path, block in blocks(section("A step that a recipe may do without")):
        write(project, path, block)
    assert project.run("python", "-m", "stages.parameters").returncode == 0
    project.change(despeckle__of=[])
    said = project.run("python", "-m", "stages.parameters", check=False).stdout
    assert said.endswith("  despeckle.of: must not be [], for segmenter.labels reads it\n")
    project.change(despeckle__of=["pseudo_labels"], despeckle__pixels=0)
    said = project.run("python", "-m", "stages.parameters", check=False).stdout
    assert "  despeckle.pixels: Input should be greater than or equal to 1, found 0" in said
