"""The event files, read back by TensorBoard's own reader."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.training_logs import curves
from tests.pipeline.engine.training_logs.conftest import LOSSES, Training

pytestmark = pytest.mark.usefixtures("warmed")

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason='needs pip install -e ".[tensorboard]"'
)


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """By name and epoch; none of which is there twice."""
    read = accumulator.EventAccumulator(str(folder))
    read.Reload()
    found = {}
    for name in read.Tags()["scalars"]:
        points: list[Any] = read.Scalars(name)
        found[name] = {point.step: point.value for point in points}
        assert len(found[name]) == len(points)
    return found


def test_the_scalars_are_the_numbers_that_were_told(
    training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a training that was stopped as well: two event files, one curve."""
    monkeypatch.setenv("WSSS_LOGS", "tensorboard")
    project = training()
    project.train(stop=2)
    project.train()
    folder = project.root / "logs" / "tensorboard" / "workspace" / "work" / "1"
    assert len(list(folder.glob("events.*"))) == 2
    found = scalars(folder)
    assert found["loss"] == {epoch: pytest.approx(loss, rel=1e-6) for epoch, loss in LOSSES.items()}
    assert found["oc.loss"] == dict.fromkeys(LOSSES, 7.0)


def test_what_a_killed_run_has_written_and_not_noted_is_dropped(tmp_path: Path) -> None:
    """Its last epoch is told again when the training goes on."""
    from pipeline.engine.training_logs.tensorboard import Writer

    curve = curves.find(tmp_path, "workspace", "work", "k", 1)
    writer = Writer(curve, 1)
    for epoch in (1, 2):
        writer.write(epoch, {"loss": float(epoch)})
    assert scalars(curve.folder) == {"loss": {1: 1.0, 2: 2.0}}  # there at once, not when it ends
    writer = Writer(curve, 2)
    writer.write(2, {"loss": 20.0})
    writer.write(3, {"loss": 30.0})
    writer.close()
    assert scalars(curve.folder) == {"loss": {1: 1.0, 2: 20.0, 3: 30.0}}
