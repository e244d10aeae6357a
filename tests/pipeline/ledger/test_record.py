"""The file of a set's numbers in git."""

import json

import pytest

from pipeline.ledger import record
from pipeline.ledger.record import Kept

ONE = Kept(row="plain", seed=0, asked="ef", work="ab", commit="cd", machine="2 cores", seconds=10.5, own=0.0,
           memory=None, scores={"seeds": 49.16, "IC": 20.0})  # fmt: skip


def test_what_is_written_is_read_in_the_order_of_the_rows(tmp_path):
    runs = [ONE.model_copy(update={"row": row, "seed": seed}) for row, seed in
            (("b", 10), ("gone", 0), ("b", 2), ("a", 0), ("plain", 1))]  # fmt: skip
    (tmp_path / "ledger").mkdir()
    file = record.write(tmp_path, "demo", runs, ["plain", "b", "a"])
    assert file == tmp_path / "ledger/demo.jsonl"
    found = record.read(tmp_path, "demo")
    assert list(found) == [("plain", 1), ("b", 2), ("b", 10), ("a", 0)]
    assert found["b", 10] == runs[0] and len(file.read_text().splitlines()) == 4


def test_nothing_is_kept_of_a_set_without_a_file(tmp_path):
    assert record.read(tmp_path, "demo") == {}


def test_what_a_row_took_over_its_seeds():
    more = ONE.model_copy(update={"row": "more", "seconds": 14.5, "own": 4.0})
    unknown = more.model_copy(update={"row": "unknown", "seconds": None, "own": None})
    runs = [ONE, more, *(more.model_copy(update={"seed": n, "own": own}) for n, own in ((1, 5.0), (2, 90.0)))]
    assert record.seconds([*runs, unknown], "plain") == {"plain": 10.5, "more": 5.0}
    assert record.seconds([*runs, unknown], None) == {"plain": 10.5, "more": 14.5}


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"seeds": 49.164, "IC": 20.0}, []),  # the same two digits
        ({"seeds": 49.17, "IC": 20.0}, ["seeds 49.16, now 49.17"]),
        ({"seeds": 49.16, "crf": 60.0}, ["IC 20.00, now nothing", "crf nothing, now 60.00"]),
    ],
)
def test_what_a_run_gave_otherwise(scores, said):
    assert record.differences(ONE, scores) == said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "ledger/demo.jsonl, line 2 is no JSON"),
        ("[]", "ledger/demo.jsonl, line 2: an object is expected"),
        ("<<<<<<< HEAD", "ledger/demo.jsonl, line 2: a merge conflict"),
        ("[" * 100_000, "ledger/demo.jsonl, line 2 is no JSON"),
        ("9" * 5000, "ledger/demo.jsonl, line 2 is no JSON"),
        (json.dumps(ONE.model_dump()), f"line 2: {ONE.row}, seed {ONE.seed} a second time: delete one"),
        (json.dumps(ONE.model_dump() | {"seed": -1}), "ledger/demo.jsonl, line 2: 1 problem(s) seed"),
        (json.dumps(ONE.model_dump() | {"more": 1}), "more"),
    ],
)
def test_a_spoilt_line_is_named(tmp_path, line, says):
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger/demo.jsonl").write_text(f"{json.dumps(ONE.model_dump())}\n{line}\n")
    with pytest.raises(ValueError) as caught:
        record.read(tmp_path, "demo")
    assert says in str(caught.value) and "\n" not in str(caught.value)
