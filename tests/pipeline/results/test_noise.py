"""The noise rule, on numbers worked out by hand and against scipy's own tests."""

import math

import numpy as np
import pytest
from scipy import stats

from pipeline.results import noise

T2, T4 = 4.302653, 2.776445  # t(0.975) of 2 and 4 degrees of freedom, from a table


def test_paired_runs_are_judged_by_their_differences():
    # d = 1, 2, 1: mean 4/3, sd sqrt(1/3), so sd / sqrt(3) = 1/3
    found = noise.compare({0: 80.0, 1: 82.0, 2: 84.0}, {0: 81.0, 1: 84.0, 2: 85.0})
    assert (found.rule, found.runs_a, found.runs_b) == (noise.PAIRED, 3, 3)
    assert (found.a, found.sd_a) == (82.0, 2.0)
    assert found.change == pytest.approx(4 / 3)
    assert found.margin == pytest.approx(T2 / 3, abs=1e-6)
    assert found.verdict == noise.NOISE  # 1.333 < 1.434

    # d = 1, 2, 2: the same sd, mean 5/3 > 1.434
    assert noise.compare({0: 80.0, 1: 82.0, 2: 84.0}, {0: 81.0, 1: 84.0, 2: 86.0}).verdict == noise.BEYOND


def test_pairs_see_what_the_scatter_of_the_seeds_hides():
    a, b = {0: 70.0, 1: 80.0, 2: 90.0}, {0: 71.0, 1: 81.1, 2: 90.9}
    assert noise.compare(a, b).verdict == noise.BEYOND  # d = 1, 1.1, 0.9
    assert noise.compare(a, {seed + 10: value for seed, value in b.items()}).verdict == noise.NOISE


def test_runs_without_a_partner_are_left_out_of_a_paired_comparison():
    found = noise.compare({0: 1.0, 1: 2.0, 7: 50.0}, {0: 2.0, 1: 4.0, 8: 60.0})
    assert (found.a, found.b, found.change, found.runs_a, found.runs_b) == (1.5, 3.0, 1.5, 2, 2)


def test_unpaired_runs_are_judged_by_welch():
    # variances 1, n 3: standard error sqrt(2/3); Satterthwaite (2/3)^2 / (2 * (1/9) / 2) = 4
    found = noise.compare({0: 1.0, 1: 2.0, 2: 3.0}, {5: 5.0, 6: 6.0, 7: 7.0})
    assert (found.rule, found.change, found.verdict) == (noise.UNPAIRED, 4.0, noise.BEYOND)
    assert found.margin == pytest.approx(T4 * math.sqrt(2 / 3), abs=1e-6)


def test_a_single_run_is_taken_to_scatter_as_the_others_do():
    # sd 2, n 3: t * 2 * sqrt(4/3)
    found = noise.compare({0: 15.0}, {0: 10.0, 1: 12.0, 2: 14.0})
    assert (found.rule, found.change, found.sd_a, found.sd_b) == (noise.ONE_AGAINST_N, -3.0, None, 2.0)
    assert found.margin == pytest.approx(T2 * 2 * math.sqrt(4 / 3), abs=1e-5)
    assert found.verdict == noise.NOISE


def test_of_one_run_each_nothing_is_claimed():
    found = noise.compare({0: 50.0}, {0: 90.0})
    assert (found.rule, found.margin, found.verdict) == (noise.ONE_EACH, None, noise.UNKNOWN)
    assert noise.compare({0: 50.0}, {0: 50.0}).verdict == noise.EQUAL


def test_runs_that_do_not_scatter_are_equal_or_not():
    same = {0: 5.0, 1: 5.0}
    assert noise.compare(same, same).verdict == noise.EQUAL
    assert noise.compare(same, {0: 5.1, 1: 5.1}).verdict == noise.BEYOND
    assert noise.compare(same, {7: 5.1, 8: 5.1}).verdict == noise.BEYOND
    assert noise.compare({0: 1.0, 1: 3.0}, {0: 3.0, 1: 1.0}).verdict == noise.NOISE  # mean change 0


@pytest.mark.parametrize("paired", [True, False])
def test_the_rule_agrees_with_scipy_s_tests_at_five_percent(paired):
    random = np.random.default_rng(3)
    verdicts = set()
    for shift in np.linspace(0, 4, 40):
        a, b = random.normal(80, 1, 4), random.normal(80 + shift, 2, 4 if paired else 6)
        seeds = range(len(b)) if paired else range(10, 10 + len(b))
        verdict = noise.compare(dict(enumerate(a)), dict(zip(seeds, b, strict=True))).verdict
        test = stats.ttest_rel(a, b) if paired else stats.ttest_ind(a, b, equal_var=False)
        assert (verdict == noise.BEYOND) == (test.pvalue < 0.05)
        verdicts.add(verdict)
    assert verdicts == {noise.NOISE, noise.BEYOND}


def test_a_side_without_a_value_is_an_error():
    with pytest.raises(ValueError, match="nothing to compare"):
        noise.compare({}, {0: 1.0})
