"""The graph as DVC resolves it: order, edges, names, meta; and what is said of a dvc.yaml that is wrong."""

from pathlib import Path

import pytest

from pipeline.memory.graph import Meta, meta, read, seconds
from tests.pipeline import stub

LOOP = "stages:\n  one: {cmd: c, deps: [b], outs: [a]}\n  two: {cmd: c, deps: [a], outs: [b]}\n"
MATRIX = """\
stages:
  score:
    foreach: [x, y]
    do: {cmd: "score ${item}", deps: [in], outs: ["s-${item}"]}
  fit:
    matrix: {net: [a, b]}
    cmd: fit ${item.net}
    deps: [s-x]
    outs: ["f-${item.net}"]
"""


@pytest.fixture
def project(tmp_path):
    """Makes a folder that DVC takes for a project, with this dvc.yaml and other files."""

    def make(text: str, **files: str) -> Path:
        (tmp_path / ".dvc").mkdir()
        (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
        for name, content in {"dvc.yaml": text, "params.yaml": "{}\n", **files}.items():
            (tmp_path / name).write_text(content)
        return tmp_path

    return make


def stages(**reads: list[str]) -> str:
    """A dvc.yaml of stages that each make the file of their name."""
    lines = [f"  {name}: {{cmd: make {name}, deps: {deps}, outs: [{name}]}}" for name, deps in reads.items()]
    return "\n".join(["stages:", *lines, ""])


def test_the_stub_graph_is_read_as_it_was_written(tmp_path):
    graph = read(stub.make(tmp_path / "stub").root)
    assert list(graph.stages) == list(stub.READS)  # each after all that it reads from, else as in dvc.yaml
    for name, stage in graph.stages.items():
        assert set(stage.upstream) == stub.ABOVE[name], name
        assert stage.outs == (stub.out(name),)
        assert stage.params == ((name.split("@")[0],) if name != "parameters" else ())
        assert not stage.frozen
    assert graph.stages["parameters"].meta == Meta(constant=True)
    assert graph.stages["seeds"].deps == ("data/parameters.ok", "data/dataset", "data/classifier", "work.py")
    assert graph.stages["seeds"].cmd == (
        "python work.py seeds data/seeds data/parameters.ok data/dataset data/classifier"
    )


def test_order_is_of_the_graph_then_of_the_file(project):
    graph = read(project(stages(d=["c"], b=["a"], c=["b"], a=["in"], free=["in"])))
    assert list(graph.stages) == ["a", "b", "c", "d", "free"]


def test_up_and_down(project):
    graph = read(project(stages(a=["in"], b=["a"], c=["a"], d=["b", "c"], e=["d"], other=["in"])))
    assert graph.up(["d"]) == ["a", "b", "c", "d"]
    assert graph.up(["other", "b"]) == ["a", "b", "other"]
    assert graph.down(["b"]) == ["b", "d", "e"]
    assert graph.down(["e", "other"]) == ["e", "other"]
    assert graph.up([]) == graph.down([]) == []


def test_chosen(project):
    graph = read(project(stages(a=["in"], b=["a"], c=["a"], d=["b", "c"], e=["d"], other=["in"])))
    assert graph.chosen() == list(graph.stages)
    assert graph.chosen(["b"]) == ["a", "b"]
    assert graph.chosen(start=["c"]) == ["c", "d", "e"]
    assert graph.chosen(["d"], ["c"]) == ["c", "d"]  # from there, and no further than it is asked for
    with pytest.raises(ValueError, match=r"^other does not need c: nothing to run$"):
        graph.chosen(["other"], ["c"])


def test_the_name_of_a_foreach_means_all_of_its_stages(project):
    graph = read(project(MATRIX))
    assert graph.known(["score"]) == ["score@x", "score@y"]
    assert graph.known(["fit", "score@y"]) == ["fit@a", "fit@b", "score@y"]
    assert graph.up(["fit@b"]) == ["score@x", "fit@b"]
    assert graph.down(["score"]) == ["score@x", "score@y", "fit@a", "fit@b"]
    with pytest.raises(ValueError, match=r"no stage 'sco'; there are score@x, score@y, fit@a, fit@b$"):
        graph.known(["score", "sco"])


@pytest.mark.parametrize(
    ("made", "read_as"),
    [("data/x", "data/x/part/file"), ("data/x/part", "data/x"), ("data/x", "data/x")],
)
def test_a_dependency_lies_in_an_output_or_contains_it(project, made, read_as):
    text = (
        f"stages:\n  below: {{cmd: c, deps: [{read_as}], outs: [o]}}\n  above: {{cmd: c, outs: [{made}]}}\n"
    )
    graph = read(project(text))
    assert list(graph.stages) == ["above", "below"]
    assert graph.stages["below"].upstream == ("above",) and graph.stages["above"].upstream == ()


def test_neighbours_are_no_dependencies(project):
    text = "stages:\n  one: {cmd: c, outs: [data/x]}\n  two: {cmd: c, deps: [data/x2], outs: [o]}\n"
    assert read(project(text)).stages["two"].upstream == ()


def test_data_sources_are_no_stages(project):
    """A .dvc file is data that DVC keeps; nothing runs for it."""
    source = "outs:\n- {md5: 0123456789abcdef0123456789abcdef, size: 1, hash: md5, path: raw}\n"
    graph = read(project(stages(a=["raw"]), **{"raw.dvc": source}))
    assert list(graph.stages) == ["a"] and graph.stages["a"].upstream == ()


def test_another_dvc_yaml_is_not_ours(project):
    root = project(stages(a=["sub/b"]))
    (root / "sub").mkdir()
    (root / "sub" / "dvc.yaml").write_text(stages(a=["../in"], b=["a"]))
    graph = read(root)
    assert {name: stage.outs for name, stage in graph.stages.items()} == {"a": ("a",)}
    assert graph.stages["a"].upstream == ()


def test_a_frozen_stage_reads_nothing(project):
    text = stages(a=["in"], b=["a"], c=["b"]).replace("make b,", "make b, frozen: true,")
    graph = read(project(text))
    assert [stage.frozen for stage in graph.stages.values()] == [False, True, False]
    assert graph.up(["c"]) == ["b", "c"] and graph.down(["a"]) == ["a"]


def test_paths_are_of_the_root(project):
    text = "stages:\n  a: {cmd: [one, two], wdir: sub, deps: [in, ../top], outs: [out/x]}\n"
    root = project(text)
    (root / "sub").mkdir()
    stage = read(root).stages["a"]
    assert stage.deps == ("sub/in", "top") and stage.outs == ("sub/out/x",) and stage.cmd == "one\ntwo"


def test_no_stages(project):
    graph = read(project("stages: {}\n"))
    assert graph.stages == {} and graph.chosen() == []
    with pytest.raises(ValueError, match="no stage 'a'; there are none"):
        graph.up(["a"])


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, Meta()),
        ({"gpu": 2, "distributed": True, "retries": 3, "pool": "gpu"}, Meta(2, True, None, 3, "gpu")),
        ({"timeout": "90m"}, Meta(timeout=5400.0)),
        ({"timeout": 30, "constant": True}, Meta(timeout=30.0, constant=True)),
    ],
)
def test_meta(values, wanted):
    assert meta("s", values) == wanted


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"gpus": 1},
            "unknown meta key 'gpus'; known: gpu, distributed, timeout, retries, pool, constant, stamps",
        ),
        ({"gpu": -1}, "meta.gpu: must be 0 or more, found -1"),
        ({"gpu": True}, "meta.gpu: must be 0 or more, found True"),
        ({"retries": "2"}, "meta.retries: must be 0 or more, found '2'"),
        ({"timeout": "soon"}, "meta.timeout: 'soon' is no duration: write 90s, 5m, 6h or 2d"),
        ({"timeout": 0}, "meta.timeout: 0 is no duration: write 90s, 5m, 6h or 2d"),
        ({"constant": "yes"}, "meta.constant: must be true or false, found 'yes'"),
        ({"pool": 1}, "meta.pool: must be a name, found 1"),
        (["gpu"], "meta must hold keys, found ['gpu']"),
    ],
)
def test_meta_that_is_wrong_is_named_with_its_stage(project, values, message):
    with pytest.raises(ValueError) as caught:
        meta("seeds", values)
    assert str(caught.value).removeprefix("dvc.yaml, stage seeds: ") == message


