"""The network: what each pass reads, what guides, what learns. ZHANG 5.3, https://arxiv.org/abs/2103.16129."""

import math

import pytest
import torch

from stages.few_shot.guidance import guided, masked_mean, prior, shares
from stages.few_shot.losses import batch_loss, cross_entropy
from stages.few_shot.network import build_few_shot, rebuild_few_shot, saved_config
from stages.few_shot.pyramid import upsampled
from tests.few_shot.tiny import CLASSES, params


def network(**changes):
    torch.manual_seed(0)
    return build_few_shot(params(**changes)).eval()


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(3)
    support, query = torch.randn(2, 2, 3, 32, 32, generator=rng)
    masks = (torch.rand(2, 2, 32, 32, generator=rng) > 0.5).long()
    masks[:, :, :4] = 255
    return support, masks[0], query, masks[1]


def test_scores_of_a_query_and_of_two_passes(batch):
    found = network()(*batch[:3])
    assert list(found) == [
        "query", "query_levels", "support1", "support1_levels", "support2", "support2_levels"
    ]  # fmt: skip
    assert found["query"].shape == found["support2"].shape == (2, 2, 8, 8)
    assert [level.shape for level in found["query_levels"]] == [(2, 2, 4, 4), (2, 2, 2, 2)]


def test_the_first_pass_sees_the_initial_vector_and_the_second_both(batch):
    """Eq. 5.2 and 5.8, from the parts."""
    net, (support, mask, *_) = network(), batch
    found = net.features(support)
    with torch.no_grad():  # so that the first pass finds half of the cells
        scores = net.guide(found, mask)[1][0][0]
        net.decoder.whole[-1].bias[1] += (scores[:, 0] - scores[:, 1]).median()
    guide, (first, second) = net.guide(found, mask)
    x = net.reduce_support(found.joined)
    weights = shares(mask, (8, 8))
    initial = masked_mean(x, weights)

    def scored(*vectors):
        wide = torch.cat([x, *(vector[:, :, None, None].expand(-1, -1, 8, 8) for vector in vectors)], 1)
        return net.decoder(net.merge_support(wide), (8, 8))[0]

    torch.testing.assert_close(first[0], scored(initial, initial))
    primary, auxiliary = guided(x, weights, first[0].argmax(1) == 1)
    torch.testing.assert_close(second[0], scored(primary, auxiliary))
    torch.testing.assert_close(guide.vectors, torch.cat([primary, auxiliary], 1))
    assert primary.any() and auxiliary.any()


@pytest.mark.parametrize(
    ("vectors", "passes"),
    [(["initial"], 1), (["primary"], 2), (["auxiliary"], 2), (["initial", "primary", "auxiliary"], 2)],
)
def test_which_vectors_guide(batch, vectors, passes):
    net = network(vectors=vectors)
    guide, found = net.guide(net.features(batch[0]), batch[1])
    assert guide.vectors.shape == (2, 8 * len(vectors)) and len(found) == passes
    whole = network(vectors=["initial", "primary", "auxiliary"])
    assert [name for name in batch_loss({"main": net}, batch, 0) if name.endswith("levels")] == [
        "query_levels", "support1_levels", "support2_levels"
    ][: passes + 1]  # fmt: skip
    if vectors == ["initial"]:
        x = net.reduce_support(net.features(batch[0]).joined)
        torch.testing.assert_close(guide.vectors, masked_mean(x, shares(batch[1], (8, 8))))
    assert sum(p.numel() for p in whole.parameters()) >= sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(("asked", "before_scores"), [(0.5, 0.1), (0.05, 0.05)])
def test_channels_that_are_dropped(asked, before_scores):
    """As in https://github.com/dvlab-research/PFENet: 0.5 of the joined blocks, 0.1 before scores."""
    dropped = {
        name.split(".")[0]: module.p
        for name, module in network(dropout=asked).named_modules()
        if isinstance(module, torch.nn.Dropout2d)
    }
    assert dropped == {"reduce_support": asked, "reduce_query": asked, "decoder": before_scores}


def test_the_prior_reaches_the_query_alone(batch):
    net, (support, mask, query, _) = network(prior=True), batch
    theirs, ours = net.features(support), net.features(query)
    guide, _ = net.guide(theirs, mask)
    bare = network()
    assert bare.guide(theirs, mask)[0].vectors.shape == guide.vectors.shape
    x = net.reduce_query(ours.joined)
    alike = prior(ours.last, theirs.last, shares(mask, ours.last.shape[2:]))
    vectors = guide.vectors[:, :, None, None].expand(-1, -1, 8, 8)
    wide = torch.cat([x, vectors, upsampled(alike, (8, 8))], 1)
    torch.testing.assert_close(net.segmented(ours, guide)[0], net.decoder(net.merge_query(wide), (8, 8))[0])
    assert alike.max() == 1 and alike.min() == 0


def test_losses_are_means_over_known_pixels(batch):
    """Eq. 5.7, 5.10, 5.13, and half of the two levels' sum; void does not count."""
    net = network()
    losses, found = batch_loss({"main": net}, batch, 0), net(*batch[:3])
    chosen = torch.nn.functional.interpolate(found["query"], (32, 32), mode="bilinear").log_softmax(1)
    wanted, known = 0.0, 0
    for picture in range(2):
        for y in range(4, 32):
            for x in range(32):
                wanted -= chosen[picture, batch[3][picture, y, x], y, x].item()
                known += 1
    assert losses["query"].item() == pytest.approx(wanted / known, rel=1e-4)
    levels = [cross_entropy(level, batch[1]) for level in found["support2_levels"]]
    torch.testing.assert_close(losses["support2_levels"], (levels[0] + levels[1]) / 2)
    parts = [value for name, value in losses.items() if name != "loss"]
    assert len(parts) == 6
    torch.testing.assert_close(losses["loss"], sum(parts))
    assert cross_entropy(found["query"], torch.full((2, 32, 32), 255)).item() == 0
    alone = torch.full((1, 2, 2), 255)
    alone[0, 0, 0] = 1
    assert cross_entropy(torch.zeros(1, 2, 2, 2), alone).item() == pytest.approx(math.log(2))


def test_what_a_saved_network_says_rebuilds_it(batch):
    net, chosen = (
        network(prior=True, vectors=["initial", "auxiliary"]),
        params(prior=True, vectors=["initial", "auxiliary"]),
    )
    config = saved_config(chosen, CLASSES, {3, 4})
    assert config["classes"] == ["blue", "grey"] and config["side"] == 32
    again = rebuild_few_shot(config).eval()
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(again(*batch[:3])["query"], net(*batch[:3])["query"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vectors": []}, "vectors"),
        ({"levels": [2, 6]}, "levels.1: Input should be less than or equal to 5"),
        ({"vectors": ["primary", "primary"]}, "must name each once"),
        ({"bins": [8, 16]}, "must go from the finest to the coarsest"),
        ({"folds": [0, 0]}, "must name each once"),
        ({"folds": [-1]}, "folds"),
        ({"augment__rand_augment": {"n": 1, "m": 2}}, "moves the picture and not its mask"),
    ],
)
def test_what_params_yaml_may_not_say(changes, message):
    with pytest.raises(ValueError, match=message):
        params(**changes)
