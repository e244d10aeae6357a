"""What is read of a finished run."""

import dataclasses
from pathlib import Path

from pipeline.sweep.definition import Sweep
from pipeline.sweep.outcome import read
from pipeline.sweep.trials import FINISHED, NOT_RUN
from tests.pipeline import made_runs
from tests.pipeline.made_runs import entry

SWEEP = Sweep("s", "0" * 40, None, ({"a.b": 1}, {"a.b": 2}), "2026-01-01T00:00:00+0000")


def test_a_rung_without_a_truth_has_no_score(tmp_path: Path) -> None:
    """As of a user's own pictures without masks: their metrics.json has no mIoU."""
    runs = made_runs.make(tmp_path / "project")
    rungs = ("seeds", "predictions", "labels")
    outs = {name: {f"reports/{name}/metrics.json": ""} for name in rungs}
    made_runs.lock(runs, {f"evaluation@{name}": entry(None, None, outs[name]) for name in rungs})
    made_runs.score(runs, "seeds", miou=41.5, miou_best_threshold=44.25, images=2)
    made_runs.score(runs, "predictions", images=0)
    runs.write("reports/labels/metrics.json", '{"miou": 99.0}')  # dvc.lock names another one
    made_runs.explain(runs, {"average_drop": 5.0, "micro_average_drop": 6.0, "images": 2}, [])
    runs.commit()
    runs.run("git", "branch", "wsss/run/s-01")
    found = read(runs.root, SWEEP, SWEEP.trials({}), {"s-01"}, [])
    assert found.rungs == ["seeds", "seeds (best)"]  # maps: at the best threshold too
    assert [(row.outcome, dict(row.miou)) for row in found.rows] == [
        (FINISHED, {"seeds": 41.5, "seeds (best)": 44.25}),
        (NOT_RUN, {}),
    ]
    assert [dict(row.explained) for row in found.rows] == [{"average_drop": 5.0}, {}]
    assert found.explained == ["average_drop"]


def test_a_sweep_to_a_stage_has_the_rungs_that_all_its_runs_have(tmp_path: Path) -> None:
    """A point that changes nothing keeps its commit's predictions, which are nothing to compare with."""
    runs = made_runs.make(tmp_path / "project")
    outs = {name: {f"reports/{name}/metrics.json": ""} for name in ("seeds", "predictions")}
    made_runs.lock(runs, {f"evaluation@{name}": entry(None, None, out) for name, out in outs.items()})
    made_runs.score(runs, "seeds", miou=40.0, images=2)
    made_runs.score(runs, "predictions", miou=46.0, images=2)
    runs.commit()
    runs.run("git", "branch", "wsss/run/s-01")
    made_runs.lock(runs, {"evaluation@seeds": entry(None, None, outs["seeds"])})
    made_runs.score(runs, "seeds", miou=41.0, images=2)
    runs.commit()
    runs.run("git", "branch", "wsss/run/s-02")
    whole = read(runs.root, SWEEP, SWEEP.trials({}), {"s-01", "s-02"}, [])
    assert whole.rungs == ["seeds", "predictions"]
    short = dataclasses.replace(SWEEP, to=("evaluation@seeds",))
    assert read(runs.root, short, SWEEP.trials({}), {"s-01", "s-02"}, []).rungs == ["seeds"]
