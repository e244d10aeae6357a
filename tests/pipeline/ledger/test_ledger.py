"""`wsss ledger` as people use it, over five stages that take no time."""

import json
import re
import shutil
import signal
from types import SimpleNamespace

import pytest

from pipeline.ledger import command
from pipeline.project import git
from pipeline.project.tables import read_csv
from tests.common.conftest import wait_for
from tests.pipeline import stub
from tests.pipeline.ledger.conftest import ROWS, row, write
from tests.pipeline.sweep.conftest import commit


def cells(project, file="ledger.csv"):
    """Mean, change and verdict by row and score."""
    rows = read_csv(project.root / "reports/ledger" / file)
    return {(row["row"], row["score"]): (row["mean"], row["change"], row["verdict"]) for row in rows}


def test_rows_are_run_and_set_beside_the_plain_one(kept):
    """Seeds 40 + value + seed; pseudo-labels 60 + 2 values + the seeds'. The row `short` has no rung."""
    head = kept.run("git", "rev-parse", "HEAD").stdout
    done = kept.ledger("--seeds", "2")
    assert done.returncode == 0, done.stdout
    assert "5 rows x 2 seeds" in done.stdout and "0 of 10 runs are made, 8 to make" in done.stdout
    assert "  device is not run: needs a GPU" in done.stdout
    assert cells(kept) == {
        ("plain", "seeds"): ("40.50", "", ""),
        ("plain", "pseudo_labels"): ("100.50", "", ""),
        ("more", "seeds"): ("43.50", "3.00", "beyond noise"),
        ("more", "pseudo_labels"): ("103.50", "3.00", "beyond noise"),
        ("both", "seeds"): ("43.50", "3.00", "beyond noise"),
        ("both", "pseudo_labels"): ("113.50", "13.00", "beyond noise"),
        ("short", ""): ("", "", ""),
        ("device", ""): ("", "", ""),
    }
    assert kept.traced().count("seeds") == 6  # of plain, of more and both, of short; each twice
    runs = [f"ledger-demo-{name}-s{seed}" for name in ("both", "more", "plain", "short") for seed in (0, 1)]
    assert git.branches(kept.root) == runs and kept.left() == []
    assert kept.run("git", "rev-parse", "HEAD").stdout == head
    page = (kept.root / "reports/ledger/index.html").read_text()
    assert "wsss ledger --only both --seeds 2" in page and "99 of 100" in page
    assert "needs a GPU" in page and "+13.00" in page
    summary = (kept.root / "reports/ledger/summary.md").read_text()
    assert "| more | More | 103.50 ± 0.71 (+3.00) | 43.50 ± 0.71 (+3.00) | 0." in summary

    again = kept.ledger("--seeds", "2")
    assert again.returncode == 0 and "8 of 10 runs are made, 0 to make" in again.stdout
    assert kept.traced() == []


def test_it_goes_on_after_commits_and_makes_anew_what_changed(kept):
    assert kept.ledger("--only", "way", "--seeds", "1").returncode == 0
    assert cells(kept)["more", "seeds"] == ("43.00", "", "")  # nothing to compare with
    assert "Without it no row can be compared" in (kept.root / "reports/ledger/index.html").read_text()
    kept.traced()
    (kept.root / "notes.md").write_text("a word\n")
    kept.run("git", "add", "-A")
    commit(kept)
    page = kept.ledger("--page", "--seeds", "1")
    assert page.returncode == 0 and "3 of 5 runs are made, 1 to make" in page.stdout and kept.traced() == []
    write(kept.root, "presets/better", {"seeds": {"value": 4}})
    commit(kept)
    done = kept.ledger("--only", "more", "--only", "plain", "--seeds", "1")
    assert done.returncode == 0 and "for they are of other parameters, stages or code: 1" in done.stdout
    found = cells(kept)
    assert found["more", "seeds"] == ("44.00", "4.00", "noise unknown")
    assert ("both", "seeds") not in found and found["both", ""] == ("", "", "")  # it is of the old preset
    assert "made with other parameters" in (kept.root / "reports/ledger/index.html").read_text()


