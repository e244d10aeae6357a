"""From the words of a command line to points."""

import pytest

from pipeline.sweep import grid

KNOWN = [
    "seeds", "seeds.method", "seeds.layer", "seeds.scales", "pseudo_labels", "pseudo_labels.random_walk",
    "pseudo_labels.random_walk.beta", "pseudo_labels.method", "classifier", "classifier.optimizer",
    "classifier.optimizer.lr", "affinity", "affinity.optimizer", "affinity.optimizer.lr",
]  # fmt: skip
BETA = "pseudo_labels.random_walk.beta"


def points(*texts, file=None):
    return grid.points(texts, file, KNOWN)


def test_the_last_axis_turns_fastest():
    assert points("seeds.method=cam,vgatt", "pseudo_labels.beta=4,8,16") == [
        {"seeds.method": method, BETA: beta} for method in ("cam", "vgatt") for beta in (4, 8, 16)
    ]


def test_values_are_yaml():
    found = points("seeds.scales=[0.5, 1.0],[1]", 'seeds.layer=encoder.layer3,"4",null,1e-4,true')
    assert [values["seeds.scales"] for values in found] == [[0.5, 1.0]] * 5 + [[1]] * 5
    assert [values["seeds.layer"] for values in found[:5]] == ["encoder.layer3", "4", None, 1e-4, True]
    assert found[4]["seeds.layer"] is True


def test_values_that_go_together():
    assert points("seeds.method,layer=cam,last;vgatt,encoder.levels.1", "beta=4") == [
        {"seeds.method": "cam", "seeds.layer": "last", BETA: 4},
        {"seeds.method": "vgatt", "seeds.layer": "encoder.levels.1", BETA: 4},
    ]


@pytest.mark.parametrize(
    ("key", "whole"),
    [("pseudo_labels.beta", BETA), ("beta", BETA), ("random_walk.beta", BETA),
     ("affinity.lr", "affinity.optimizer.lr"), ("pseudo_labels.method", "pseudo_labels.method")],
)  # fmt: skip
def test_parts_of_a_key_may_be_left_out(key, whole):
    assert grid.full_key(key, KNOWN) == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr=1", "lr may mean classifier.optimizer.lr, affinity.optimizer.lr: write one of them"),
        ("seeds.methud=cam", "params.yaml has no seeds.methud; did you mean seeds.method, "),
        ("seeds={}", "params.yaml has no seeds; did you mean seeds.layer, "),
        ("quite_another=1", "params.yaml has no quite_another"),
        ("beta", "'beta': write KEY=VALUE,VALUE or KEY,KEY=VALUE,VALUE;VALUE,VALUE"),
        ("beta=", "'beta=': write KEY=VALUE"),
        ("beta=4,,8", "'beta=4,,8' is not valid YAML: "),
        ("seeds.scales=[1", "'seeds.scales=[1' is not valid YAML: "),
        ("seeds.method,layer=cam,last;vgatt", "2 keys, but 1 values in ['vgatt']"),
        ("beta,beta=4,4", "'beta,beta=4,4': a key is given twice"),
        ("beta=4,4", f"twice the same point: {BETA}=4"),
    ],
)
def test_what_cannot_be(text, message):
    with pytest.raises(ValueError) as caught:
        points(text)
    assert message in str(caught.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ValueError) as caught:
        points("lr=1", "beta=4", "pseudo_labels.beta=8", "seeds.methud=cam")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3 and lines[0].startswith("lr may mean") and "methud" in lines[1]
    assert lines[2] == f"{BETA}: given twice"


def test_nothing():
    with pytest.raises(ValueError, match=r"^nothing to sweep: give KEY=VALUE"):
        points()


def test_a_csv(tmp_path):
    file = tmp_path / "points.csv"
    file.write_text('seeds.method,layer,seeds.scales\ncam,last,"[0.5, 1]"\nvgatt,,\n')
    expected = [
        {"seeds.method": "cam", "seeds.layer": "last", "seeds.scales": [0.5, 1]},
        {"seeds.method": "vgatt"},
    ]
    assert points(file=file) == expected
    assert points("beta=4,8", file=file) == [
        {BETA: beta, **row} for beta in (4, 8) for row in expected
    ]  # with each combination


def test_a_list_in_yaml(tmp_path):
    file = tmp_path / "points.yaml"
    file.write_text("- {seeds.method: cam}\n- seeds.method: vgatt\n  beta: 4\n")
    assert points(file=file) == [{"seeds.method": "cam"}, {"seeds.method": "vgatt", BETA: 4}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", "a.txt: must be a .csv or a .yaml file"),
        ("a.csv", "", "a.csv: holds no points"),
        ("a.csv", "seeds.method\ncam,8\n", "a.csv, line 2: as many cells as the header has"),
        ("a.csv", "seeds.method,beta\ncam\n", "a.csv, line 2: as many cells as the header has"),
        ("a.csv", "seeds.methud\ncam\n", "a.csv, point 1: params.yaml has no seeds.methud; did you mean"),
        ("a.yaml", "seeds: 1\n", "a.yaml: must be a list of mappings"),
        ("a.yaml", "- [1\n", "a.yaml' is not valid YAML"),
    ],
)
def test_a_file_that_cannot_be(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError) as caught:
        points(file=tmp_path / name)
    assert message in str(caught.value)


def test_a_column_that_stands_for_the_key_of_an_axis(tmp_path):
    (tmp_path / "a.csv").write_text("seeds.method,beta\ncam,\nvgatt,4\n")
    with pytest.raises(ValueError, match=f"^{BETA}: given twice$"):
        points("beta=1", file=tmp_path / "a.csv")


@pytest.mark.parametrize(
    "value", ["cam", "encoder.levels.1", "4", "a,b", "a;b", "", "null", "it's", "x: y", 4, 0.5, None, False,
              [0.5, 1], {"source": "none", "name": ""}],
)  # fmt: skip
def test_what_is_printed_is_read_again(value):
    assert points(grid.words({BETA: value})) == [{BETA: value}]
