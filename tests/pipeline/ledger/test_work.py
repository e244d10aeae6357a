"""The key of what a run's results are made of: what changes it, and what does not."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.ledger import work
from pipeline.project import git

STAGES = {
    "code": {"cmd": "stamp", "meta": {"stamps": True}, "deps": ["stages"], "outs": ["data/code"]},
    "parameters": {"cmd": "check", "meta": {"constant": True}, "params": ["all"], "outs": ["data/ok"]},
    "dataset": {"cmd": "make ${dataset.name}", "deps": ["tool.sh"], "outs": [{"data/dataset": {"x": 1}}]},
    "seeds": {
        "cmd": "python -m stages.seeds",
        "deps": ["data/ok", "data/code/seeds", "data/dataset/train"],
        "params": ["seeds.${seeds.method}"],
        "outs": ["data/seeds"],
    },
    "evaluation": {
        "foreach": "${rungs}",
        "do": {"cmd": "score ${item}", "deps": ["data/${item}"], "outs": ["reports/${key}"]},
    },
}  # fmt: skip
PARAMS = {
    "all": 1, "dataset": {"name": "small"}, "segmenter": {"epochs": 1}, "rungs": {"first": "seeds"},
    "seeds": {"method": "cam", "cam": {"scales": [1.0]}, "other": {"steps": 2}},
}  # fmt: skip
FILES = {
    "stages/__init__.py": "", "stages/seeds/__init__.py": "", "stages/other.py": "A = 1\n", "tool.sh": "a\n",
    "stages/seeds/__main__.py": "from stages.seeds import cam\nprint(cam.B)\n",
    "stages/seeds/cam.py": "B = 1\n", "README.md": "a\n",
}  # fmt: skip
END = ["evaluation@first"]


def committed(root: Path, **files: str) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git.run(root, "add", "-A")
    git.run(root, "commit", "-qm", "x", "--allow-empty")
    return git.resolve(root, "HEAD")


def dump(root: Path, name: str, values: dict) -> None:
    YAML().dump(values, root / name)


@pytest.mark.parametrize(
    ("file", "text", "same"),
    [
        ("README.md", "b\n", True),
        ("stages/other.py", "A = 2\n", True),  # no stage uses it
        ("stages/seeds/cam.py", "B = 2\n", False),
        ("tool.sh", "b\n", False),
    ],
)
def test_the_code_that_the_stages_run(made, file, text, same):
    root, commit = made
    later = committed(root, **{file: text})
    before, after = work.keys(root, commit, PARAMS, END), work.keys(root, later, PARAMS, END)
    assert (before.work == after.work) == same and before.asked == after.asked


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"segmenter": {"epochs": 2}}, True),
        ({"all": 2}, True),  # only a check reads it
        ({"rungs": {"first": "seeds", "second": "dataset"}}, True),
        ({"seeds": PARAMS["seeds"] | {"other": {"steps": 3}}}, True),  # the method is cam
        ({"seeds": PARAMS["seeds"] | {"cam": {"scales": [2.0]}}}, False),
        ({"seeds": PARAMS["seeds"] | {"method": "other"}}, False),
        ({"dataset": {"name": "large"}}, False),  # two stages above
        ({"rungs": {"first": "dataset"}}, False),
    ],
)
def test_the_parameters_that_the_stages_read(made, changed, same):
    root, commit = made
    before, after = work.keys(root, commit, PARAMS, END), work.keys(root, commit, PARAMS | changed, END)
    assert (before.work == after.work) == (before.asked == after.asked) == same


def test_the_ends_count_and_their_order_does_not(made):
    root, commit = made
    one, two, turned, odd, none = (
        work.keys(root, commit, PARAMS, ends)
        for ends in (["seeds"], ["seeds", "dataset"], ["dataset", "seeds"], ["nothing"], [])
    )
    assert two == turned and len({one.asked, two.asked, odd.asked, none.asked}) == 4
    assert len({one.work, two.work, odd.work, none.work}) == 4


@pytest.mark.parametrize(
    ("stage", "entry", "same"),
    [
        ("segmenter", {"cmd": "true", "outs": ["data/segmenter"]}, True),
        ("dataset", STAGES["dataset"] | {"cmd": "make it"}, False),
        ("seeds", STAGES["seeds"] | {"deps": ["data/code/seeds"]}, False),
        ("seeds", STAGES["seeds"] | {"deps": [*STAGES["seeds"]["deps"], "data/raw/maps"]}, False),
    ],
)
def test_what_the_graph_says_of_them(made, stage, entry, same):
    root, commit = made
    dump(root, "dvc.yaml", {"stages": STAGES | {stage: entry}})
    later = committed(root)
    before, after = work.keys(root, commit, PARAMS, END), work.keys(root, later, PARAMS, END)
    assert (before.work == after.work) == (before.asked == after.asked) == same


def test_of_a_graph_that_only_dvc_understands_all_counts(made):
    root, _ = made
    dump(root, "dvc.yaml", {"stages": STAGES | {"odd": {"cmd": "run ${seeds.cam}", "outs": ["x"]}}})
    commit = committed(root)
    later = committed(root, **{"stages/other.py": "A = 2\n"})
    before, after = work.keys(root, commit, PARAMS, END), work.keys(root, later, PARAMS, END)
    assert before == work.keys(root, commit, PARAMS, END)
    assert before.asked == after.asked and before.work != after.work
    assert before.asked != work.keys(root, commit, PARAMS | {"all": 2}, END).asked