def test_what_is_kept_stands_in_for_runs_that_are_not_there(kept):
    """In another clone, where a run that is made again is held against it."""
    assert kept.ledger("--only", "way", "--only", "plain", "--seeds", "1").returncode == 0
    before, record = cells(kept), kept.root / "ledger/demo.jsonl"
    done = kept.ledger("--keep", "--seeds", "1")
    assert done.returncode == 0 and "ledger/demo.jsonl and ledger/demo.md are written" in done.stdout
    refused = kept.ledger("--keep", "--seed", "0")
    assert (
        refused.returncode == 1 and "--keep writes all that is made here: leave --seed out" in refused.stdout
    )
    first, summary = record.read_text(), (kept.root / "ledger/demo.md").read_text()
    assert "4 of 5 runs are finished, all as ledger/demo.jsonl has them" in summary
    assert "| more | More | 103.00 (+3.00 ?) | 43.00 (+3.00 ?) | " in summary
    assert [(line["row"], line["seed"]) for line in map(json.loads, first.splitlines())] == [
        ("plain", 0), ("more", 0), ("both", 0), ("short", 0)
    ]  # fmt: skip
    git.run(kept.root, "branch", "-D", *(git.BRANCH + run for run in git.branches(kept.root)))
    shutil.rmtree(kept.root / "reports/ledger")
    kept.traced()

    page = kept.ledger("--page", "--seeds", "1")
    assert page.returncode == 0 and kept.traced() == [] and cells(kept) == before
    assert (
        "0 of 5 runs are made, 4 to make" in page.stdout
        and "kept in ledger/demo.jsonl: 4 of 5 runs" in page.stdout
    )
    html = (kept.root / "reports/ledger/index.html").read_text()
    assert "4 of 5 runs are finished, all as ledger/demo.jsonl has them, made on " in html
    new = kept.ledger("--new", "--only", "way", "--only", "plain", "--seeds", "1", "--plan")
    assert new.returncode == 0 and "0 to make" in new.stdout
    new = kept.ledger("--new", "--only", "way", "--only", "plain", "--seeds", "2", "--plan").stdout
    assert "4 to make" in new  # of the second seed
    new = kept.ledger("--seed", "1", "--only", "way", "--seeds", "2", "--plan").stdout
    assert "0 of 10 runs are made, 3 to make" in new and "more   1 run " in new
    assert kept.ledger("--seed", "1", "--seeds", "2", "--page").returncode == 0
    assert {score: cell[0] for score, cell in cells(kept).items() if cell[0]} == {}  # of seed 0 all is kept
    assert kept.ledger("--seed", "0", "--seeds", "2", "--page").returncode == 0
    assert (
        cells(kept) == before
        and "5 rows with the seed 0 on " in (kept.root / "reports/ledger/index.html").read_text()
    )
    none = kept.ledger("--seed", "2", "--seeds", "2", "--plan")
    assert none.returncode != 0 and "--seed 2: --seeds 2 has 0 to 1" in none.stdout

    spoilt = [line | {"machine": "an abacus"} for line in map(json.loads, first.splitlines())]
    spoilt[1]["scores"]["seeds"] = 42.0
    record.write_text("".join(f"{json.dumps(line)}\n" for line in spoilt))
    done = kept.ledger("--only", "more", "--only", "both", "--seeds", "1")
    assert "-more-s0: finished, otherwise than kept of an abacus: seeds 42.00, now 43.00 (" in done.stdout
    assert "ledger-demo-both-s0: finished, as kept (" in done.stdout
    assert kept.ledger("--keep", "--seeds", "1").returncode == 0
    assert (
        "all as ledger/demo.jsonl has them, made on an abacus and "
        in (kept.root / "ledger/demo.md").read_text()
    )
    found = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["scores"] for line in found] == [json.loads(line)["scores"] for line in first.splitlines()]
    assert [line["machine"] == "an abacus" for line in found] == [True, False, True, True]

    other = json.dumps(found[0] | {"row": "earlier", "seed": 1})
    record.write_text(f"{record.read_text()}{other}\n")
    done = kept.ledger("--keep", "--seeds", "1")  # tables of one seed in the place of those of two
    assert done.returncode == 1 and "--keep --seeds 1: the record has seeds up to 1" in done.stdout
    assert other in record.read_text()
    done = kept.ledger("--keep", "--seeds", "2")
    assert "left out of the record, for the set has no such rows: earlier" in done.stdout
    assert other not in record.read_text()