def test_meta_of_dvc_yaml_is_checked(project):
    root = project("stages:\n  a: {cmd: c, outs: [o], meta: {timeout: 5m, gpu: many}}\n")
    with pytest.raises(ValueError, match=r"^dvc.yaml, stage a: meta.gpu: must be 0 or more, found 'many'$"):
        read(root)


@pytest.mark.parametrize(
    ("given", "wanted"), [("90", 90), (90, 90), ("90s", 90), ("1.5m", 90), (" 6 h ", 21600), ("2d", 172800)]
)
def test_durations(given, wanted):
    assert seconds(given) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stages:\n  a: {cmd: [\n", ["'dvc.yaml'", "line 3"]),
        ("stages:\n  a: {cmmd: c}\n", ["'dvc.yaml'", "stages: a: cmmd: extra keys not allowed"]),
        ("stages:\n  a: {cmd: c, deps: ['${nothing.x}'], outs: [o]}\n", ["stages.a.deps", "'nothing.x'"]),
        (LOOP, ["dvc.yaml:one", "dvc.yaml:two"]),
        (
            "stages:\n  a: {cmd: c, outs: [x]}\n  b: {cmd: c, outs: [x]}\n",
            ["'x'", "dvc.yaml:a", "dvc.yaml:b"],
        ),
        ("stages:\n  a: {cmd: c, outs: [x]}\n  b: {cmd: c, outs: [x/y]}\n", ["x/y", "overlap"]),
        ("- a\n- b\n", ["'dvc.yaml'", "expected a dictionary"]),
    ],
    ids=["syntax", "schema", "template", "loop", "same out", "overlap", "list"],
)
def test_one_clear_error_for_a_dvc_yaml_that_is_wrong(project, text, words):
    with pytest.raises(ValueError) as caught:
        read(project(text))
    message = str(caught.value)
    assert message.startswith("DVC: ") and "\n" not in message
    assert all(word in message for word in words), message


