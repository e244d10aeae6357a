"""Progress as lines for a program; the bar is the library's."""

import json

import pytest

from stages.common import progress


@pytest.fixture
def clock(monkeypatch):
    """Time passes only in the loops of the tests."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("WSSS_PROGRESS", "lines")
    return now


def told(capsys) -> list[tuple[str, dict]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line.split(" ", 1) for line in captured.err.splitlines()]
    return [(mark, json.loads(values)) for mark, values in lines]


def done(capsys) -> list[int]:
    lines = told(capsys)
    assert all(mark == "@progress" and set(v) == {"what", "unit", "done", "total"} for mark, v in lines)
    assert {(v["what"], v["total"]) for _, v in lines} == {("seeds", 20)}
    return [values["done"] for _, values in lines]


def test_a_line_a_second_and_one_at_each_end(clock, capsys):
    seen = []
    for thing in progress.track(range(20), 20, "seeds"):
        seen.append(thing)
        clock[0] += 0.3
    assert seen == list(range(20))
    assert done(capsys) == [0, 4, 8, 12, 16, 20]


def test_the_count_goes_on_where_it_was(clock, capsys):
    """Of 20 pictures 12 were done before; they come in batches of 4."""
    assert list(progress.track([5, 6], 20, "seeds", first=12, size=lambda _: 4)) == [5, 6]
    assert done(capsys) == [12, 20]
    assert list(progress.track([], 20, "seeds", first=20)) == []
    assert told(capsys) == []


def test_fast_work_is_two_lines(clock, capsys):
    assert list(progress.track(range(20), 20, "seeds")) == list(range(20))
    assert done(capsys) == [0, 20]


def test_work_that_fails_has_no_last_line(clock, capsys):
    def things():
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(progress.track(things(), 20, "seeds"))
    assert done(capsys) == [0]


def test_nothing_to_do_is_quiet(clock, capsys):
    assert list(progress.track([], 0, "seeds")) == []
    assert told(capsys) == []


def test_an_epoch_and_its_means(clock, capsys):
    progress.epoch("classifier", 3, 18, {"loss": 0.25})
    assert told(capsys) == [("@epoch", {"step": "classifier", "epoch": 3, "epochs": 18, "loss": 0.25})]


def test_without_the_variable_there_is_a_bar_and_no_line(monkeypatch, capsys):
    monkeypatch.delenv("WSSS_PROGRESS", raising=False)
    assert list(progress.track(range(3), 8, "seeds", "steps", first=5)) == [0, 1, 2]
    progress.epoch("classifier", 3, 18, {"loss": 0.25})
    shown = capsys.readouterr()
    assert shown.out == "" and "@" not in shown.err and "seeds" in shown.err and "8/8 steps" in shown.err