def test_a_clone_where_nothing_ran_takes_its_estimate_from_the_record(kept):
    """Beyond the plain row's where that is made as well, else whole."""
    assert kept.ledger("--only", "more", "--only", "plain", "--seeds", "1").returncode == 0
    assert kept.ledger("--keep", "--seeds", "1").returncode == 0
    record = kept.root / "ledger/demo.jsonl"
    lines = [json.loads(line) | {"seconds": 600, "own": 60} for line in record.read_text().splitlines()]
    record.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    git.run(kept.root, "branch", "-D", *(git.BRANCH + run for run in git.branches(kept.root)))
    for folder in (".scratch", ".dvc/cache"):
        shutil.rmtree(kept.root / folder)

    def plan(*only: str) -> str:
        return " ".join(kept.ledger("--plan", "--seeds", "1", *only).stdout.split())

    both = plan("--only", "more", "--only", "plain")
    assert (
        "-plain 1 run about 10:00, by the record" in both and "-more 1 run about 1:00, by the record" in both
    )
    assert "-more 1 run about 10:00, by the record" in plan("--only", "more")


def test_what_is_kept_of_other_parameters_says_nothing(kept):
    assert kept.ledger("--only", "more", "--only", "short", "--seeds", "1").returncode == 0
    assert kept.ledger("--keep", "--seeds", "1").returncode == 0
    git.run(kept.root, "branch", "-D", *(git.BRANCH + run for run in git.branches(kept.root)))
    write(kept.root, "presets/better", {"seeds": {"value": 4}})
    kept.run("git", "add", "-A")
    commit(kept)
    page = kept.ledger("--page", "--seeds", "1")
    assert page.returncode == 0 and "kept in ledger/demo.jsonl: 1 of 5 runs" in page.stdout
    assert cells(kept)["more", ""] == ("", "", "")
    (kept.root / "ledger/demo.jsonl").write_text("{}\n")
    bad = kept.ledger("--page", "--seeds", "1")
    assert bad.returncode == 1 and "ledger/demo.jsonl, line 1: " in bad.stdout and "row" in bad.stdout


def test_the_tables_in_git_tell_what_a_row_needs_but_not_what_this_machine_lacks(kept):
    assert kept.ledger("--only", "more", "--only", "plain", "--seeds", "1").returncode == 0
    assert kept.ledger("--keep", "--seeds", "1").returncode == 0
    tables = kept.root / "ledger/demo.md"
    assert tables.read_text().count("needs a GPU") == 1 and " 43.00 (+3.00 ?) " in tables.read_text()
    write(kept.root, "ledger/plain", [row("plain", sets=["demo", "large"], needs=["gpu"])])
    assert kept.ledger("--keep", "--seeds", "1").returncode == 0  # where not even the plain row can run
    assert "GPU" not in tables.read_text() and " 43.00 (+3.00 ?) " in tables.read_text()


def test_what_all_rows_lack_is_said_once(kept):
    """In the terminal and on the page; what only some of them lack stands at these."""
    for kind, rows in ROWS.items():
        write(kept.root, f"ledger/{kind}", [{**one, "needs": ["gpu"]} for one in rows])
    write(kept.root, "presets/better", {"pseudo_labels": {"regions": "raw/far"}})
    kept.run("git", "add", "-A")
    commit(kept)
    done, lacks = kept.ledger("--page"), "pseudo_labels.regions far is not there: `wsss link far PATH`"
    assert done.stdout.count("not run: ") == 2
    assert "  all 5 rows are not run: needs a GPU, and this machine has none\n" in done.stdout
    assert f"  more, both are not run: {lacks}\n" in done.stdout
    html = (kept.root / "reports/ledger/index.html").read_text()
    assert html.count("needs a GPU") == 1 and "No row can be run on this machine: needs a GPU" in html
    states = {row["row"]: row["state"] for row in read_csv(kept.root / "reports/ledger/ledger.csv")}
    alone = dict.fromkeys(["plain", "short", "device"], "not run")
    assert states == alone | dict.fromkeys(["more", "both"], f"not run: {lacks}")


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "a0 is"), (8, "a0, a1, a2, a3, a4, a5, a6, a7 are"), (9, "9 rows are"), (10, "all 10 rows are")],
)
def test_many_rows_are_counted(count, words):
    ledger = SimpleNamespace(points=range(10), rows=SimpleNamespace(name="ledger-demo"))
    assert command._rows(ledger, [f"ledger-demo-a{index}" for index in range(count)]) == words


