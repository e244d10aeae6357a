"""What dvc.yaml says of a stage, once its templates are filled in."""

from pathlib import Path

import pytest

from pipeline.results import declared
from stages.common.params import read_yaml, value_of

ROOT = Path(__file__).parents[3]
PARAMS = {
    "net": {"name": "small", "sizes": [1, 2]},
    "rungs": {"first": "seeds", "second": "crf"},
    "of": ["a"],
}
STAGES = {
    "train": {
        "cmd": "train ${net.name}",
        "deps": ["data/./${net.name}", "code.py"],
        "params": ["net.${net.name}", {"other.yaml": ["x"]}],
        "outs": ["data/train", {"data/more": {"cache": False}}],
        "metrics": ["reports/${net.name}.json"],
        "plots": [{"curve.csv": {"x": "a"}}],
        "meta": {"constant": True},
    },
    "score": {"foreach": "${rungs}", "do": {"cmd": "score ${key} ${item}", "meta": {"gpu": 1}}},
    "each": {"foreach": "${of}", "do": {"cmd": "do ${item} ${key}"}},
}


def test_the_stages_of_a_foreach_are_named_one_by_one():
    assert list(declared.names(STAGES, PARAMS)) == ["train", "score@first", "score@second", "each@a"]


def test_paths_are_filled_in_and_metrics_and_plots_are_outputs():
    found = declared.of(STAGES, "train", PARAMS)
    assert (found.cmd, found.deps, found.keys) == ("train small", ["data/small", "code.py"], ["net.small"])
    assert found.outs == ["data/train", "data/more", "reports/small.json", "curve.csv"]


def test_a_member_knows_its_key_and_its_item():
    assert declared.of(STAGES, "score@second", PARAMS).cmd == "score second crf"
    assert declared.of(STAGES, "each@a", PARAMS).cmd == "do a a"


@pytest.mark.parametrize(
    ("stage", "entry"),
    [
        ("score@third", None),
        ("nothing", None),
        ("odd", {"cmd": "run ${net.sizes}"}),  # DVC has its own way to write a list
        ("odd", {"cmd": ["two", "commands"]}),
        ("odd", {"cmd": "run", "wdir": "elsewhere"}),
    ],
)
def test_what_is_not_understood(stage, entry):
    with pytest.raises(ValueError):
        declared.of(STAGES | ({stage: entry} if entry else {}), stage, PARAMS)


def test_checks_say_so():
    assert declared.is_constant(STAGES["train"]) and not declared.is_constant(STAGES["score"])
    assert declared.meta(STAGES["score"]) == {"gpu": 1} and declared.meta("nonsense") == {}


def test_the_recipe_itself_is_understood():
    """Where it is not, the ledger takes any change for one of every row."""
    stages, params = read_yaml(ROOT / "dvc.yaml")["stages"], read_yaml(ROOT / "params.yaml")
    for name in declared.names(stages, params):
        for key in declared.of(stages, name, params).keys:
            value_of(params, key)
