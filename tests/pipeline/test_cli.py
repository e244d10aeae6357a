import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import cli
from tests.pipeline import made_runs
from tests.pipeline.made_runs import Runs, entry

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")  # any folder of the project will do
    return tmp_path


def wsss(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    monkeypatch.setattr(sys, "argv", ["wsss", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out, printed.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return lambda *words: wsss(capsys, monkeypatch, *words)


def test_help_names_every_command(run) -> None:
    for words in ([], ["--help"]):
        code, out, _ = run(*words)
        assert code == 0
        assert all(name in out for name in ("preset", "link", "ladder", "check", "plots-setup"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing"], "error: No such command 'nothing'."),
        (["link", "mini"], "error: Missing argument"),
        (["link", "a/b", "."], "error: 'a/b' is no name of a data set"),
        (["preset", "none"], "error: there is no preset 'none'"),
        (["ladder"], "error: reports/ has no rung's metrics.json: `wsss run` makes them"),
        (["check", "--fast"], "error: No such option"),
    ],
)
def test_bad_usage_is_one_line(root: Path, run, words: list[str], says: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert err.startswith(says)
    assert err.count("\n") == 1


def test_outside_a_project(tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("check") == (1, "", "error: no dvc.yaml and params.yaml here or above: "
                                   "run wsss inside the project's folder\n")  # fmt: skip


def test_preset_shows_the_change(root: Path, run) -> None:
    assert run("preset")[1].startswith("demo ")
    code, out, _ = run("preset", "psa")
    assert code == 0
    assert "classifier.augment.longest_side: null -> [256, 512]\n" in out
    assert out.endswith("value(s) changed; `dvc repro` runs it\n")
    assert run("preset", "psa")[1] == "params.yaml is so already\n"


def test_link_and_check(root: Path, run) -> None:
    (root / "below" / "mine").mkdir()
    code, out, _ = run("link", "mini", "mine")
    assert (code, out) == (0, f"data/raw/mini -> {root / 'below' / 'mine'}; set dataset.name to mini\n")
    assert run("check") == (0, "params.yaml is valid\n", "")
    (root / "params.yaml").write_text(
        (root / "params.yaml").read_text().replace("method: cam", "method: camm")
    )
    code, _, err = run("check")
    assert code == 1
    assert "seeds.method: Input should be 'cam'" in err


def test_ladder_shows_the_rungs_and_the_pictures(root: Path, run) -> None:
    runs = Runs(root)
    outs = {name: {f"reports/{name}/metrics.json": ""} for name in ("seeds", "predictions")}
    made_runs.lock(runs, {f"evaluation@{name}": entry(None, None, out) for name, out in outs.items()})
    made_runs.score(runs, "seeds", miou=42.1, miou_best_threshold=44.0, images=12)
    made_runs.score(runs, "predictions", split="val", miou=50.0, recall=61.0, images=4)
    (root / "reports" / "seeds" / "gallery.png").touch()
    code, out, _ = run("ladder")
    assert code == 0
    assert all(text in out for text in ("seeds", "44.00", "predictions", "61.00"))
    assert "crf, pseudo_labels: not scored in this run" not in out  # each has its own command
    assert "crf: not scored in this run: `wsss run evaluation@crf`" in out
    assert out.endswith("  reports/seeds/gallery.png\n")


def test_help_is_light(tmp_path: Path) -> None:
    """What only computing needs is not loaded to run or to show the recipe."""
    probe = (
        "import sys; from pipeline import cli, ladder, links, presets; "
        "print(sorted({'torch', 'numpy', 'cv2', 'dvc', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_pipeline_imports_schemas_only() -> None:
    import ast

    found = set()
    for file in (ROOT / "pipeline").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stages"):
                found.add(node.module)
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names if alias.name.startswith("stages")}
    assert found
    assert all(name.split(".")[-1] == "params" for name in found), found