def test_a_params_yaml_that_is_wrong(project):
    root = project("stages:\n  a: {cmd: c, deps: ['${x}'], outs: [o]}\n", **{"params.yaml": "x: 1\ny: [\n"})
    with pytest.raises(ValueError, match=r"'params.yaml'.*line 3"):
        read(root)


def test_a_date_in_params_yaml_is_named(project):
    text = "stages:\n  a: {cmd: c, params: [x.y], deps: ['${x.y}'], outs: [o]}\n"
    with pytest.raises(ValueError, match=r"^DVC: .*'date'.*params.yaml:x.y.*: dates are written in quotes$"):
        read(project(text, **{"params.yaml": "x: {y: 2020-01-01}\n"}))


def test_a_damaged_lock_names_what_mends_it(project):
    root = project(stages(a=["in"]), **{"dvc.lock": "schema: '2.0'\nstages:\n  a: {cmd: make a, outs: [\n"})
    with pytest.raises(ValueError, match=r"dvc.lock'.*line 4.*\(`wsss run` mends it\)$"):
        read(root)


def test_a_project_without_git_names_the_way(project):
    """As a ZIP has it."""
    root = project(stages(a=[]))
    (root / ".dvc" / "config").write_text("")  # with git, as the recipe's
    with pytest.raises(ValueError, match=r"is not a git repository.*`git clone` it.*`git init"):
        read(root)
