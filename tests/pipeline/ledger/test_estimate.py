"""Which rows come first, and what they take; plans and times are made by hand."""

from types import SimpleNamespace

import pytest

from pipeline.ledger import estimate
from pipeline.memory.plan import BLOCKED
from pipeline.project import ledger
from pipeline.sweep.definition import Trial

TIMES = {"data": 10.0, "train": 100.0, "maps": 5.0, "walk": None}  # of any recipe; walk never ran
ROWS = {  # what each row would run, by key of the work
    "l-slow": {"data": "d", "train": "t2"},
    "l-plain": {"data": "d", "train": "t"},
    "l-unknown": {"data": "d", "train": "t", "walk": "w"},
    "l-quick": {"data": "d", "train": "t", "maps": "m"},
    "l-same": {"data": "d", "train": "t2", "maps": "m2"},
}


def planned(work: dict[str, str], blocked: bool = False) -> tuple[SimpleNamespace, dict[str, str]]:
    state = BLOCKED if blocked else "will run"
    rows = {
        name: SimpleNamespace(stage=name, runs=not blocked, state=state, why=("no such file",),
                              estimate=TIMES[name])
        for name in work
    }  # fmt: skip
    return SimpleNamespace(rows=rows), work


@pytest.fixture
def made(tmp_path, monkeypatch):
    plans = {name: planned(work) for name, work in ROWS.items()} | {"l-stuck": planned({"maps": "x"}, True)}
    monkeypatch.setattr(estimate.plan, "each", lambda root, rows, trials, listener: [
        plans[trial.point] for trial in trials
    ])  # fmt: skip
    trials = [Trial(f"{point}-s{seed}", point, seed, {}) for point in plans for seed in (0, 1)]

    def make(open_=trials, record=()) -> list[estimate.Estimate]:
        return estimate.make(tmp_path, None, open_, "l-plain", None, dict(record))

    return make, tmp_path, trials


def test_the_plain_row_then_the_cheapest_and_each_work_once(made):
    """Quick adds 5 to the plain row's 110; slow trains anew, 100; same has that training then, and adds 5."""
    make, _, _ = made
    found = {one.point: one for one in make()}
    assert list(found) == ["l-plain", "l-stuck", "l-quick", "l-slow", "l-same", "l-unknown"]
    assert [one.seconds for one in found.values()] == [220, 0, 10, 200, 10, 0]
    assert found["l-unknown"].unknown == ("walk",) and found["l-stuck"].blocked == "maps: no such file"


def test_a_row_that_ran_knows_its_own_times(made):
    make, root, trials = made
    line = {"stage": "maps", "outcome": "ran", "seconds": 160, "run": "sweep run l-quick-s1"}
    ledger.append(root, line)
    found = {one.point: one for one in make()}
    assert list(found)[-2] == "l-quick" and found["l-quick"].seconds == 320  # 160, no more 5
    assert not found["l-quick"].borrowed and found["l-slow"].borrowed
    [one] = make([trial for trial in trials if trial.name == "l-quick-s0"])
    assert one.seconds == 10 + 100 + 160


def test_a_row_with_a_stage_that_never_ran_takes_what_the_record_says(made):
    """Unknown comes before slow then, with 60; quick is known here, whatever is recorded."""
    make, _, _ = made
    rows = make(record={"l-unknown": 60.0, "l-quick": 7.0})
    found = {one.point: one for one in rows}
    assert list(found) == ["l-plain", "l-stuck", "l-quick", "l-unknown", "l-slow", "l-same"]
    assert found["l-unknown"].seconds == 120 and found["l-unknown"].unknown == ()
    assert found["l-quick"].seconds == 10 and not found["l-quick"].recorded
    lines = estimate.lines(rows, 1)
    assert lines[3] == "  l-unknown  2 runs  about 2:00, by the record"
    assert lines[-1] == "10 runs to make, 9:20 one after another at most"


def test_what_is_said(made):
    make, _, _ = made
    lines = estimate.lines(make(), 2)
    assert lines[0] == "  l-plain    2 runs  about 3:40"
    assert lines[1] == "  l-stuck    2 runs  cannot run: maps: no such file"
    assert lines[-2] == "  l-unknown  2 runs  not known: walk"
    assert lines[-1] == (
        "10 runs to make, 7:20 one after another at most, with -j 2 no less than 3:40; besides what never ran"
        " here, in 1 of 5 rows"
    )
