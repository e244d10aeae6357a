"""What a row is against the plain one."""

import pytest

from pipeline.ledger.numbers import Cost
from pipeline.ledger.results import Result
from pipeline.ledger.table import _state, against
from pipeline.results import noise
from pipeline.sweep.definition import Trial

PLAIN = {0: 84.0, 1: 86.0, 2: 85.0}


@pytest.mark.parametrize(
    ("row", "change", "verdict"),
    [
        ({1: 80.0}, -6.0, noise.UNKNOWN),  # nothing but its own seed: of three plain runs it lies 5 below
        ({0: 74.0, 1: 76.2}, -9.9, noise.BEYOND),
        ({0: 74.0, 1: 76.2, 7: 0.0}, -9.9, noise.BEYOND),
        ({1: 86.0}, 0.0, noise.EQUAL),
    ],
)
def test_a_row_is_held_against_the_plain_runs_of_its_seeds(row, change, verdict):
    found = against(PLAIN, row)
    assert found.change == pytest.approx(change) and found.verdict == verdict


def test_without_a_seed_in_common_nothing_is_compared():
    assert against(PLAIN, {7: 80.0}) is None and against({}, {0: 80.0}) is None


@pytest.mark.parametrize(
    ("earlier", "state"),
    [
        (("", "", ""), "finished"),
        (("abc", "abc", "abc"), "finished, by the code of abc"),
        (("abc", "", "def"), "finished; 2 by the code of abc, def"),
        (("abc", ""), "2 of 3 runs finished; 1 by the code of abc; the others: not run"),
        ((), "not run"),
    ],
)
def test_what_a_row_says_of_its_runs(earlier, state):
    trials = [Trial(f"p-s{seed}", "p", {}, seed) for seed in range(3)]
    runs = (Result({}, Cost(None, None, None), "", True, commit) for commit in earlier)
    done = {trial.name: run for trial, run in zip(trials, runs, strict=False)}
    assert _state(trials, done, {}, ()) == state