def test_what_is_kept_of_earlier_code_stays_and_says_so(kept):
    """Until it is made again, which --new does not."""
    rows = ("--only", "more", "--only", "plain", "--seeds", "1")
    assert kept.ledger(*rows).returncode == kept.ledger("--keep", "--seeds", "1").returncode == 0
    before, first = cells(kept), kept.run("git", "rev-parse", "HEAD").stdout[:10]
    git.run(kept.root, "branch", "-D", *(git.BRANCH + run for run in git.branches(kept.root)))
    code = kept.root / "ladder.py"
    code.write_text(f"{code.read_text()}# a word\n")
    commit(kept)
    page = kept.ledger("--page", "--seeds", "1")
    assert "kept in ledger/demo.jsonl: 0 of 5 runs" in page.stdout
    assert "by code that has changed since, made again without --new: 2" in page.stdout
    assert cells(kept) == before
    html = (kept.root / "reports/ledger/index.html").read_text()
    assert html.count(f"finished, by the code of {first}") == 2 and "2 of them by code that has" in html
    record = (kept.root / "ledger/demo.jsonl").read_text()
    assert kept.ledger("--keep", "--seeds", "1").returncode == 0  # nothing is made here
    assert (kept.root / "ledger/demo.jsonl").read_text() == record
    assert f"finished, by the code of {first}" in (kept.root / "ledger/demo.md").read_text()

    assert "0 to make" in kept.ledger("--new", *rows, "--plan").stdout
    done = kept.ledger(*rows)
    assert f"ledger-demo-more-s0: finished, as kept by the code of {first} (" in done.stdout
    assert kept.ledger("--keep", "--seeds", "1").returncode == 0
    assert "by code that has" not in (kept.root / "ledger/demo.md").read_text()
    git.run(kept.root, "branch", "-D", *(git.BRANCH + run for run in git.branches(kept.root)))
    code.write_text(code.read_text().replace("seeds = 40", "seeds = 41"))
    commit(kept)
    done = kept.ledger(*rows)
    assert re.search(
        r"more-s0: finished, otherwise than kept by the code of \w{10}: .*43.00, now 44", done.stdout
    )
    assert cells(kept)["more", "seeds"] == ("44.00", "3.00", "noise unknown")


def test_the_plan_starts_nothing_and_puts_the_cheapest_first(kept):
    first = kept.ledger("--plan", "--seeds", "1")
    assert first.returncode == 0 and "besides what never ran here, in 4 of 4 rows" in first.stdout
    assert kept.traced() == [] and git.branches(kept.root) == []
    assert kept.ledger("--only", "short", "--only", "plain", "--seeds", "1").returncode == 0
    second = kept.ledger("--plan", "--seeds", "1").stdout
    names = [line.split()[0] for line in second.splitlines() if "  1 run  " in line]
    assert sorted(names) == ["ledger-demo-both", "ledger-demo-more"] and "besides" not in second
    assert "2 runs to make" in second


def test_the_rows_of_another_set(kept):
    done = kept.ledger("--set", "large", "--seeds", "1")
    assert done.returncode == 0, done.stdout
    assert {key: mean for key, (mean, _, _) in cells(kept, "large.csv").items()} == {
        ("plain", "seeds"): "60.00", ("plain", "pseudo_labels"): "120.00",
        ("both", "seeds"): "43.00", ("both", "pseudo_labels"): "117.00",
    }  # fmt: skip
    page = (kept.root / "reports/ledger/large.html").read_text()
    assert "wsss ledger --only both --set large --seeds 1" in page and "Rows of other sets" in page


