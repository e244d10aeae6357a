"""What a terminal or a log file shows: lines, tables, times."""

import json
from pathlib import Path

import pytest

from pipeline.engine import terminal
from pipeline.memory import plan
from pipeline.memory.graph import Graph
from pipeline.memory.plan import Plan, Row
from pipeline.project import words
from pipeline.project.outcomes import BLOCKED, FAILED, RAN, RESTORED, UNCHANGED, Result


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"), (0, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (59.4, "59 s"), (60, "1:00"), (185, "3:05"),
        (3599.4, "59:59"), (3600, "1:00:00"), (7805, "2:10:05"),
    ],
)  # fmt: skip
def test_clock(seconds, text):
    assert words.clock(seconds) == text


def test_shorten():
    assert words.shorten(()) == ""
    assert words.shorten(("a", "b", "c")) == "a; b; c"
    assert words.shorten(("a", "b", "c", "d", "e")) == "a; b; c; and 2 more"


def planned(*rows: Row) -> Plan:
    return Plan(Graph({}), {row.stage: row for row in rows})


PLANNED = planned(
    Row("dataset", plan.UNCHANGED),
    Row("seeds", plan.WILL_RUN, ("seeds.scales: [1.0] -> [0.5, 1.0]", "stages/seeds/cam.py changed"), 185.0),
    Row("evaluation@seeds", plan.MAY_RUN, ("below seeds",), 4.0),
)


def test_summary():
    assert terminal.summary(PLANNED) == "1 unchanged, 1 will run, 1 may run; at most 3:09"
    assert terminal.summary(planned(Row("a", plan.UNCHANGED))) == "1 unchanged"
    assert terminal.summary(planned(Row("a", plan.WILL_RUN))) == "1 will run; time not known yet"
    assert terminal.summary(planned(Row("a", plan.BLOCKED), Row("b", plan.FROZEN))) == "1 frozen, 1 blocked"


def test_plan_as_a_table(capsys):
    terminal.show_plan(PLANNED)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "stage             plan        time  why",
        "dataset           unchanged",
        "seeds             will run    3:05  seeds.scales: [1.0] -> [0.5, 1.0]; stages/seeds/cam.py changed",
        "evaluation@seeds  may run    4.0 s  below seeds",
        "1 unchanged, 1 will run, 1 may run; at most 3:09",
    ]


def test_a_row_in_a_file_stays_a_line(capsys):
    terminal.show_plan(planned(Row("a", plan.BLOCKED, ("x" * 60, "y" * 60))))
    assert capsys.readouterr().out.splitlines()[1].rstrip() == f"a      blocked        {'x' * 60}; {'y' * 60}"


def test_plan_as_json():
    found = json.loads(terminal.plan_json(PLANNED))
    assert found["seconds"] == 189 and found["stages"][0] == {
        "stage": "dataset", "state": "unchanged", "why": [], "seconds": None,
    }  # fmt: skip
    assert [row["stage"] for row in found["stages"]] == ["dataset", "seeds", "evaluation@seeds"]


RESULTS = [
    Result("dataset", UNCHANGED, seconds=0.2),
    Result("classifier", RESTORED, seconds=1.0),
    Result("seeds", RAN, seconds=62.0, device="GPU 0"),
    Result("affinity", FAILED, "no [red]memory[/] left", 5.0, "GPU 0"),
    Result("report", BLOCKED, "affinity failed", 0.1),
]


def test_results_as_a_table(capsys):
    terminal.show_results({result.stage: result for result in RESULTS}, 68.0)
    log = Path(".dvc/tmp/wsss/logs/affinity.log")
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "stage       outcome     time  on     why",
        "dataset     unchanged",
        "classifier  restored   1.0 s",
        "seeds       ran         1:02  GPU 0",
        "affinity    failed     5.0 s  GPU 0  no [red]memory[/] left",
        "report      blocked                  affinity failed",
        f"the output of affinity: {log}",
        "3 of 5 stages are up to date, 2 are not; 1:08",
    ]


def test_lines_stand_in_a_column(capsys):
    with terminal.Terminal() as shown:
        shown.line("", "before there is a plan")
        shown.make_room(["a", "seeds"])
        shown.line("a", "[1, 2] 100 %")
        shown.line("seeds", "x" * 300)
        shown.result(RESULTS[2])
        shown.result(Result("a", FAILED, "[it] broke", 2.0))
    assert capsys.readouterr().out.splitlines() == [
        "before there is a plan", "a     │ [1, 2] 100 %", f"seeds │ {'x' * 300}", "seeds │ ran in 1:02",
        "a     │ failed in 2.0 s: [it] broke",
    ]  # fmt: skip


def test_progress_in_a_file_is_a_line_now_and_then(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    with terminal.Terminal() as shown:
        for done in range(100):
            now[0] += 1
            shown.progress("seeds", "pictures", done, 100)
    assert capsys.readouterr().out.splitlines() == [
        f"seeds │ {done} of 100 pictures, 1.0/s, {100 - done}{'.0' * (done > 90)} s left"
        if done > 40
        else f"seeds │ {done} of 100 pictures, 1.0/s, 1:09 left"
        for done in (31, 62, 93)
    ]


def test_the_pace_of_what_goes_on_where_it_was(monkeypatch):
    """43 steps of another run are no speed of this one; another loop of the stage begins anew."""
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    pace = terminal.Pace()
    assert pace.tell("steps", 43, 623) == "43 of 623 steps"
    now[0] += 20
    assert pace.tell("steps", 53, 623) == "53 of 623 steps, 0.5/s, 19:00 left"
    now[0] += 40
    assert pace.tell("steps", 623, 623) == "623 of 623 steps"
    assert pace.tell("pictures", 1, 10) == "1 of 10 pictures"
    now[0] += 600
    assert pace.tell("pictures", 2, 10) == "2 of 10 pictures, 0.1/min, 1:20:00 left"


def test_epochs(capsys):
    with terminal.Terminal() as shown:
        values = {"step": "classifier", "epoch": 2, "epochs": 18, "loss": 0.123456, "lr": 3e-5}
        shown.epoch("classifier", values)
    assert capsys.readouterr().out == "classifier │ epoch 2 of 18: loss 0.1235, lr 3e-05\n"


def test_bars_in_a_terminal(monkeypatch):
    """One per stage, gone when the stage is."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with terminal.Terminal() as shown:
        assert shown.console.is_terminal
        shown.progress("seeds", "pictures", 3, 9)
        shown.progress("seeds", "pictures", 4, 9)
        shown.progress("crf", "pictures", 1, 9)
        bars = {bar.description: bar for bar in shown.bars.tasks}
        assert {name: (bar.completed, bar.total, bar.visible) for name, bar in bars.items()} == {
            "seeds": (4, 9, True), "crf": (1, 9, True),
        }  # fmt: skip
        shown.result(Result("seeds", FAILED, "x", 1.0))
        assert not bars["seeds"].visible and bars["crf"].visible
        shown.progress("crf", "pictures", 9, 9)
        assert not bars["crf"].visible
