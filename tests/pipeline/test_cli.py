import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from pipeline import cli
from pipeline.cli.app import PARAMETERS, RECIPE, RESULTS, UPKEEP, USE
from pipeline.project import children, presets
from stages.common.params import read_yaml
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
    for words in ([], ["--help"], ["-h"]):
        code, out, _ = run(*words)
        assert code == 0
        assert all(name in out for name in ("preset", "link", "ladder", "check", "plots-setup"))


def test_help_is_in_groups_with_an_example_of_each_command(run) -> None:
    assert all(group in run("-h")[1] for group in (RECIPE, PARAMETERS, RESULTS, USE, UPKEEP))
    for command in cli.app.registered_commands:
        assert command.rich_help_panel and f"Example: `wsss {command.name or ''}" in command.epilog
    assert "Example: wsss diff main HEAD" in run("diff", "-h")[1]


def test_the_examples_of_the_help_are_understood() -> None:
    """Their options are, and the keys of a sweep are there."""
    keys = presets.dotted(read_yaml(ROOT / "params.yaml"))
    group = typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        for example in re.findall("`wsss (.*?)`", command.epilog):
            _, *words = shlex.split(example)
            context = command.make_context(name, words)
            assert context.params is not None
        if name == "sweep":
            assert {axis.partition("=")[0] for axis in context.params["axes"]} <= set(keys)


def test_version_and_completion(run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--version")[1].startswith("wsss 0.")
    monkeypatch.setenv("_WSSS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "wsss pre")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run()[1].split() == ["predict", "preset"] or run()[1].split() == ["preset", "predict"]


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
    code, out, err = run("check")
    assert (code, out) == (1, "") and err.startswith("error: no dvc.yaml and params.yaml here or above: ")
    assert "git clone" in err


def test_preset_shows_the_change(root: Path, run) -> None:
    names = ("demo", "voc-mobilenet-boxes", "demo-co-occurrence")
    assert all(f"\n  {name} " in run("preset")[1] for name in names)
    code, out, _ = run("preset", "psa")
    assert code == 0
    assert "classifier.augment.longest_side: null -> [256, 512]\n" in out
    assert "weights imagenet of resnet50 come from the library" in out
    assert out.endswith("value(s) changed; `wsss run` runs it\n")
    assert run("preset", "psa")[1].endswith("params.yaml is so already\n")


def test_link_and_check(root: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "below" / "mine").mkdir()
    code, out, _ = run("link", "mini", "mine")
    assert code == 0 and out.startswith(
        f"data/raw/mini -> {root / 'below' / 'mine'}; set dataset.name to mini"
    )
    assert "images/ and labels.csv" in out
    asked = []
    monkeypatch.setattr(children, "run", lambda *words: asked.append(words) or len(asked) - 1)
    assert run("check") == (0, "params.yaml is valid\n", "")
    assert asked == [(root, "stages.parameters.look")]
    assert run("check")[:2] == (1, "")  # the child said why
    (root / "params.yaml").write_text(
        (root / "params.yaml").read_text().replace("method: cam", "method: camm")
    )
    code, _, err = run("check")
    assert code == 1
    assert "seeds.method: Input should be 'cam'" in err


def test_import_starts_the_command_with_whole_paths(root: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(children, "run", lambda *words: asked.append(words) or 2)
    words = ["import", "masks", "mine", "--out", "made", "--threshold", "127", "--none", "good", "--copy"]
    assert run(*words) == (2, "", "")
    below = root / "below"
    options = [f"--out={below / 'made'}", "--none=good", "--threshold=127", "--copy", "--", "masks"]
    assert asked == [(root, "stages.commands.importing", [*options, str(below / "mine")])]


def test_ladder_shows_the_rungs_and_the_pictures(root: Path, run) -> None:
    runs = Runs(root)
    rungs = "[seeds, crf, pseudo_labels, predictions]"
    do = "{cmd: work, outs: ['reports/${item}/metrics.json']}"
    runs.write("dvc.yaml", f"stages: {{evaluation: {{foreach: {rungs}, do: {do}}}}}\n")
    outs = {name: {f"reports/{name}/metrics.json": ""} for name in ("seeds", "predictions")}
    made_runs.lock(runs, {f"evaluation@{name}": entry(None, None, out) for name, out in outs.items()})
    made_runs.score(runs, "seeds", miou=42.1, miou_best_threshold=44.0, images=12)
    made_runs.score(runs, "predictions", split="val", miou=50.0, recall=61.0, images=4)
    runs.write("reports/gallery/seeds/sheet.png", "")
    code, out, _ = run("ladder")
    assert code == 0
    assert all(text in out for text in ("seeds", "44.00", "predictions", "61.00"))
    assert "crf, pseudo_labels: not scored in this run" not in out  # each has its own command
    assert "crf: not scored in this run: `wsss run evaluation@crf`" in out
    assert out.endswith("  reports/gallery/seeds/sheet.png\n")


def test_help_is_light(tmp_path: Path) -> None:
    """What only computing needs is not loaded to run or to show the recipe."""
    probe = (
        "import sys; from pipeline import cli; from pipeline.project import links, presets; "
        "from pipeline.results import ladder; "
        "print(sorted({'torch', 'numpy', 'cv2', 'dvc', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_projects_files_stay_utf_8_in_any_terminal(root: Path) -> None:
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("\nseeds:\n", "\n# grün\nseeds:\n"), encoding="utf-8")
    env = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONPATH": str(ROOT),
    }
    for words in (["preset", "threshold"], ["params", "seeds"]):
        command = [sys.executable, "-m", "pipeline.cli", *words]
        done = subprocess.run(command, cwd=root, env=env, capture_output=True)
        assert done.returncode == 0, done.stderr
    assert "# grün\n" in params.read_text(encoding="utf-8")
    assert done.stdout.decode("utf-8").startswith("seeds: grün\n")


LIGHT = {  # of what pipeline/ may import besides the schemas: none of it computes anything but a few numbers
    "stages.common.artifacts", "stages.common.cluster.address", "stages.common.door",
    "stages.common.drawing.colours", "stages.common.inputs", "stages.common.stamps",
    "stages.dataset.files", "stages.dataset.labels", "stages.dataset.layouts", "stages.dataset.words",
    "stages.episodes.names", "stages.evaluation.emptiness", "stages.evaluation.names",
    "stages.evaluation.rungs", "stages.explanation.names",
}  # fmt: skip


def test_pipeline_imports_schemas_and_what_computes_nothing() -> None:
    import ast

    found = set()
    for file in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stages"):
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                modules = {name for name in inner if (ROOT / f"{name.replace('.', '/')}.py").is_file()}
                found |= modules or {str(node.module)}
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names if alias.name.startswith("stages")}
    assert found >= LIGHT
    assert {name for name in found - LIGHT if name.split(".")[-1] != "params"} == set()
