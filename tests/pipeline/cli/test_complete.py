"""What a shell is told at TAB, in the words that bash and fish ask with."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.cli.parameters import FORMATS
from stages.commands.importing import __main__ as importing
from tests.pipeline import made_runs

ROOT = Path(__file__).parents[3]
Ask = Callable[..., list[str]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("presets", "ledger"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """What is offered for a command whose last word is half typed, "" where it is not begun."""

    def asked(*words: str, shell: str = "bash") -> list[str]:
        monkeypatch.setattr(sys, "argv", ["wsss"])
        monkeypatch.setenv("_WSSS_COMPLETE", f"complete_{shell}")
        if shell == "bash":
            monkeypatch.setenv("COMP_WORDS", "\n".join(["wsss", *words]))
            monkeypatch.setenv("COMP_CWORD", str(len(words)))
        else:
            monkeypatch.delenv("COMP_WORDS", raising=False)
            monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(["wsss", *words]))
            monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        with pytest.raises(SystemExit):
            cli.main()
        printed = capsys.readouterr()
        assert printed.err == ""
        return [line for line in printed.out.splitlines() if line]

    return asked


def test_presets_are_recipes_and_data_sets_with_their_titles(root: Path, ask: Ask) -> None:
    assert ask("preset", "ps") == ["psa"]
    every = {file.stem for file in [*root.glob("presets/*.yaml"), *root.glob("presets/data/*.yaml")]}
    assert set(ask("preset", "")) == every
    (root / "presets/ps2.yaml").write_text("# A recipe of mine\nseeds: {method: cam}\n")
    assert ask("preset", "ps2", shell="fish") == ["ps2\tA recipe of mine"]


def test_keys_are_sections_first(root: Path, ask: Ask) -> None:
    assert {"seeds", "segmenter"} < set(ask("params", "")) and not any(
        "." in key for key in ask("params", "")
    )
    assert ask("params", "pseudo_labels.random_walk.b") == [
        "pseudo_labels.random_walk.beta", "pseudo_labels.random_walk.background",
    ]  # fmt: skip
    assert ask("sweep", "pseudo_labels.random_walk.be") == ["pseudo_labels.random_walk.beta"]


def test_rows_of_the_ledger_are_of_the_set_that_was_named(root: Path, ask: Ask) -> None:
    (root / "ledger").rename(root / "old")
    (root / "ledger").mkdir()
    words = "title: {}, recipe: demo, pictures: synthetic"
    (root / "ledger/sets.yaml").write_text(
        f"demo: {{{words.format('Drawn')}}}\nphotos: {{{words.format('Taken')}}}\n"
    )
    row = "- {{name: {}, title: T, file: f, source: s, expect: e, sets: [{}]}}\n"
    (root / "ledger/plain.yaml").write_text(row.format("plain", "demo") + row.format("bare", "photos"))
    (root / "ledger/loss.yaml").write_text(row.format("lovasz", "demo") + row.format("dice", "photos"))
    assert ask("ledger", "--set", "", shell="fish") == ["demo\tDrawn", "photos\tTaken"]
    assert ask("ledger", "--only", "") == ["plain", "loss", "lovasz"]
    assert ask("ledger", "--set", "photos", "--only", "") == ["plain", "loss", "bare", "dice"]
    assert ask("ledger", "--set", "photos", "--only", "loss", "--only", "di") == ["dice"]


@pytest.mark.parametrize(
    "words", [("run",), ("plan",), ("run", "--from"), ("plan", "--force"), ("sweep", "--to")]
)
def test_stages_are_those_of_the_recipe(root: Path, ask: Ask, words: tuple[str, ...]) -> None:
    """A step that params.yaml leaves out is none; one for several things is all of them, or one."""
    assert ask(*words, "s") == ["seeds", "segmenter"]  # saliency.of is []
    assert ask(*words, "aff") == ["affinity_labels", "affinity"]
    rungs = [f"evaluation@{rung}" for rung in ("seeds", "crf", "pseudo_labels", "predictions")]
    assert ask(*words, "ev") == ["evaluation", *rungs]


def test_a_part_of_a_word_gets_no_whole_name(root: Path, ask: Ask) -> None:
    """bash cuts evaluation@se into three; whole names there would make evaluationseeds of it."""
    assert ask("run", "evaluation", "@", "se") == []
    assert ask("run", "evaluation", "se") == ["seeds", "segmenter"]
    assert ask("run", "evaluation@se", shell="fish") == ["evaluation@seeds"]


def test_pictures_come_with_their_classes(root: Path, ask: Ask) -> None:
    (root / "data/dataset").mkdir(parents=True)
    (root / "data/dataset/classes.json").write_text('["background", "cat", "dog"]')
    rows = ("id,file,split,width,height,labels", "a1,a1.png,train,4,4,cat;dog", "a2,a2.png,val,4,4,")
    (root / "data/dataset/index.csv").write_text("\n".join([*rows, "b,b.png,val,4,4,cat", ""]))
    assert ask("show", "a", shell="fish") == ["a1\tcat, dog", "a2"]


def test_revisions_are_branches_and_points_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    runs = made_runs.make(tmp_path / "project")
    runs.commit()
    for branch in ("wsss/run/grid-1-s0", "wsss/run/grid-1-s1", "wsss/run/beta-4", "try-s1"):
        runs.run("git", "branch", branch)
    monkeypatch.chdir(runs.root)
    there = ["main", "try-s1", "beta-4", "grid-1", "grid-1-s0", "grid-1-s1"]
    assert ask("diff", "") == ["HEAD", "workspace", *there]
    assert ask("diff", "main", "grid-1-s") == ["grid-1-s0", "grid-1-s1"]


def test_formats_are_those_that_import_knows(ask: Ask) -> None:
    assert FORMATS == importing.FORMATS
    assert ask("import", "")[-2:] == ["masks", importing.REGIONS]


@pytest.mark.parametrize(
    "words", [("preset",), ("params",), ("ledger", "--only"), ("run",), ("show",), ("diff",)]
)
def test_where_nothing_can_be_read_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask, words: tuple[str, ...]
) -> None:
    """Outside a project; and in one whose files are damaged."""
    monkeypatch.chdir(tmp_path)
    assert ask(*words, "") == []
    for damaged in ("[", "a: 3\n"):  # no YAML; not of the form
        for name in ("dvc.yaml", "params.yaml", "presets", "ledger"):
            (tmp_path / name).write_text(damaged)
        assert set(ask(*words, "")) <= {"a"}  # a section
