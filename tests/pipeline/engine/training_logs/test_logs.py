"""WSSS_LOGS: what a stage at work tells is written down where it stays, and nothing else changes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine import training_logs
from pipeline.engine.training_logs import Logs, dvclive
from pipeline.engine.workplace import Order, opened
from pipeline.project.outcomes import FAILED, RAN
from tests.conftest import Project
from tests.pipeline import stub
from tests.pipeline.engine.training_logs.conftest import LOSSES, Recorder, Training, table

pytestmark = pytest.mark.usefixtures("warmed")

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSSS_LOGS", "dvclive")


def test_each_epoch_is_written_and_nothing_else_changes(
    training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = training()
    assert project.train().outcome == RAN
    assert table(project.root, "workspace", "work", "1") == LOSSES
    assert table(project.root, "workspace", "work", "1", number="oc.loss") == dict.fromkeys(LOSSES, 7)
    said = list(project.listener.lines)
    assert project.listener.epochs == [1, 2, 3, 4] and "> python train.py" in said
    lock = (project.root / "dvc.lock").read_bytes()

    monkeypatch.delenv("WSSS_LOGS")
    assert project.train(anew=True).outcome == RAN
    assert (project.root / "dvc.lock").read_bytes() == lock
    assert project.listener.lines == said * 2  # the listener hears all, with logs and without
    assert [folder.name for folder in project.root.glob("logs/dvclive/workspace/work/*")] == ["1"]


def test_a_training_that_was_stopped_goes_on_in_its_curve(training: Callable[..., Training]) -> None:
    """Epoch 2 is told twice: before it was saved, the training was stopped."""
    project = training()
    assert project.train(stop=2).outcome == FAILED
    assert table(project.root, "workspace", "work", "1") == {1: 1.0, 2: 0.5}
    assert project.train(called="another run").outcome == RAN
    assert project.listener.epochs == [1, 2, 2, 3, 4]
    assert table(project.root, "workspace", "work", "1") == LOSSES
    assert not (project.root / "logs" / "dvclive" / "another-run").exists()


def test_a_retry_within_a_run_goes_on_as_well(training: Callable[..., Training]) -> None:
    project = training(retries=1)
    assert project.train(stop=3).outcome == RAN
    assert project.listener.epochs == [1, 2, 3, 3, 4]
    assert table(project.root, "workspace", "work", "1") == LOSSES


def test_a_training_anew_is_a_curve_beside_the_first(training: Callable[..., Training]) -> None:
    project = training()
    project.train()
    project.train(anew=True)
    (project.root / ".scratch" / "saved").unlink()
    project.change(lr=2)  # another training
    project.train(called="flow run brave-otter")
    trained = [("workspace", "work", "1"), ("workspace", "work", "2"), ("flow-run-brave-otter", "work", "1")]
    assert [table(project.root, *place) for place in trained] == [LOSSES] * 3


def test_the_logs_outlive_a_runs_worktree(training: Callable[..., Training]) -> None:
    """As of a sweep's runs, and of flows with other parameters."""
    project = training()
    order = Order("beta-01-s0", revision="HEAD", overrides={"lr": 3})
    with opened(project.root, order, project.listener, lambda _: None) as engine:
        assert engine.root == project.root / ".worktrees" / "beta-01-s0"
        assert engine.stage("work").outcome == RAN
    assert not engine.root.exists()
    assert table(project.root, "beta-01-s0", "work", "1") == LOSSES


def test_a_log_that_fails_stops_no_training(
    training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(dvclive.Writer):
        def write(self, epoch: int, numbers: Any) -> None:
            super().write(epoch, numbers)
            if epoch == 2:
                raise OSError("no space\nleft")

        def close(self) -> None:
            raise OSError("still none")

    project = training()
    monkeypatch.setattr(dvclive, "Writer", Failing)
    assert project.train().outcome == RAN
    said = [line for line in project.listener.lines if "hears no more" in line]
    assert said == ["dvclive hears no more of this training: OSError: no space left"]
    assert project.listener.epochs == [1, 2, 3, 4]
    assert table(project.root, "workspace", "work", "1") == {1: 1.0, 2: 0.5}


@pytest.mark.parametrize(
    "values",
    [
        {}, {"epoch": 1}, {"epoch": "1", "loss": 1.0}, {"epoch": True, "loss": 1.0},
        {"epoch": 0, "loss": 1.0}, {"epoch": 1, "epochs": 3, "step": 4, "loss": "low", "good": True},
    ],
)  # fmt: skip
def test_what_only_looks_like_an_epoch_is_passed_on_alone(tmp_path: Path, values: dict[str, Any]) -> None:
    listener = Recorder()
    logs = Logs(tmp_path, "dvclive", "run", "work", "key", listener)
    logs.epoch("work", values)
    logs.progress("work", "steps", 3, 9)
    logs.close()
    assert listener.epochs == [values.get("epoch")] and listener.lines == ["3 of 9 steps"]
    assert not list(tmp_path.iterdir())


def test_a_wrong_kind_is_told_before_anything_runs(project: Project) -> None:
    stub.set_params(project, "classifier", value=9)
    done = stub.wsss(project, "run", check=False, WSSS_LOGS="mlflow")
    assert done.returncode == 1 and stub.traced(project) == []
    assert done.stdout == ("error: WSSS_LOGS=mlflow: give one of tensorboard, dvclive, wandb, or unset it\n")


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
def test_a_missing_package_is_told_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A folder of its name is no package: W&B leaves one in the working folder."""
    monkeypatch.setenv("WSSS_LOGS", kind)
    (tmp_path / kind).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, kind, raising=False)
    wanted = (
        rf'^WSSS_LOGS={kind} needs {kind}: pip install -c constraints.txt -e "\.\[{kind}\]", or unset it$'
    )
    with pytest.raises(ValueError, match=wanted):
        training_logs.check()


def test_nothing_is_asked_of_who_wants_no_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WSSS_LOGS")
    listener = Recorder()
    training_logs.check()
    with training_logs.told(tmp_path, "", "work", {}, listener) as heard:
        assert heard is listener


def test_no_library_of_a_log_is_loaded_where_it_is_not_needed() -> None:
    probe = (
        "import sys; from pipeline.engine import stage; "
        "print(sorted({'torch', 'tensorboard', 'dvclive', 'wandb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
