"""EADER: https://openaccess.thecvf.com/content/WACV2021, Stammes et al."""

import pytest
import torch

from stages.classifier import eader
from stages.classifier.loss import soft_margin
from stages.classifier.params import Eader
from stages.common.training.loop import fit
from tests.classifier import tiny

SIZE = torch.Size((4, 4))


def options(**changes) -> Eader:
    return tiny.params("eader", changes).eader


def test_attention_and_mask_of_each_pair_by_brute_force():
    torch.manual_seed(0)
    maps, targets = torch.randn(3, 3, 4, 4), torch.tensor([[1.0, 1, 0], [0, 0, 1], [0, 0, 0]])
    maps[1, 2] = maps[1, 2].abs() + 1  # higher than 0 everywhere
    pairs = eader.pairs_of(targets)
    found = eader.attention_of(maps, pairs, SIZE)
    wanted = []
    for row in range(3):
        for c in range(3):
            if targets[row, c]:
                positive = maps[row, c].clamp_min(0)
                wanted.append((positive - positive.min()) / (positive.max() - positive.min() + 1e-5))
    torch.testing.assert_close(found[:, 0], torch.stack(wanted))
    mask = eader.erasing_mask(found, options(omega=100.0, sigma=0.5))
    torch.testing.assert_close(mask, 1 / (1 + torch.exp(-100 * (found - 0.5))))


def test_the_localizer_hides_each_class_from_the_adversary():
    chosen = tiny.params("eader", {"alpha": 0.3, "beta": 0.2})
    networks = tiny.new(chosen).networks
    main, adversary = tiny.sighted(networks["main"]).eval(), networks["adversary"]
    pictures, targets = tiny.batch(False)
    losses = eader.Turns(chosen.eader, 0.0).localize(networks, (pictures, targets), 0.0)
    maps = main.head(main.features(pictures))
    seen, areas = [], []
    for row, c in ((0, 0), (0, 1), (1, 2)):
        large = torch.nn.functional.interpolate(maps[row, c][None, None], (32, 32), mode="bilinear").relu()
        a = (large - large.min()) / (large.max() - large.min() + 1e-5)
        left = pictures[row] * (1 - torch.sigmoid(100 * (a - 0.5)))
        seen.append(torch.sigmoid(adversary(left)[0, c]))
        areas.append(a.mean())
    wanted = soft_margin(main(pictures), targets) + 0.3 * sum(seen) / 3 + 0.2 * sum(areas) / 3
    torch.testing.assert_close(losses["loss"], wanted)


def test_the_head_learns_nothing_from_the_maps():
    chosen = tiny.params("eader")
    networks = tiny.new(chosen).networks
    main = tiny.sighted(networks["main"])
    eader.Turns(chosen.eader, 0.0).localize(networks, tiny.batch(False), 0.0)["area"].backward()
    assert main.head.weight.grad is None
    assert sum(p.grad.norm() for p in main.encoder.parameters() if p.grad is not None) > 0


def test_the_adversary_learns_all_labels_of_erased_pictures_and_sees_bare_ones_whole():
    chosen = tiny.params("eader")
    networks = tiny.new(chosen).networks
    main = tiny.sighted(networks["main"]).eval()
    pictures, targets = tiny.batch(False)
    maps = main(pictures, maps=True)[1].detach()
    left, rows = eader.adversary_sees(pictures, targets, maps, chosen.eader)
    assert rows.tolist() == [0, 0, 1, 2]
    assert torch.equal(left[3], pictures[2]) and not torch.equal(left[0], left[1])
    loss = eader.Turns(chosen.eader, 0.0).find(networks, (pictures, targets), 0.0)["loss"]
    torch.testing.assert_close(loss, soft_margin(networks["adversary"](left), targets[[0, 0, 1, 2]]))
    loss.backward()
    assert all(weight.grad is None for weight in main.parameters())
    assert networks["adversary"].head.weight.grad.norm() > 0


def test_a_batch_without_a_class_is_only_recognised():
    chosen = tiny.params("eader")
    networks = tiny.new(chosen).networks
    pictures, targets = tiny.batch(False)[0], torch.zeros(3, tiny.CLASSES)
    losses = eader.Turns(chosen.eader, 0.0).localize(networks, (pictures, targets), 0.0)
    assert losses["still_seen"].item() == losses["area"].item() == 0
    losses["loss"].backward()
    assert networks["main"].head.weight.grad.isfinite().all()


def test_without_alpha_and_beta_the_localizer_learns_as_the_plain_classifier():
    chosen = tiny.params("eader", {"alpha": 0.0, "beta": 0.0})
    found = {}
    for method in ("eader", "plain"):
        strategy = tiny.new(chosen if method == "eader" else tiny.params("plain"))
        main = tiny.sighted(strategy.networks["main"])
        strategy.turns[0].loss(strategy.networks, tiny.batch(False), 0.5)["loss"].backward()
        found[method] = torch.cat([weight.grad.flatten() for weight in main.parameters()])
    assert torch.equal(found["eader"], found["plain"]) and found["plain"].norm() > 0


def test_an_adversary_that_never_learns_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="'adversary' learns in none of the 4 steps: train more epochs"):
        tiny.trained(tiny.params("eader", {"block": 100}))


def test_the_two_learn_in_blocks():
    chosen = tiny.params("eader", {"block": 3, "lr_multiple": 0.5})
    first, second = tiny.new(chosen).turns
    assert [step for step in range(12) if first.due(step)] == [0, 1, 2, 6, 7, 8]
    assert [step for step in range(12) if second.due(step)] == [3, 4, 5, 9, 10, 11]
    assert second.optimizer.lr == chosen.optimizer.lr / 2 and second.learns == "adversary"


def test_a_new_adversary_has_its_own_encoder_and_leaves_the_localizers_weights_alone():
    encoder = tiny.params("plain").encoder.model_dump() | {"freeze": [], "batch_norm": "frozen"}
    chosen = tiny.params("eader", {"start": "weights", "encoder": encoder})
    torch.manual_seed(0)
    strategy = eader.strategy(chosen, tiny.CLASSES)
    torch.manual_seed(0)
    plain = tiny.METHODS["plain"].strategy(chosen, tiny.CLASSES)
    assert tiny.equal(tiny.state(strategy), tiny.state(plain))
    assert strategy.turns[1].encoder.batch_norm == "frozen"


@pytest.mark.parametrize("start", ["weights", "ordinary"])
def test_an_encoder_goes_with_a_new_adversary_only(start):
    encoder = None if start == "weights" else tiny.params("plain").encoder.model_dump()
    with pytest.raises(ValueError, match=f"encoder: must be .* with start {start}"):
        tiny.params("eader", {"start": start, "encoder": encoder})


def test_an_adversary_sees_pictures_normalised_as_the_classifiers():
    encoder = tiny.params("plain").encoder.model_dump() | {"mean": [0.1, 0.1, 0.1]}
    with pytest.raises(ValueError, match=r"eader.encoder: mean and std must be those of encoder"):
        tiny.params("eader", {"start": "weights", "encoder": encoder})


def test_the_adversary_moves_in_its_block(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = tiny.params("eader", {"block": 1})
    strategy = tiny.new(chosen)
    before = tiny.state(strategy, "adversary")
    fit("a", strategy, tiny.Pictures(False), chosen, "key")
    assert not torch.equal(before["head.weight"], tiny.state(strategy, "adversary")["head.weight"])
