"""The cross-guided module: ZHANG 5.3.4, Eq. 5.15-5.17."""

import pytest
import torch

from stages.few_shot.fusion import fused, usefulness


def test_usefulness_by_hand():
    masks = torch.tensor([[[1, 1, 0, 255]], [[0, 1, 0, 0]]])
    found = torch.tensor([
        [[[1, 1, 0, 1]], [[1, 0, 1, 0]]],  # support 0, as 0 and 1 guide: 2 of 2, 1 of 3
        [[[0, 0, 0, 0]], [[0, 1, 1, 0]]],  # support 1: 0 of 1, 1 of 2
    ]).bool()  # fmt: skip
    assert usefulness(found, masks).tolist() == pytest.approx([(1 + 0) / 2, (1 / 3 + 1 / 2) / 2])


def test_an_object_of_one_pixel_that_is_found():
    masks = torch.tensor([[[1, 0]]])
    assert usefulness(masks[:, None] == 1, masks).tolist() == [1]


def test_what_shows_nothing_and_where_nothing_is_found_is_of_no_use():
    masks = torch.zeros(1, 2, 2, dtype=torch.int64)
    assert usefulness(torch.zeros(1, 1, 2, 2).bool(), masks).tolist() == [0]


@pytest.mark.parametrize("second", [0.9, 0.0])
def test_scores_are_weighed_before_the_softmax(second):
    scores = torch.randn(3, 2, 4, 5)
    weights = torch.tensor([0.2, second, 0.5])
    wanted = ((0.2 * scores[0] + second * scores[1] + 0.5 * scores[2]) / 3).softmax(0)
    torch.testing.assert_close(fused(scores, weights), wanted)


@pytest.mark.parametrize("number", [1, 4])
def test_one_support_or_several_equal_ones_give_the_one_s_labels(number):
    scores = torch.randn(1, 2, 6, 7).expand(number, -1, -1, -1)
    wanted = scores[0].argmax(0)
    assert torch.equal(fused(scores, torch.full((number,), 0.3)).argmax(0), wanted)


def test_supports_of_no_use_at_all_weigh_alike():
    scores = torch.randn(2, 2, 3, 3)
    torch.testing.assert_close(fused(scores, torch.zeros(2)), scores.mean(0).softmax(0))
