"""SCL's vectors and PFENet's prior: ZHANG 5.3.2, https://arxiv.org/abs/2103.16129 and 2008.01449."""

import math

import pytest
import torch

from stages.few_shot.guidance import guided, masked_mean, prior, shares


@pytest.fixture
def features():
    return torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0))


def test_a_mean_by_hand():
    features = torch.tensor([[[[1.0, 3.0], [5.0, 100.0]]]])
    weights = torch.tensor([[[1.0, 0.5], [0.5, 0.0]]])
    assert masked_mean(features, weights).item() == pytest.approx((1 + 1.5 + 2.5) / 2)
    assert masked_mean(features, 0 * weights).item() == 0


def test_shares_of_a_mask_by_hand():
    masks = torch.zeros(1, 4, 4, dtype=torch.int64)
    masks[0, :2, :3], masks[0, 3, 3] = 1, 255
    torch.testing.assert_close(shares(masks, (2, 2)), torch.tensor([[[1.0, 0.5], [0.0, 0.0]]]))


def test_both_vectors_weighed_by_their_cells_are_the_initial_one(features):
    """Eq. 5.5 and 5.6 against 5.1, with soft masks too."""
    rng = torch.Generator().manual_seed(1)
    weights = torch.rand(2, 4, 6, generator=rng) * (torch.rand(2, 4, 6, generator=rng) > 0.5)
    found = torch.rand(2, 4, 6, generator=rng) > 0.4
    primary, auxiliary = guided(features, weights, found)
    sums = [(weights * there).sum((1, 2))[:, None] for there in (found, ~found)]
    whole = (sums[0] * primary + sums[1] * auxiliary) / (sums[0] + sums[1])
    torch.testing.assert_close(whole, masked_mean(features, weights))
    assert not torch.allclose(primary, auxiliary)


def test_what_is_wholly_found_leaves_nothing_to_the_auxiliary_vector(features):
    weights = torch.rand(2, 4, 6)
    primary, auxiliary = guided(features, weights, torch.ones(2, 4, 6, dtype=torch.bool))
    torch.testing.assert_close(primary, masked_mean(features, weights))
    assert not auxiliary.any()


def test_the_prior_is_a_double_loop(features):
    query = torch.randn(2, 5, 3, 2, generator=torch.Generator().manual_seed(2))
    weights = (torch.arange(48).reshape(2, 4, 6) % 5 == 0).float() * 0.3
    found = prior(query, features, weights)
    assert found.shape == (2, 1, 3, 2)
    for picture in range(2):
        largest = []
        for y in range(3):
            for x in range(2):
                q = query[picture, :, y, x]
                cosines = [
                    float(q @ features[picture, :, v, u]) / math.sqrt(float(q @ q) * float(s @ s))
                    for v in range(4) for u in range(6)
                    if weights[picture, v, u] and (s := features[picture, :, v, u]) is not None
                ]  # fmt: skip
                largest.append(max(cosines))
        low, high = min(largest), max(largest)
        wanted = [(value - low) / (high - low) for value in largest]
        assert found[picture].flatten().tolist() == pytest.approx(wanted, abs=1e-5)


def test_a_support_without_an_object_says_nothing(features):
    assert not prior(features, features, torch.zeros(2, 4, 6)).any()


def test_sums_of_many_cells_are_not_of_half_precision():
    """Nor are cosines that lie near each other: under autocast too."""
    features = 1 + torch.rand(1, 3, 64, 64) / 100
    weights = torch.ones(1, 64, 64)
    wanted = masked_mean(features, weights), prior(features[..., :2, :8], features, weights)
    with torch.autocast("cpu", torch.bfloat16):
        found = masked_mean(features, weights), prior(features[..., :2, :8], features, weights)
    assert all(torch.equal(*both) for both in zip(found, wanted, strict=True))
    assert masked_mean(features.bfloat16(), weights).dtype == torch.float32
