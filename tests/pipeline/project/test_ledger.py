"""The ledger of past runs, and what it is for: estimates."""

import json
import os
import subprocess
import sys

from pipeline.project import ledger


def ran(root, stage, *seconds, outcome="ran"):
    for time in seconds:
        ledger.append(root, {"stage": stage, "outcome": outcome, "seconds": time})


def test_an_estimate_is_the_median_of_the_last_five_that_computed(tmp_path):
    ran(tmp_path, "seeds", 900, 900, 900, 5, 1, 4, 2, 3)
    ran(tmp_path, "seeds", 0.5, 0.5, 0.5, outcome="restored")
    ran(tmp_path, "seeds", 70, 80, 90, outcome="failed")
    ran(tmp_path, "classifier", 10, 20)
    ran(tmp_path, "report", 1, outcome="cancelled")
    assert ledger.typical_seconds(tmp_path) == {"seeds": 3, "classifier": 15}


def test_no_ledger_no_estimate(tmp_path):
    assert ledger.read(tmp_path) == [] and ledger.typical_seconds(tmp_path) == {}


def test_a_line_that_was_cut_short_loses_only_itself(tmp_path):
    ran(tmp_path, "a", 1)
    with ledger.path(tmp_path).open("ab") as file:
        file.write(b'{"stage": "b", "outc\xff')
    ran(tmp_path, "c", 3)
    with ledger.path(tmp_path).open("a") as file:
        file.write('[1, 2]\n\n{"outcome": "ran", "seconds": "long", "stage": "d"}\n')
    assert [entry.get("stage") for entry in ledger.read(tmp_path)] == ["a", "c", "d"]
    assert ledger.typical_seconds(tmp_path) == {"a": 1, "c": 3}


def test_lines_of_several_writers_stay_whole(tmp_path):
    code = (
        "import pathlib, sys\nfrom pipeline.project import ledger\n"
        "for n in range(200):\n"
        "    entry = {'stage': sys.argv[2], 'n': n, 'text': 'x' * 1000}\n"
        "    ledger.append(pathlib.Path(sys.argv[1]), entry)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, tmp_path, name]) for name in ("a", "b", "c")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    entries = [json.loads(line) for line in ledger.path(tmp_path).read_text().splitlines() if line]
    assert len(entries) == 600
    for name in ("a", "b", "c"):
        assert [entry["n"] for entry in entries if entry["stage"] == name] == list(range(200))


def test_worktrees_share_it(tmp_path):
    """By the link to the main one's scratch folder."""
    main, beside = tmp_path / "main", tmp_path / "beside"
    ran(main, "a", 1)
    beside.mkdir()
    os.symlink(main / ".scratch", beside / ".scratch")
    ran(beside, "a", 3)
    assert ledger.typical_seconds(main) == ledger.typical_seconds(beside) == {"a": 2}
