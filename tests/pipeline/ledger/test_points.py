"""A row as values by dotted key."""

import pytest

from pipeline.ledger import points, rows
from pipeline.ledger.points import overrides
from pipeline.project import git, gpus
from pipeline.sweep.definition import base_values, with_values
from tests.pipeline.ledger.conftest import row, write
from tests.pipeline.sweep.conftest import commit


def test_what_makes_one_of_another():
    old = {"a": {"b": 1, "c": {"x": 1}}, "d": {"e": [1]}, "f": {"g": {}}}
    new = {"a": {"b": 2, "c": {"y": 1}}, "d": {"e": [1]}, "f": {"g": {}}}
    assert overrides(old, new) == {"a.b": 2, "a.c": {"y": 1}}
    assert with_values(old, overrides(old, new)) == new


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"changes": {"seeds.valu": 1}}, "params.yaml has no seeds.valu; did you mean seeds.value?"),
        ({"changes": {"seeds.seed": 1}}, "seeds.seed is set by --seeds: leave it out"),
        ({"preset": "none"}, "there is no preset 'none'"),
        ({"preset": "small"}, "preset small is of pictures, no recipe"),
        ({"to": ["nothing"]}, "its recipe has no stage nothing"),
    ],
)
def test_a_row_with_a_slip_is_a_line(with_rows, tmp_path, changes, says):
    project = with_rows.copy(tmp_path / "project")
    write(project.root, "ledger/way", [row("fine"), row("slip", **changes)])
    found = rows.read(project.root)
    revision = git.resolve(project.root, "HEAD")
    with pytest.raises(ValueError, match="ledger: 1 problem") as error:
        points.make(project.root, revision, found.of("demo"), "demo", found.sets["demo"])
    assert f"ledger/way.yaml, slip: {says}" in str(error.value)


def of_set(project, **changes):
    """The points of demo, of which a set's entry says otherwise."""
    found, revision = rows.read(project.root), git.resolve(project.root, "HEAD")
    chosen = found.sets["demo"].model_copy(update=changes)
    return points.make(project.root, revision, found.of("demo"), "demo", chosen)


def test_a_set_leaves_out_stages_of_a_kind(with_rows, tmp_path):
    project = with_rows.copy(tmp_path / "project")
    both = [row("one", to=["seeds", "report"]), row("two", to=["seeds"])]
    write(project.root, "ledger/way", both)
    found = {point.row.name: point.to for point in of_set(project, without={"way": ["report"]})}
    assert found == {"plain": ("report",), "device": ("report",), "one": ("seeds",), "two": ("seeds",)}
    found = {point.row.name: point.to for point in of_set(project)}
    assert found["one"] == ("report", "seeds")


@pytest.mark.parametrize(
    ("without", "says"),
    [
        (
            {"way": ["seeds"]},
            "ledger/way.yaml, short: it ends nowhere: sets.yaml leaves out all of its stages",
        ),
        ({"way": ["seed"]}, "ledger/sets.yaml, demo.without: no row of way ends at seed"),
        ({"gears": ["report"]}, "ledger/sets.yaml, demo.without: no row of gears ends at report"),
    ],
)
def test_what_a_set_leaves_out_in_vain_is_a_line(with_rows, without, says):
    with pytest.raises(ValueError) as error:
        of_set(with_rows, without=without)
    assert str(error.value).splitlines() == ["ledger: 1 problem(s)", f"  {says}"]


@pytest.mark.parametrize("wrong", [{"recipe": "small"}, {"recipe": "none"}, {"pictures": "better"}])
def test_a_set_with_a_slip_is_a_line(with_rows, wrong):
    ((key, preset),) = wrong.items()
    with pytest.raises(ValueError, match=rf"^ledger/sets\.yaml, demo\.{key}: {preset} is none of "):
        of_set(with_rows, **wrong)


def test_what_is_wrong_with_many_rows_is_said_once(with_rows):
    with pytest.raises(ValueError) as error:
        of_set(with_rows, changes={"seeds.valu": 1})
    assert str(error.value).splitlines() == [
        "ledger: 1 problem(s)",
        "  ledger/plain.yaml, plain, and 4 more: params.yaml has no seeds.valu; did you mean seeds.value?",
    ]


@pytest.mark.parametrize("text", ["", "[]", "stages:", "stages: {work: 5}"])
def test_a_commit_without_stages_is_said(with_rows, tmp_path, text):
    project = with_rows.copy(tmp_path / "project")
    (project.root / "dvc.yaml").write_text(text)
    commit(project)
    found, revision = rows.read(project.root), git.resolve(project.root, "HEAD")
    with pytest.raises(ValueError, match=rf"^dvc\.yaml of {revision[:10]} has no stages: "):
        points.make(project.root, revision, found.of("demo"), "demo", found.sets["demo"])


def test_a_row_is_the_sets_recipe_or_its_own_with_changes(with_rows):
    root = with_rows.root
    found, revision = rows.read(root), git.resolve(root, "HEAD")
    large = points.make(root, revision, found.of("large"), "large", found.sets["large"])
    assert [point.overrides for point in large] == [
        {"generate.value": 9, "seeds.value": 20},
        {"generate.value": 9, "seeds.value": 3, "pseudo_labels.value": 7},
    ]
    values = with_values(base_values(root, revision), large[1].overrides)
    assert values == large[1].params


def test_what_the_schema_refuses_is_no_crash():
    """The schema's line comes later: a point is made, and its ends looked at, before."""
    odd = {"evaluation": {"rungs": 5}, "seeds": {"of": 5}}
    point = points.Point("way", rows.Row(**row("a", to=[])), odd, odd)
    assert point.to == ()
    point = points.Point("way", rows.Row(**row("a", to=["seeds@x"])), odd, odd)
    graph = {"seeds": {"foreach": "${seeds.of}", "do": {}}}
    assert list(points._ends(graph, point)) == ["its recipe has 5 where the names of seeds@... stand"]


def test_what_a_machine_lacks(tmp_path, monkeypatch):
    weights = {"source": "file", "name": "w.pth"}
    params = {
        "generate": {"of": []}, "dataset": {"name": "mine"}, "pseudo_labels": {"regions": "raw/sam"},
        "segmenter": {"encoder": {"weights": weights}},
    }  # fmt: skip
    point = points.Point("way", rows.Row(**row("a", needs=["gpu"])), params, params)
    monkeypatch.delenv("WSSS_WEIGHTS", raising=False)
    monkeypatch.setattr(gpus, "devices", lambda: [])
    lines = points.missing(tmp_path, point)
    assert [line.split(" ")[0] for line in lines] == [
        "needs",
        "dataset.name",
        "pseudo_labels.regions",
        "weights",  # without the trainings, which differ from row to row
    ]
    params["generate"]["of"] = ["mine"]  # a stage makes it
    assert not any("dataset.name" in line for line in points.missing(tmp_path, point))
    params["generate"]["of"] = 5
    assert any("dataset.name" in line for line in points.missing(tmp_path, point))
    params["generate"]["of"] = []
    for name in ("mine", "sam"):
        (tmp_path / "data/raw" / name).mkdir(parents=True)
    (tmp_path / "w.pth").touch()
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(gpus, "devices", lambda: ["0"])
    assert points.missing(tmp_path, point) == []
