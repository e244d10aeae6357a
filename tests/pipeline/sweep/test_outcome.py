"""What is read of a finished run."""

import subprocess
from pathlib import Path

from pipeline.sweep.definition import Sweep
from pipeline.sweep.outcome import read
from pipeline.sweep.trials import FINISHED, NOT_RUN

SWEEP = Sweep("s", "0" * 40, None, ({"a.b": 1}, {"a.b": 2}), "2026-01-01T00:00:00+0000")


def test_a_rung_without_a_truth_has_no_score(tmp_path: Path) -> None:
    """As of a user's own pictures without masks: its cells in the ladder are empty."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/ladder.csv").write_text("rung,split,miou\nseeds,train,41.50\npredictions,val,\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "run"], ["branch", "wsss/run/s-01"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    found = read(tmp_path, SWEEP, SWEEP.trials({}), {"s-01"}, [])
    assert found.rungs == ["seeds"]
    assert [(row.outcome, dict(row.miou)) for row in found.rows] == [
        (FINISHED, {"seeds": 41.5}),
        (NOT_RUN, {}),
    ]
