"""Which build of torch an install takes: pyproject.toml's extras, the Dockerfile and README say the same.

And the list that `make` prints, which must come of any system's commands; and where else the version stands.
"""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stages.common.params import read_yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
UV = PROJECT["tool"]["uv"]
BUILDS = ("cpu", "cu130")
INDEX = "https://download.pytorch.org/whl/{}"


def constraints() -> dict[str, Requirement]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    return {canonicalize_name(one.name): one for one in map(Requirement, filter(None, lines))}


@pytest.mark.parametrize("build", BUILDS)
def test_an_extra_takes_torch_and_torchvision_from_one_index(build: str) -> None:
    assert PROJECT["project"]["optional-dependencies"][build] == ["torch", "torchvision"]
    (index,) = [one for one in UV["index"] if one["url"] == INDEX.format(build)]
    assert index["explicit"] is True  # nothing else comes from there
    for name in ("torch", "torchvision"):
        assert [one["index"] for one in UV["sources"][name] if one["extra"] == build] == [index["name"]]


def test_nothing_has_another_index_and_both_builds_at_once_are_refused() -> None:
    assert {one["url"] for one in UV["index"]} == {INDEX.format(build) for build in BUILDS}
    assert set(UV["sources"]) == {"torch", "torchvision"}
    assert UV["conflicts"] == [[{"extra": build} for build in BUILDS]]


def test_the_image_and_readme_name_the_same_indices() -> None:
    image = (ROOT / "deploy" / "Dockerfile").read_text()
    assert {*re.findall(r"https://download\.pytorch\.org/whl/\w+", image)} == set(map(INDEX.format, BUILDS))
    readme = (ROOT / "README.md").read_text()
    pinned = " ".join(str(constraints()[name]) for name in ("torch", "torchvision"))
    assert f"pip install {pinned} --index-url {INDEX.format('cu130')}\n" in readme
    assert all(f'".[dev,{build}]"' in readme for build in BUILDS)


def test_what_an_extra_names_has_a_version() -> None:
    """All extras: a name without one would be whatever is newest on the day."""
    known, extras = constraints(), PROJECT["project"]["optional-dependencies"]
    named = {canonicalize_name(Requirement(line).name) for lines in extras.values() for line in lines}
    assert named - known.keys() == set()
    assert all(known[name].specifier for name in named)


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_lists_its_targets_in_two_columns() -> None:
    """Spaces alone: sed of macOS writes a t for a tab. Below another make it would also name its folder."""
    make = ["make", "--no-print-directory"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert [line[:12].rstrip() for line in done.stdout.splitlines()] == targets.split()
    assert "\ninstall     Make or update the environment .venv\n" in done.stdout


def test_the_citation_and_the_changelog_are_of_this_version() -> None:
    cited = read_yaml(ROOT / "CITATION.cff")
    project = PROJECT["project"]
    assert {key: cited[key] for key in ("title", "version", "license", "abstract", "authors")} == {
        "title": project["name"],
        "version": project["version"],
        "license": project["license"],
        "abstract": project["description"],
        "authors": project["authors"],
    }
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[:2] == ["Unreleased", project["version"]]
