"""The picture of the best rows, from tables made by hand."""

import re
from dataclasses import replace

import pytest

from pipeline.ledger import page, picture
from pipeline.ledger.table import Table
from pipeline.results import charts
from tests.pipeline.ledger.test_page import LIFTED, NOISY, PLAIN, UNKNOWN, line, score

SUNK = {seed: value - 2 for seed, value in PLAIN.items()}  # by 2 with each seed: beyond any noise
SEEDS, PREDICTIONS = ("seeds",), ("predictions", "one_step")


def made(*lines) -> Table:
    plain = line("plain", "plain", {"seeds": score(PLAIN), "predictions": score(PLAIN)}, UNKNOWN)
    return Table("demo", "the generated pictures", "0" * 40, 3, [plain, *lines], [])


def names(table: Table, rungs: tuple[str, ...]) -> list[str]:
    return [line.row.name for line, _ in picture.top(table, rungs)]


def test_the_highest_come_first_and_plain_stands_among_them():
    table = made(
        line("term", "sunk", {"seeds": score(SUNK, PLAIN)}, UNKNOWN),
        line("term", "lifted", {"seeds": score(LIFTED, PLAIN)}, UNKNOWN),
    )
    assert names(table, SEEDS) == ["lifted", "plain", "sunk"]


def test_plain_stays_where_too_many_are_better(monkeypatch):
    monkeypatch.setattr(picture, "MOST", 3)
    better = [line("term", f"by-{n}", {"seeds": score({0: PLAIN[0] + n}, PLAIN)}, UNKNOWN) for n in (1, 3, 2)]
    assert names(made(*better[:1]), SEEDS) == ["by-1", "plain"]
    assert names(made(*better), SEEDS) == ["by-3", "by-2", "plain"]


def test_only_methods_with_all_their_runs():
    part = line("term", "part", {"seeds": score(LIFTED, PLAIN)}, UNKNOWN)
    part = type(part)(**{**vars(part), "finished": 2})
    ceiling = line("diagnosis", "masks", {"predictions": score(LIFTED, PLAIN)}, UNKNOWN)
    assert names(made(part, ceiling), SEEDS) == names(made(part, ceiling), PREDICTIONS) == ["plain"]


def test_one_step_stands_beside_predictions_and_where_a_row_has_both_its_predictions_count():
    alone = line("one-step", "alone", {"one_step": score(LIFTED)}, UNKNOWN)
    both = line("one-step", "both", {"one_step": score(LIFTED), "predictions": score(SUNK, PLAIN)}, UNKNOWN)
    assert names(made(both, alone), PREDICTIONS) == ["alone", "plain", "both"]


def test_the_picture_says_which_are_better_beyond_noise(tmp_path):
    table = made(
        line("term", "sunk", {"seeds": score(SUNK, PLAIN)}, UNKNOWN, title="Sunk"),
        line("term", "lifted", {"seeds": score(LIFTED, PLAIN)}, UNKNOWN, title="Lifted & high"),
        line("term", "noisy", {"seeds": score(NOISY, PLAIN)}, UNKNOWN, title="Noisy"),
    )
    picture.draw(table, tmp_path / "ledger.svg")
    text = (tmp_path / "ledger.svg").read_text()
    words = re.findall(r">([^<>]+)</text>", text)
    rows = [word for word in words if word in ("Sunk", "Lifted &amp; high", "Noisy", "Plain")]
    predictions = ["Plain"]  # no other row has any
    assert rows == ["Lifted &amp; high", "Plain", "Noisy", "Sunk", *predictions]
    assert {"mIoU, percent: seeds or cues, train", "mIoU, percent: predictions, val", "50.26"} <= {*words}
    dots = re.findall(r"<use [^>]*fill: (#\w+)", text)
    good, bad, quiet = charts.COLOURS[2], charts.COLOURS[5], charts.COLOURS[4]
    assert [dots.count(colour) for colour in (good, bad, quiet)] == [3, 3, 3]  # a dot and two caps
    assert "over 3 seeds." in text and "Green: above it beyond noise" in text


def test_one_seed_is_named_and_judges_nothing(tmp_path):
    better = line("term", "lifted", {"seeds": score({2: PLAIN[2] + 9}, {2: PLAIN[2]})}, UNKNOWN, title="High")
    picture.draw(replace(made(better), seeds=1, seed=2), tmp_path / "ledger.svg")
    text = (tmp_path / "ledger.svg").read_text()
    assert "one run each, with the seed 2." in text and "one seed does not tell" in text
    assert "Green" not in text and "standard deviation" not in text
    assert charts.COLOURS[4] in text and charts.COLOURS[2] not in text


def test_the_page_has_the_same_where_there_is_something_to_draw():
    drawn = picture.inline(made())
    assert drawn.startswith("<svg") and "predictions, val" in drawn and drawn in page.render(made())
    empty = replace(made(), lines=[line("plain", "plain", {}, UNKNOWN)])
    assert picture.inline(empty) == "" and "The highest of each rung" not in page.render(empty)


def test_nothing_to_draw_is_said(tmp_path):
    empty = Table("demo", "none", "0" * 40, 3, [line("plain", "plain", {}, UNKNOWN)], [])
    with pytest.raises(ValueError, match="`wsss ledger --only plain` makes the first"):
        picture.draw(empty, tmp_path / "ledger.svg")
    assert not (tmp_path / "ledger.svg").exists()


def test_rows_with_some_of_their_runs_are_not_drawn(tmp_path):
    (all_of_three,) = made().lines
    part = Table("demo", "none", "0" * 40, 4, [replace(all_of_three, runs=4)], [])
    with pytest.raises(ValueError, match="no row of demo has all 4 runs: draw fewer with --seeds, or"):
        picture.draw(part, tmp_path / "ledger.svg")
