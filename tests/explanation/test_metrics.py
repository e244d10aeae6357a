"""The metrics of made-up answers: identities, and loops over pictures and classes."""

import math
import statistics

import numpy as np
import pytest

from stages.explanation import metrics, names

IC, AD, AR, ADO, ARO, PLUS, MINUS = range(7)
LABELS = ((0,), (0, 1), (0, 1, 2), (3,))  # of four pictures


def answers(labels: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng, n = np.random.default_rng(seed), len(labels)
    return rng.uniform(0.1, 0.9, n), rng.uniform(0.1, 0.9, (n, n)), rng.uniform(0.1, 0.9, (n, n))


ANSWERS = [answers(labels, seed) for seed, labels in enumerate(LABELS)]
PAIRS = np.concatenate([metrics.of_pairs(*found) for found in ANSWERS])
CLASSES = np.array([c for labels in LABELS for c in labels])


def by_hand(c: int) -> list[float | None]:
    """The seven of a class, pair by pair and class by class, as the slide has it."""
    found: list[list[float]] = [[], [], [], [], []]
    for labels, (y, o, q) in zip(LABELS, ANSWERS, strict=True):
        if c not in labels:
            continue
        at = labels.index(c)
        found[IC].append(1.0 if y[at] < o[at][at] else 0.0)
        found[AD].append(max(0.0, y[at] - o[at][at]) / y[at])
        found[AR].append(max(0.0, y[at] - q[at][at]) / y[at])
        others = [m for m in range(len(labels)) if m != at]
        if others:
            found[ADO].append(sum(max(0.0, y[m] - o[at][m]) / y[m] for m in others) / len(others))
            found[ARO].append(sum(max(0.0, y[m] - q[at][m]) / y[m] for m in others) / len(others))
    means = [float(sum(values) / len(values)) if values else None for values in found]
    return [*means, harmonic(means[AR], means[ADO]), harmonic(means[AD], means[ARO])]


def harmonic(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else statistics.harmonic_mean([a, b])


def test_every_class_as_worked_out_by_hand() -> None:
    table = metrics.by_class(PAIRS, CLASSES, 5)
    for c in range(4):
        expected = [math.nan if value is None else value for value in by_hand(c)]
        np.testing.assert_allclose(table[c], expected, rtol=1e-12)
    assert np.isnan(table[3, [ADO, ARO, PLUS, MINUS]]).all()  # always alone: there are no others
    assert not np.isnan(table[3, [IC, AD, AR]]).any()
    assert np.isnan(table[4]).all()  # no pair


def test_the_mean_is_over_classes_and_f1_is_of_each_class_first() -> None:
    pairs = np.array([[0, 0.1, 0.9, 0.1, 0.5], [0, 0.3, 0.1, 0.9, 0.5], [0, 0.3, 0.1, 0.9, 0.5]])
    table = metrics.by_class(pairs, np.array([0, 1, 1]), 2)
    assert table[:, PLUS] == pytest.approx([0.18, 0.18])
    found = metrics.mean(table)
    assert found[[AD, AR, ADO, PLUS]] == pytest.approx([0.2, 0.5, 0.5, 0.18])  # of the means: 0.5
    assert metrics.summary(pairs)[[AD, AR]] == pytest.approx([0.7 / 3, 1.1 / 3])  # over pairs


def test_a_class_without_others_does_not_count_in_their_mean() -> None:
    pairs = np.array([[1, 0.2, 0.8, np.nan, np.nan], [0, 0.4, 0.6, 0.5, 0.1]])
    found = metrics.mean(metrics.by_class(pairs, np.array([0, 1]), 3))
    assert found[[IC, AD, AR, ADO, ARO]] == pytest.approx([0.5, 0.3, 0.7, 0.5, 0.1])
    assert metrics.summary(pairs)[[ADO, ARO]] == pytest.approx([0.5, 0.1])
    assert np.isnan(metrics.summary(pairs[:1])[[ADO, ARO, PLUS, MINUS]]).all()
    assert np.isnan(metrics.summary(np.empty((0, 5)))).all()


def test_a_mask_and_its_complement_change_places_exactly() -> None:
    for y, o, q in ANSWERS:
        one, other = metrics.of_pairs(y, o, q), metrics.of_pairs(y, q, o)
        np.testing.assert_array_equal(one[:, [AD, AR, ADO, ARO]], other[:, [AR, AD, ARO, ADO]])


def test_what_keeps_all_loses_nothing_and_is_no_increase() -> None:
    y, _, q = ANSWERS[2]
    pairs = metrics.of_pairs(y, np.tile(y, (3, 1)), q)
    assert (pairs[:, [IC, AD, ADO]] == 0).all() and (pairs[:, AR] > 0).any()
    assert metrics.summary(pairs)[[PLUS, MINUS]].tolist() == [0, 0]  # Average Drop is at its best


def test_only_more_than_rounding_is_an_increase() -> None:
    plain = np.array([0.5])
    for more, found in ((0.0, 0), (5e-7, 0), (2e-6, 1), (-2e-6, 0)):
        assert metrics.of_pairs(plain, plain[:, None] + more, plain[:, None])[0, IC] == found
    least = np.full((1, 1), metrics.LEAST)
    assert metrics.of_pairs(np.zeros(1), least, least)[0, IC] == 0


def test_a_drop_is_a_share_never_negative_and_nothing_of_nothing() -> None:
    found = metrics.drop(np.array([0.8, 0.5, 0.0]), np.array([0.2, 0.9, 0.0]))
    assert found == pytest.approx([0.75, 0, 0])
    assert not np.signbit(metrics.of_pairs(*ANSWERS[1])).any()  # no -0.00 in a table


def test_f1_of_nothing_and_nothing() -> None:
    assert metrics.f1(0.0, 0.0) == 0.0 and metrics.f1(0.5, 0.0) == 0.0
    assert metrics.f1(0.5, 0.5) == 0.5
    assert metrics.f1(0.4, 0.6) == pytest.approx(0.48) and math.isnan(metrics.f1(0.4, math.nan))


def test_every_metric_says_which_end_is_better() -> None:
    """As the slide has it: retention is a drop under the complement, so for the class itself it is good."""
    high = {"increase_in_confidence", "average_retention", "average_drop_of_others", "f1_plus"}
    assert {name for name, better in names.BETTER.items() if better == names.HIGH} == high
