"""What a run is called, and whether a later commit still stands behind it."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.ledger import runs
from pipeline.project import git
from pipeline.results.snapshot import digest
from stages.common import stamps

STAGES = {
    "seeds": {
        "cmd": "python -m stages.seeds",
        "deps": ["data/code/seeds"],
        "params": ["seeds"],
        "outs": ["data/seeds"],
    }
}
PARAMS = {"seeds": {"method": "cam", "flip": True}, "segmenter": {"epochs": 1}}
FILES = {
    "stages/__init__.py": "", "stages/seeds/__init__.py": "", "stages/other.py": "A = 1\n",
    "stages/seeds/__main__.py": "from stages.seeds import cam\nprint(cam.B)\n",
    "stages/seeds/cam.py": "B = 1\n",
    "stages/seeds/params.py": "C = 1\n",
}  # fmt: skip


def committed(root: Path, **files: str) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git.run(root, "add", "-A")
    git.run(root, "commit", "-qm", "x")
    return git.resolve(root, "HEAD")


def dump(root: Path, name: str, values: dict) -> None:
    YAML().dump(values, root / name)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, str]:
    """A repository, and a commit in it in which the stage `seeds` has run."""
    git.run(tmp_path, "init", "-q")
    dump(tmp_path, "dvc.yaml", {"stages": STAGES})
    dump(tmp_path, "params.yaml", PARAMS)
    committed(tmp_path, **FILES)
    text = stamps.stamp("seeds", PARAMS, stamps.reader(tmp_path))
    assert "stages/seeds/cam.py" in text and "other" not in text
    deps = [{"path": "data/code/seeds", "hash": "md5", "md5": digest(text.encode())}]
    outs = [{"path": "data/seeds", "hash": "md5", "md5": "0" * 32}]
    read = {"params.yaml": {"seeds": PARAMS["seeds"]}}
    entry = {"cmd": STAGES["seeds"]["cmd"], "deps": deps, "params": read, "outs": outs}
    dump(tmp_path, "dvc.lock", {"schema": "2.0", "stages": {"seeds": entry}})
    return tmp_path, committed(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "same"),
    [
        ("README.md", "a word\n", True),
        ("stages/other.py", "A = 2\n", True),  # seeds does not use it
        ("stages/seeds/cam.py", "B = 2\n", False),
        ("dvc.yaml", "stages: {}\n", False),
    ],
)
def test_a_later_commit_stands_behind_a_run_whose_code_it_leaves(made, file, text, same):
    root, run = made
    later = committed(root, **{file: text})
    assert runs.is_of(root, run, later, PARAMS, ["seeds"]) == same


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"segmenter": {"epochs": 2}}, True),  # seeds stem from no segmenter
        ({"seeds": {"method": "cam", "flip": False}}, False),
    ],
)
def test_a_run_is_of_the_parameters_that_its_stages_read(made, changed, same):
    root, run = made
    assert runs.is_of(root, run, run, PARAMS | changed, ["seeds"]) == same


def test_a_run_that_lacks_an_end_is_to_be_made_again(made):
    root, run = made
    later = committed(root, **{"stages/other.py": "A = 2\n"})
    assert not runs.is_of(root, run, later, PARAMS, ["seeds", "evaluation@seeds"])


def test_the_runs_of_a_row_are_called_by_it():
    points, stops = ({"a": 1}, {}), (("s",), ("t", "u"))
    rows = runs.Rows("ledger-demo", "0" * 40, 2, points, "", names=("x", "y"), stops=stops)
    trials = rows.trials({"m": {"seed": 7}})
    assert [(one.name, one.point, one.seed, one.to) for one in trials] == [
        (f"ledger-demo-{name}-s{seed}", f"ledger-demo-{name}", seed, to)
        for name, to in (("x", ("s",)), ("y", ("t", "u")))
        for seed in (0, 1)
    ]
    assert trials[1].overrides == {"a": 1, "m.seed": 1}