def test_a_row_that_fails_does_not_stop_the_others(kept):
    stub.set_params(kept, "seeds", fail=False)
    rows = [{"name": "bad", "title": "Bad", "file": "work.py", "source": "-", "expect": "-", "to": ["report"],
             "changes": {"seeds.fail": True}}]  # fmt: skip
    write(kept.root, "ledger/gear", rows)
    commit(kept)
    done = kept.ledger("--only", "gear", "--only", "short", "--seeds", "1")
    assert done.returncode == 1, done.stdout
    assert "ledger-demo-bad-s0: failed: seeds failed: it was told to fail" in done.stdout
    assert re.findall(r"\((\d) to go\)\n", done.stdout) == ["1", "0"]
    assert git.branches(kept.root) == ["ledger-demo-short-s0"]
    log = "reports/sweeps/ledger-demo/logs/ledger-demo-bad-s0"
    assert f"the output of a failed stage: {log}/seeds.log" in done.stdout
    page = kept.root / "reports/ledger/index.html"
    assert "it was told to fail" in page.read_text()
    assert (
        kept.ledger("--page", "--seeds", "1").returncode == 0
        and f"what it said is in {log}" in page.read_text()
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--set", "none"], "--set none: there are demo, large"),
        (["--only", "none"], "--only none: no kind and no row of this set; kinds: plain, "),
        (["--only", "plane"], "--only plane: no kind and no row of this set (did you mean plain?); kinds: "),
        (["--seeds", "101"], "'--seeds': Input should be less than or equal to 100"),
        (["--plan", "--page"], "choose one"),
        (["--page", "--svg", "best.svg"], "choose one"),
        (["--keep", "--page"], "choose one"),
        (
            ["--svg", "best.svg"],
            "no row of demo has a number yet: `wsss ledger --only plain` makes the first",
        ),
    ],
)
def test_bad_usage(kept, words, says):
    done = kept.ledger(*words)
    assert done.returncode == 1 and says in done.stdout


def test_what_is_read_as_it_lies_is_no_change_that_a_run_lacks(kept):
    write(kept.root, "presets/better", {"seeds": {"value": 4}})
    assert "warning" not in kept.ledger("--page").stdout
    (kept.root / "work.py").open("a").write("# other\n")
    assert "without your changes in: work.py\n" in kept.ledger("--page").stdout


def test_a_worktree_is_told_where_its_ledger_is(kept, tmp_path, capsys):
    git.run(kept.root, "worktree", "add", "-q", "--detach", str(tmp_path / "other"), "HEAD")
    assert command.main(tmp_path / "other", "demo", [], 1, 1, "page") == 0
    assert f"a worktree of {kept.root}: the ledger is read, run and written there" in capsys.readouterr().out
    assert (kept.root / "reports/ledger/index.html").is_file()


@pytest.mark.storm  # a sweep's runs are resumed by the same code
def test_it_goes_on_where_it_was_killed(kept):
    """In the middle of the second row; what is finished is not run again."""
    stub.set_params(kept, "seeds", seconds=1)
    commit(kept)
    process = kept.start("--only", "plain", "--only", "more", "--seeds", "1", command="ledger")
    try:
        wait_for(lambda: kept.trace.exists() and kept.trace.read_text().split().count("seeds") == 2)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate(timeout=60)
    assert git.branches(kept.root) == ["ledger-demo-plain-s0"] and kept.left() == ["ledger-demo-more-s0"]
    kept.traced()
    done = kept.ledger("--only", "plain", "--only", "more", "--seeds", "1")
    assert done.returncode == 0, done.stdout
    assert "removed what a killed run had left: .worktrees/ledger-demo-more-s0" in done.stdout
    assert kept.traced() in (["pseudo_labels", "report"], ["pseudo_labels", "report", "seeds"])
    assert cells(kept)["more", "seeds"] == ("43.00", "3.00", "noise unknown") and kept.left() == []


def test_a_row_has_no_rungs_beyond_its_end(kept):
    """Those of the commit hold for a run that changes nothing, and are not the row's all the same."""
    stub.wsss(kept, "run")
    kept.run("git", "add", "-f", "dvc.lock", "reports")
    commit(kept)
    base = {"changes": {"generate.value": 0}, "to": ["seeds"]}
    write(kept.root, "ledger/gear", [row("idle", **base), row("whole", changes=base["changes"])])
    done = kept.ledger("--only", "gear", "--seeds", "1")
    assert done.returncode == 0, done.stdout
    found = cells(kept)
    assert found["whole", "seeds"][0] == "40.00" and ("idle", "seeds") not in found
