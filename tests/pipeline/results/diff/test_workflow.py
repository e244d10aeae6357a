"""The workflow that comments on a pull request: its steps are run here, with a stand-in for GitHub's `gh`."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.pipeline import made_runs, stub
from tests.pipeline.made_runs import PARAMS, Runs

FILE = ROOT / ".github" / "workflows" / "diff.yml"
GH = """\
#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in *--jq*) cat "$FOUND";; esac
"""
HEAVY = ("torch", "torchvision", "cv2", "prefect", "matplotlib", "jinja2", "pandas", "skimage")


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    return YAML(typ="safe").load(FILE)["jobs"]["diff"]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """A clone whose HEAD changes a parameter of origin/main, and has a stand-in `wsss` and `gh` in bin/."""
    made = made_runs.make(tmp_path / "project")
    made.commit()
    made.run("git", "update-ref", "refs/remotes/origin/main", "HEAD")
    made.write("params.yaml", PARAMS.replace("beta: 8", "beta: 4"))
    made.commit()
    wsss = f'#!/bin/sh\nPYTHONPATH={stub.ROOT} exec {sys.executable} -m pipeline.cli "$@"\n'
    for name, text in (("gh", GH), ("wsss", wsss)):
        file = tmp_path / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    return made


def step(job: dict[str, Any], name: str) -> dict[str, Any]:
    return next(step for step in job["steps"] if step.get("name") == name)


def do(runs: Runs, script: str, **env: str) -> None:
    """Run a step's script as GitHub does."""
    path = f"{runs.root.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-e", "-c", script], cwd=runs.root, env={**os.environ, "PATH": path, **env}, check=True
    )


def test_it_may_do_no_more_than_comment_and_a_script_holds_no_text_of_others(job):
    workflow = YAML(typ="safe").load(FILE)
    assert list(workflow["on"]) == ["pull_request"]  # not pull_request_target: that has secrets for forks
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert job["steps"][0]["with"] == {"fetch-depth": 0, "persist-credentials": False}
    scripts = [step["run"] for step in job["steps"] if "run" in step]
    assert len(scripts) == 3 and not any("${{" in script for script in scripts)


def test_a_fork_s_run_does_not_try_to_comment(job):
    assert "head.repo.full_name == github.repository" in step(job, "Comment")["if"]
    assert "if" not in step(job, "Compare")


def test_the_summary_and_the_comment_hold_the_diff(job, runs, tmp_path):
    do(runs, step(job, "Compare")["run"], BASE="main", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    text = (runs.root / "diff.md").read_text()
    assert text.startswith("<!-- wsss-diff -->\n### `origin/main")
    assert "| pseudo\\_labels.beta | 8 | 4 |" in text
    assert (tmp_path / "summary.md").read_text() == text


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("", "api --silent repos/o/r/issues/7/comments"),
        ("42\n43\n", "--method PATCH repos/o/r/issues/comments/42"),
    ],
)
def test_a_comment_is_made_once_and_then_brought_up_to_date(job, runs, tmp_path, found, expected):
    (tmp_path / "found").write_text(found)
    env = {"COMMENTS": "repos/o/r/issues/7/comments", "GITHUB_REPOSITORY": "o/r"}
    calls = tmp_path / "calls"
    do(runs, step(job, "Comment")["run"], **env, CALLS=str(calls), FOUND=str(tmp_path / "found"))
    looked, wrote = calls.read_text().splitlines()
    assert looked.startswith("api --paginate repos/o/r/issues/7/comments --jq")
    assert expected in wrote and wrote.endswith("-F body=@diff.md")


def test_what_it_installs_is_enough(job, runs):
    """The comparison imports nothing heavy, and nothing but what the first script names and that brings."""
    code = (
        "import sys; from pathlib import Path; from pipeline import cli; from pipeline.results import noise\n"
        "from pipeline.results.diff import comparison, text\n"
        "found = comparison.make(Path.cwd(), 'origin/main', 'HEAD')\n"
        "text.markdown(found); text.show(found)\n"
        "noise.compare({0: 1, 1: 2}, {0: 1, 1: 2})\n"
        f"print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    )
    assert "heavy: []" in runs.run(sys.executable, "-c", code, PYTHONPATH=stub.ROOT).stdout
    script = step(job, "Install what the comparison needs, which is not torch")["run"]
    installed = set(re.search(r"constraints.txt (.*)", script)[1].split())
    assert installed == {"dvc", "dvc-s3", "pydantic", "rich", "ruamel.yaml", "scipy", "typer"}
    known = (ROOT / "constraints.txt").read_text().lower()
    assert all(f"\n{name}==" in f"\n{known}" for name in installed)
