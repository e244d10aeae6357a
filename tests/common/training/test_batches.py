"""The order of the samples, and the processes that draw them."""

import itertools
import os

import cv2
import pytest
import torch

from stages.common.training import batches
from stages.common.training.batches import Drawn, Order


class Numbers:
    """Samples that a process of the loader can have."""

    def __len__(self):
        return 4

    def sample(self, index, rng):
        return (torch.tensor([index, int(rng.integers(1000)), os.getpid(), cv2.getNumThreads()]),)


@pytest.mark.parametrize("method", [None, "spawn"])
def test_the_loaders_processes_are_not_forked_and_draw_the_same_samples(monkeypatch, method):
    """A fork of a process with threads may wait for ever."""
    monkeypatch.delenv("WSSS_START_METHOD", raising=False)
    if method:
        monkeypatch.setenv("WSSS_START_METHOD", method)
    drawn, order = Drawn(Numbers(), 0), [[(0, 1), (0, 3)], [(1, 0), (1, 2)]]
    here = [batch[0] for batch in batches.loader(drawn, order, 0, False)]
    loader = batches.loader(drawn, order, 1, False)
    found = loader.multiprocessing_context.get_start_method()
    assert found == method if method else found != "fork"
    there = [batch[0] for batch in loader]
    assert [batch[:, :2].tolist() for batch in there] == [batch[:, :2].tolist() for batch in here]
    assert os.getpid() not in {pid for batch in there for pid in batch[:, 2].tolist()}
    assert {threads for batch in there for threads in batch[:, 3].tolist()} == {1}  # the processes are many


def test_a_start_method_that_is_none_is_refused_as_where_pictures_are_mapped(monkeypatch):
    monkeypatch.setenv("WSSS_START_METHOD", "clone")
    with pytest.raises(ValueError, match="WSSS_START_METHOD=clone"):
        batches.loader(Drawn(Numbers(), 0), [], 1, False)


def test_each_epoch_takes_each_sample_once_and_what_fills_no_batch_waits():
    steps = list(Order(13, 4, 3, seed=0))
    assert [{epoch for epoch, _ in step} for step in steps] == [{n // 3} for n in range(9)]
    for epoch in range(3):
        taken = [index for step in steps[3 * epoch : 3 * epoch + 3] for _, index in step]
        assert len(set(taken)) == 12 and set(taken) <= set(range(13))
    assert len({tuple(index for _, index in step) for step in steps}) == 9  # no two epochs alike


def test_fewer_samples_than_a_batch_are_one_step():
    assert [len(step) for step in Order(3, 4, 2, seed=0)] == [3, 3]


@pytest.mark.parametrize("first", [0, 1, 3, 5, 9])
def test_from_a_later_step_on_the_order_is_the_same(first):
    assert list(Order(13, 4, 3, 0, first)) == list(Order(13, 4, 3, 0))[first:]


def test_the_shares_of_the_ranks_are_the_batch():
    whole = list(Order(13, 4, 3, 0))
    halves = [list(Order(13, 4, 3, 0, rank=rank, ranks=2)) for rank in range(2)]
    for step, left, right in zip(whole, *halves, strict=True):
        assert len(left) == len(right) == 2 and sorted(left + right) == sorted(step)


def test_epochs_are_drawn_when_they_come(monkeypatch):
    """Those of a large set would fill the memory, and a late resume would draw all that it passes over."""
    drawn, permutation = [], batches.permutation
    monkeypatch.setattr(batches, "permutation", lambda *a: drawn.append(a[1]) or permutation(*a))
    loader = batches.loader(Drawn(Numbers(), 0), Order(4, 2, 50, 0, first=80), 0, False)
    assert len(list(itertools.islice(loader, 3))) == 3
    assert drawn == [40, 41]
