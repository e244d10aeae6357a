"""Whether a number changed by more than its runs scatter: a rule for two lists of values of equal runs.

The rule. Runs that differ in nothing but their seed scatter, and a change counts only beyond that scatter:
it is noise if it lies within the half-width of the 95 % confidence interval of the change.

- paired: two seeds or more are on both sides. Of these only, with the differences d of equal seeds:
  t(0.975, n - 1) * sd(d) / sqrt(n).
- unpaired (Welch): both sides have two runs or more:
  t(0.975, v) * sqrt(sd_a^2 / n_a + sd_b^2 / n_b), v by Welch and Satterthwaite.
- one against n: the single run is taken to scatter as the others do: t(0.975, n - 1) * sd * sqrt(1 + 1 / n).
- one run on each side: nobody knows the scatter, so nothing is said about noise.

Of many numbers that did not change, one in twenty passes such a rule.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NOISE, BEYOND, UNKNOWN, EQUAL = "noise", "beyond noise", "noise unknown", "equal"
PAIRED, UNPAIRED, ONE_AGAINST_N, ONE_EACH = "paired", "unpaired", "one against n", "one each"
RULES = {
    PAIRED: "Noise: no more than t(0.975, n - 1) * sd / sqrt(n) of the differences between runs of equal "
    "seed (a 95 % confidence interval of their mean).",
    UNPAIRED: "Noise: within Welch's 95 % confidence interval of the difference of the means.",
    ONE_AGAINST_N: "Noise: no more than t(0.975, n - 1) * sd * sqrt(1 + 1 / n) of the side with several "
    "runs (95 %); the single run of the other is taken to scatter as they do.",
    ONE_EACH: "One run on each side: how far seeds scatter is not known, so no change is called significant.",
}
CAUTION = "Of many numbers that did not change, one in twenty passes as beyond noise."
CONFIDENCE = 0.975  # two-sided 95 %
EXACT = 1e-9  # percent: below it is arithmetic of floats

Seeded = Mapping[object, float]  # by what names a run: its seed, or anything else that is on one side only


@dataclass(frozen=True)
class Change:
    """A number on two sides: means over runs, their spread, and what became of it."""

    a: float
    b: float
    sd_a: float | None  # sample standard deviation; None of a single run
    sd_b: float | None
    runs_a: int
    runs_b: int
    rule: str  # a key of RULES
    margin: float | None  # a change up to this is noise; None: unknown
    change: float  # b - a

    @property
    def verdict(self) -> str:
        if self.margin is None:
            return UNKNOWN if abs(self.change) > EXACT else EQUAL
        if abs(self.change) <= EXACT and self.margin <= EXACT:
            return EQUAL
        return NOISE if abs(self.change) <= self.margin + EXACT else BEYOND


def compare(a: Seeded, b: Seeded) -> Change:
    """The change from `a` to `b`, values by seed. ValueError if a side is empty."""
    if not a or not b:
        raise ValueError("nothing to compare: a side has no value")
    if len(shared := [seed for seed in a if seed in b]) >= 2:
        return _change([a[seed] for seed in shared], [b[seed] for seed in shared], paired=True)
    return _change(list(a.values()), list(b.values()), paired=False)


def _change(a: Sequence[float], b: Sequence[float], paired: bool) -> Change:
    differences = [y - x for x, y in zip(a, b, strict=True)] if paired else []
    rule, margin = (PAIRED, half_width(differences)) if paired else _unpaired(a, b)
    mean_a, mean_b = statistics.fmean(a), statistics.fmean(b)
    return Change(mean_a, mean_b, _sd(a), _sd(b), len(a), len(b), rule, margin, mean_b - mean_a)


def half_width(differences: Sequence[float]) -> float:
    """Of the 95 % confidence interval of the mean of n >= 2 differences."""
    n = len(differences)
    return _t(n - 1) * statistics.stdev(differences) / math.sqrt(n)


def _unpaired(a: Sequence[float], b: Sequence[float]) -> tuple[str, float | None]:
    if len(a) == len(b) == 1:
        return ONE_EACH, None
    if len(a) == 1 or len(b) == 1:
        many = max(a, b, key=len)
        return ONE_AGAINST_N, _t(len(many) - 1) * statistics.stdev(many) * math.sqrt(1 + 1 / len(many))
    return UNPAIRED, welch(statistics.variance(a), len(a), statistics.variance(b), len(b))


def welch(variance_a: float, n_a: int, variance_b: float, n_b: int) -> float:
    """Half-width of the 95 % confidence interval of the difference of two means."""
    share_a, share_b = variance_a / n_a, variance_b / n_b
    if share_a + share_b == 0:
        return 0.0
    freedom = (share_a + share_b) ** 2 / (share_a**2 / (n_a - 1) + share_b**2 / (n_b - 1))
    return _t(freedom) * math.sqrt(share_a + share_b)


def _sd(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _t(freedom: float) -> float:
    from scipy.stats import t  # here: it takes half a second to import, and single runs need none

    return float(t.ppf(CONFIDENCE, freedom))
