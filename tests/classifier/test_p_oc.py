"""P-OC and P-NOC (https://arxiv.org/abs/2305.11003)."""

import torch

from stages.classifier import oc_cse, p_noc, p_oc, puzzle
from stages.classifier.loss import soft_margin
from stages.common.training.loop import fit
from tests.classifier import tiny

NO_RE = {"puzzle": {"weight": 0.0, "ramp": 0.5}}
NO_CSE = {"oc_cse": {"weight": [0.0, 0.0], "normalise": "batch"}}


def gradients(of, network):
    network.zero_grad()
    of.backward()
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def seeing(method, own=None):
    chosen = tiny.params(method, own)
    strategy = tiny.new(chosen)
    return chosen, strategy.networks, tiny.sighted(strategy.networks["main"]).eval()


def test_without_the_ordinary_classifier_p_oc_is_puzzle():
    chosen, networks, main = seeing("p_oc", NO_CSE)
    found = gradients(p_oc.loss(chosen.p_oc, 0.1, networks, tiny.batch(), 0.7)["loss"], main)
    wanted = gradients(puzzle.loss(chosen.p_oc.puzzle, 0.1, networks, tiny.batch(False), 0.7)["loss"], main)
    assert wanted.norm() > 0.01
    torch.testing.assert_close(found, wanted)


def test_without_the_reconstruction_p_oc_is_oc_cse_that_also_names_the_quarters():
    chosen, networks, main = seeing("p_oc", NO_RE)
    found = gradients(p_oc.loss(chosen.p_oc, 0.1, networks, tiny.batch(), 0.7)["loss"], main)
    pictures, targets, _ = tiny.batch()
    own = oc_cse.loss(chosen.p_oc.oc_cse, 0.1, networks, tiny.batch(), 0.7)["loss"]
    named = soft_margin(puzzle.quarters(networks, pictures).mean((2, 3)), targets, 0.1)
    torch.testing.assert_close(found, gradients(own + named, main))


def test_an_ordinary_classifier_that_stays_makes_p_noc_p_oc(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    still = tiny.trained(tiny.params("p_noc", {"lr_multiple": 0.0}), key="still")
    plain = tiny.trained(tiny.params("p_oc"), key="plain")
    assert tiny.equal(tiny.state(still), tiny.state(plain))
    assert tiny.equal(tiny.state(still, "ordinary"), tiny.state(plain, "ordinary"))


def test_the_ordinary_classifier_s_rate_is_a_multiple_of_the_classifier_s():
    chosen = tiny.params("p_noc", {"lr_multiple": 0.5})
    first, second = tiny.new(chosen).turns
    assert first.optimizer is None and second.optimizer.lr == chosen.optimizer.lr / 2


def test_the_ordinary_classifier_learns_with_its_batch_norm_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = tiny.params("p_noc")
    before = tiny.state(tiny.new(chosen), "ordinary")
    after = tiny.state(tiny.trained(chosen), "ordinary")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert "head.weight" in moved
    assert not [name for name in moved if "running" in name]


def test_each_turn_leaves_the_other_network_without_a_gradient():
    chosen, networks, main = seeing("p_noc")
    turns = p_noc.Turns(chosen.p_noc, 0.0)
    for network in networks.values():
        network.zero_grad()
    networks["ordinary"].requires_grad_(False)
    turns.main(networks, tiny.batch(), 0.5)["loss"].backward()
    assert main.head.weight.grad.norm() > 0 and networks["ordinary"].head.weight.grad is None
    main.zero_grad()
    networks["ordinary"].requires_grad_()
    turns.ordinary(networks, tiny.batch(), 0.5)["loss"].backward()
    assert networks["ordinary"].head.weight.grad.norm() > 0
    assert all(weight.grad is None for weight in main.parameters())


def test_the_ordinary_classifier_does_not_see_what_the_maps_mark_most():
    maps = torch.tensor([[[[1.0, 0.21], [0.19, -3]]], [[[-1.0, -2], [-3, -4]]]])
    size, one = torch.Size((2, 2)), torch.ones(2, 1)
    kept = p_noc.keep(maps, one, size, 0.2)
    assert kept.tolist() == [[[[0, 0], [1, 1]]], [[[1, 1], [1, 1]]]]  # each over its own maximum, if any
    assert p_noc.keep(maps, one, size, 1.0).min() == 1  # the whole picture
    assert p_noc.keep(maps, one, size, 0.0).tolist() == [[[[0, 0], [0, 1]]], [[[1, 1], [1, 1]]]]


def test_what_it_learns_from_is_the_map_of_before_the_classifier_moved(tmp_path, monkeypatch):
    """All present classes are its targets, the erased one too."""
    chosen, networks, main = seeing("p_noc")
    pictures, targets, class_ = tiny.batch()
    turns = p_noc.Turns(chosen.p_noc, 0.0)
    maps = main(pictures, maps=True)[1].detach()
    turns.main(networks, tiny.batch(), 0.5)
    with torch.no_grad():
        main.head.weight.mul_(-1)  # a step of the classifier
    found = turns.ordinary(networks, tiny.batch(), 0.5)
    kept = pictures * p_noc.keep(maps, class_, pictures.shape[2:], 0.2)
    assert 0 < (kept == 0).float().mean() < 1
    wanted = soft_margin(networks["ordinary"](kept), targets)
    torch.testing.assert_close(found["found"], wanted)
    torch.testing.assert_close(found["loss"], 0.5 * wanted)


def test_the_leak_adds_the_gradient_of_the_other_loss():
    grads = {}
    for leak in (False, True):
        chosen, networks, _ = seeing("p_noc", {"leak": leak})
        turns = p_noc.Turns(chosen.p_noc, 0.0)
        first = turns.main(networks, tiny.batch(), 0.5)
        grads[leak] = gradients(turns.ordinary(networks, tiny.batch(), 0.5)["loss"], networks["ordinary"])
    leaked = gradients(0.65 * first["suppression"], networks["ordinary"])  # 0.3 + 0.7 / 2
    assert leaked.norm() > 1e-3
    torch.testing.assert_close(grads[True], grads[False] + leaked)


def test_a_loss_without_its_first_turn_is_an_error_and_not_an_old_map(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = tiny.params("p_noc")
    strategy = tiny.new(chosen)
    fit("a", strategy, tiny.Pictures(True), chosen, "key")
    assert strategy.turns[1].loss.__self__.seen is None
