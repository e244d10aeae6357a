"""What a stage reads, before and after: what counts as a change, and what does not."""

import os
import shutil
import time
from pathlib import Path

import pytest

from pipeline.memory import graph
from stages.common import inputs, processes
from stages.common.inputs import Watch
from stages.common.params import read_yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "code.py"
    path.write_text("a = 1\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    (place / "deep").mkdir(parents=True)
    for name in ("a", "b", "deep/c"):
        (place / name).write_text(name)
    return place


def told(watch: Watch) -> str:
    watch.look(at_end=True)
    return watch.told()


def soon(watch: Watch) -> Watch:
    """As if some time had passed since the last look."""
    watch._last -= 1
    return watch


def test_a_file(code, tmp_path):
    watch = Watch([code], root=tmp_path)
    assert told(watch) == ""
    os.utime(code, (1, 1))  # touched
    shutil.copy(code, tmp_path / "copy")
    os.replace(tmp_path / "copy", code)  # saved again as it was
    assert told(watch) == ""
    code.write_text("a = 2\n")
    assert told(watch) == "code.py"
    other = Watch([code], root=tmp_path)
    code.unlink()
    assert not soon(other).look()  # an editor that removes it first is about to write it
    assert told(other) == "code.py"


def test_an_edit_that_is_undone(code, tmp_path):
    watch = Watch([code], root=tmp_path)
    code.write_text("a = 2\n")
    assert not watch.look()  # it has only just looked
    assert soon(watch).look() and not soon(watch).look()
    code.write_text("a = 1\n")
    assert told(watch) == "code.py"


@pytest.mark.parametrize("few", [500, 2])
def test_a_folder(folder, tmp_path, monkeypatch, few):
    """Of a large one dates and sizes are compared."""
    monkeypatch.setattr(inputs, "FEW", few)
    written = folder / "ours"
    watch = Watch([folder], left_out=[written], root=tmp_path)
    assert bool(watch._content) == (few == 500)
    (folder / "__pycache__").mkdir()
    for path in (folder / "__pycache__/x", folder / "x.pyc", folder / "x.partial", written):
        path.write_text("scrap")
    os.link(folder / "a", tmp_path / "linked")  # as a cache of hard links does
    assert told(watch) == ""
    (folder / "a").write_text("A!")
    (folder / "deep/c").unlink()
    (folder / "new").write_text("new")
    assert told(watch) == "pictures/a, pictures/deep/c, pictures/new"
    (folder / "newer").write_text("new")
    assert told(watch).endswith("pictures/new, 1 more")


def test_parameters(tmp_path):
    """Only those that are declared count; half a file is not a change yet."""
    params = tmp_path / "params.yaml"
    text = "train: {lr: 1, deep: {er: 2}}\nother: 1\n"
    params.write_text(text)
    watch = Watch([], [params], lambda: {"train": read_yaml(params)["train"]})
    params.write_text(text.replace("other: 1", "other: 2"))
    assert told(watch) == ""
    params.write_text("")
    assert not soon(watch).look()
    params.write_text(text.replace("er: 2", "er: 3"))
    assert soon(watch).look()
    params.write_text(text)
    assert told(watch) == "train.deep.er: 2 -> 3"
    params.write_text("")
    assert "must hold sections" in told(watch)


def test_what_dvc_yaml_declares_is_what_dvc_makes_of_it(monkeypatch):
    """Of every stage of the recipe, those of a foreach included."""
    monkeypatch.chdir(ROOT)
    stages = graph.read(ROOT).stages
    assert len(stages) > 10
    for stage in stages.values():
        paths, values = inputs.declared(stage.name)
        assert sorted(paths) == sorted(stage.deps) and sorted(values) == sorted(stage.params)


def test_templates_of_foreach_and_matrix(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("runs: [x, y]\na: {b: 1}\n")
    Path("dvc.yaml").write_text(
        "stages:\n"
        '  each: {foreach: "${runs}", do: {cmd: x, deps: ["in/${item}", "${a.b}.py"], params: [a.b]}}\n'
        "  map: {foreach: {k: {path: p}}, do: {cmd: x, deps: ['${item.path}', '${key}']}}\n"
        "  grid: {matrix: {n: [1, 2], m: [u]}, cmd: x, deps: ['${item.n}${item.m}'], params: [{o.yaml: }]}\n"
    )
    assert inputs.declared("each@y") == (["in/y", "1.py"], {"a.b": 1})
    assert inputs.declared("map@k") == (["p", "k"], {})
    assert inputs.declared("grid@2-u") == (["2u", "o.yaml"], {})
    with pytest.raises(ValueError, match="has no stage gone"):
        inputs.declared("gone")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A stage of DVC's, which runs in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train")
    Path("params.yaml").write_text("train: {lr: 1}\nother: 1\n")
    Path("dvc.yaml").write_text("stages: {train: {cmd: x, deps: [code.py], params: [train]}}\n")
    Path("code.py").write_text("a = 1\n")
    time.sleep(2 * inputs.CLOCK)
    monkeypatch.setattr(processes, "STARTED", time.time())


def replaced(path: str, old: str, new: str) -> None:
    Path(path).write_text(Path(path).read_text().replace(old, new))


@pytest.mark.parametrize(
    ("path", "old", "new", "named"),
    [
        ("params.yaml", "lr: 1", "lr: 2", "train.lr: 1 -> 2"),
        ("code.py", "1", "2", "code.py"),
        ("dvc.yaml", "[train]", "[train, other]", "other: None -> 1"),
    ],
)
def test_a_stage_refuses_its_result(project, path, old, new, named):
    with pytest.raises(inputs.ChangedError) as error, inputs.unchanged():
        replaced(path, old, new)
    assert str(error.value) == f"{named} changed while it ran: its result is not kept; run again"


def test_a_stage_is_watched_all_along(project):
    with pytest.raises(inputs.ChangedError, match=r"^code.py changed"), inputs.unchanged():
        replaced("code.py", "1", "2")
        time.sleep(6 * inputs.EVERY)
        replaced("code.py", "2", "1")


def test_code_that_changed_while_it_was_imported(project):
    replaced("code.py", "1", "2")
    ran = False
    with pytest.raises(inputs.ChangedError, match=r"^code.py changed"), inputs.unchanged():
        ran = True
    assert not ran


def test_what_is_no_fault(project, monkeypatch):
    """What it does not read; and a step that was started by hand, whose result nobody remembers."""
    with inputs.unchanged():
        replaced("params.yaml", "other: 1", "other: 2")
        Path("code.py").touch()
    monkeypatch.delenv("DVC_STAGE")
    with inputs.unchanged():
        replaced("code.py", "1", "2")


def test_its_own_error_comes_first(project):
    with pytest.raises(RuntimeError, match="boom"), inputs.unchanged():
        replaced("code.py", "1", "2")
        raise RuntimeError("boom")


def test_a_fifo_is_not_waited_for(folder: Path) -> None:
    """The plan refuses one, unless DVC ignores it."""
    os.mkfifo(folder / "fifo")
    assert told(Watch([folder])) == ""
