"""W&B as it is called: a module that records the calls stands for it, for the library is large.

It was tried offline by hand, never against the service.
"""

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.engine import training_logs
from tests.pipeline.engine.training_logs.conftest import LOSSES, Training

pytestmark = pytest.mark.usefixtures("warmed")


class Fake(types.ModuleType):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.runs: list[dict[str, Any]] = []
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.defined: list[tuple[str, str]] = []
        self.finished = 0
        self.mode, self.key = "offline", ""

    def setup(self) -> Any:
        return types.SimpleNamespace(settings=types.SimpleNamespace(mode=self.mode))

    def login(self, verify: bool, prompt: bool) -> bool:
        assert not verify and not prompt  # no look at the service, no question in the midst of a run
        if self.key == "wrong":
            raise RuntimeError("API key\nis too short.")
        return bool(self.key)

    def init(self, **asked: Any) -> Any:
        self.runs.append(asked)
        return types.SimpleNamespace(log=self._log, define_metric=self._define, finish=self._finish)

    @staticmethod
    def Settings(**values: Any) -> dict[str, Any]:  # noqa: N802
        return values

    def _log(self, numbers: dict[str, float], step: int) -> None:
        self.logged.append((step, numbers))

    def _define(self, name: str, step_metric: str) -> None:
        self.defined.append((name, step_metric))

    def _finish(self) -> None:
        self.finished += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    module = Fake()
    monkeypatch.setenv("WSSS_LOGS", "wandb")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setattr(training_logs, "_is_installed", lambda package: package == "wandb")
    ours = "pipeline.engine.training_logs.wandb"
    monkeypatch.delitem(sys.modules, ours, raising=False)
    monkeypatch.delattr(training_logs, "wandb", raising=False)
    yield module
    sys.modules.pop(ours, None)  # it has the fake


def test_a_training_is_a_run_that_goes_on_under_its_id(
    training: Callable[..., Training], fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = training()
    project.train(stop=2)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    project.train()
    first, second = fake.runs
    told = list(fake.logged)
    project.train(anew=True)
    assert fake.runs[2]["id"] != first["id"] and fake.runs[2]["name"] == "workspace/work/2"
    place = project.root / "logs" / "wandb" / "workspace" / "work" / "1"
    wanted = {"dir": str(place), "name": "workspace/work/1", "group": "workspace", "job_type": "work"}
    for run, name in ((first, "wsss"), (second, "mine")):
        assert wanted.items() <= run.items() and run["project"] == name
        assert (run["resume"], run["reinit"]) == ("allow", "create_new")
    assert first["id"] == second["id"] != ""
    assert first["settings"].items() >= {"console": "off", "disable_git": True, "disable_code": True}.items()
    assert told == [(epoch, {"loss": loss, "oc.loss": 7.0, "epoch": epoch})
                           for epoch, loss in LOSSES.items()]  # fmt: skip
    assert fake.defined == [("*", "epoch")] * 3 and fake.finished == 3


@pytest.mark.parametrize(
    ("mode", "key", "said"),
    [
        ("offline", "", ""),
        ("disabled", "", ""),
        ("online", "right", ""),
        ("online", "", "W&B has no key"),
        ("online", "wrong", "API key is too short"),
    ],
)
def test_a_key_is_asked_for_before_anything_runs(fake: Fake, mode: str, key: str, said: str) -> None:
    fake.mode, fake.key = mode, key
    if not said:
        return training_logs.check()
    wanted = f"^WSSS_LOGS=wandb: {said}: `wandb login`, or WANDB_MODE=offline, which keeps all here for"
    with pytest.raises(ValueError, match=wanted):
        training_logs.check()
    return None
