"""A training of the segmenter: losses that count, terms and their columns, kills, what is left alone."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch.nn import functional as F

from stages.common.artifacts import mask_bytes
from stages.common.pictures import Picture
from stages.common.training.loop import fit
from stages.common.training.strategy import MAIN
from stages.segmenter import class_balance
from stages.segmenter.loss_params import CrossEntropy
from stages.segmenter.losses import Extra, cross_entropy
from stages.segmenter.losses.edge_weighted import WeightedSamples
from stages.segmenter.strategy import Objective, modules, scores_of, weighted
from stages.segmenter.terms import Term
from stages.segmenter.training import learnt, prepare
from tests.segmenter import scenes

NONE = CrossEntropy(balance="none")
TERMS = {"semeda": scenes.SEMEDA, "sobel": {"weight": 4}, "dense_energy": scenes.ENERGY}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def made(**changes):
    chosen = scenes.params(**changes)
    torch.manual_seed(chosen.seed)
    samples = scenes.samples(Path("set"), chosen)
    return chosen, prepare("segmenter", chosen, scenes.CLASSES, samples)


def trained(key, **changes):
    chosen, prepared = made(**changes)
    history = fit("segmenter", prepared.strategy, prepared.samples, chosen, key)
    return prepared, history


def test_heads_add_up_and_terms_look_at_the_first():
    torch.manual_seed(0)
    x, labels = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    seen = []

    def term(view):
        seen.append(view)
        return {"one": view.scores.sum(), "told": view.scores.max()}

    networks = {"main": lambda pictures: [(pictures, 1.0), (2 * pictures, 0.4)], "one": lambda: 5}
    terms = {"one": Term(term), "two": Term(lambda view: {"two": 3 * view.scores.mean()})}
    inside = torch.rand(2, 4, 4) < 0.5
    losses = Objective(cross_entropy.loss, NONE, terms=terms)(networks, (x, labels, inside), 0.25)
    pixel = F.cross_entropy(x, labels) + 0.4 * F.cross_entropy(2 * x, labels)
    torch.testing.assert_close(losses, {
        "loss": pixel + x.sum() + 3 * x.mean(), "pixel": pixel,
        "one": x.sum(), "told": x.max(), "two": 3 * x.mean(),
    })  # fmt: skip
    assert torch.equal(seen[0].scores, x) and torch.equal(seen[0].labels, labels)
    assert seen[0].done == 0.25 and seen[0].helper() == 5 and seen[0].inside is inside
    plain = Objective(cross_entropy.loss, NONE)(networks, (x, labels), 0.25)
    torch.testing.assert_close(plain, {"loss": pixel})


def test_weighted_losses_of_one_head_and_of_several():
    x = torch.tensor(3.0)
    assert weighted(x, torch.square) == 9
    assert weighted([(x, 1.0), (2 * x, 0.5)], torch.square) == 9 + 0.5 * 36
    assert scores_of(x) == scores_of([(x, 1.0), (2 * x, 0.5)]) == 3


def test_a_loss_gets_the_weights_and_what_its_samples_bring():
    got = []

    def loss(scores, labels, options, extra):
        got.append(extra)
        return scores.sum()

    batch = (torch.ones(1, 2, 3, 3), torch.zeros(1, 3, 3, dtype=torch.int64), torch.full((1, 3, 3), 7.0))
    Objective(loss, NONE, torch.tensor([1.0, 2.0]))({"main": torch.nn.Identity()}, batch, 0.0)
    assert isinstance(got[0], Extra) and got[0].class_weights.tolist() == [1, 2]
    assert got[0].pixels.unique() == 7
    terms = {"one": Term(lambda view: {"one": view.inside.sum()})}
    batch = (*batch, torch.ones(1, 3, 3, dtype=torch.bool))
    losses = Objective(loss, NONE, terms=terms)({"main": torch.nn.Identity()}, batch, 0.0)
    assert got[1].pixels.unique() == 7 and losses["one"] == 9


def test_the_code_of_a_training_is_that_of_what_is_chosen():
    chosen = scenes.params(loss="focal", terms={"sobel": {"weight": 1}})
    names = ("networks.unet", "losses.focal", "terms.sobel")
    assert modules(chosen) == tuple(f"stages.segmenter.{name}" for name in names)
    assert modules(scenes.params())[1:] == ("stages.segmenter.losses.cross_entropy",)
    assert all(importlib.import_module(name) for name in modules(chosen))


@pytest.mark.parametrize("balance", ["inverse", "median"])
def test_classes_are_counted_on_the_labels_that_are_trained_on(balance):
    _, prepared = made(cross_entropy={"balance": balance})
    masks = [scenes.rectangles(seed) for seed in range(8)]
    wanted = class_balance.class_weights(balance, class_balance.count(masks, 4))
    assert prepared.config == {"class_weights": wanted}
    objective = prepared.strategy.turns[0].loss
    np.testing.assert_allclose(objective.weights, wanted, rtol=1e-6)


def test_a_list_is_taken_as_it_is_and_must_fit_the_classes():
    _, prepared = made(cross_entropy={"balance": [1, 2, 0.5, 0]})
    assert prepared.config == {"class_weights": [1, 2, 0.5, 0]}
    with pytest.raises(ValueError) as error:
        made(cross_entropy={"balance": [1.0, 2.0]})
    assert str(error.value) == (
        "segmenter.cross_entropy.balance: 2 weights, and there are 4 classes, the background first"
    )


@pytest.mark.parametrize("changes", [{}, {"cross_entropy": {"balance": "sides"}}, {"loss": "dice"}])
def test_else_nothing_is_counted_and_nothing_kept(changes):
    _, prepared = made(**changes)
    assert (prepared.config, prepared.files) == ({}, {})


def test_a_loss_with_samples_of_its_own_gets_them():
    _, prepared = made(loss="edge_weighted")
    assert isinstance(prepared.samples, WeightedSamples)
    picture, labels, weights = prepared.samples.sample(0, np.random.default_rng(0))
    assert picture.shape == (3, 64, 64) and labels.shape == weights.shape == (64, 64)


def test_terms_see_where_a_view_lies_beside_what_the_loss_needs():
    chosen, plain = made(loss="edge_weighted")
    _, prepared = made(loss="edge_weighted", terms={"sobel": {"weight": 4}})
    found, wanted = (p.samples.sample(3, np.random.default_rng(1)) for p in (prepared, plain))
    assert torch.equal(found[0], wanted[0]) and torch.equal(found[1], wanted[1])
    torch.testing.assert_close(found[2], wanted[2])  # OpenCV's distances are not the same to the bit
    assert (len(found), len(wanted)) == (4, 3) and found[3].dtype == torch.bool
    history = fit("segmenter", prepared.strategy, prepared.samples, chosen, "key")
    assert history[-1]["sobel"] > 0


@pytest.mark.parametrize("loss", ["focal", "edge_weighted", "dice", "lovasz"])
def test_every_loss_trains(loss):
    _, history = trained("key", loss=loss, epochs=6)
    assert list(history[0]) == ["epoch", "lr", "loss"]
    assert history[-1]["loss"] < 0.95 * history[0]["loss"]


def test_terms_have_columns_whose_sum_is_the_loss():
    prepared, history = trained("key", terms=TERMS)
    assert list(history[0]) == ["epoch", "lr", "loss", "pixel", "semeda", "ground", "sobel", "dense_energy"]
    for row in history:
        parts = [row[name] for name in ("pixel", *TERMS)]
        assert np.isclose(row["loss"], sum(parts), rtol=1e-5)
        assert 0 <= row["ground"] <= 100 and min(parts) > 0
    assert list(prepared.files) == ["edges.safetensors"]


def test_the_edge_network_stays_as_it_was_and_the_segmenter_starts_as_without_it():
    chosen, with_terms = made(terms=TERMS)
    _, without = made()
    for name, tensor in without.strategy.networks[MAIN].state_dict().items():
        assert torch.equal(with_terms.strategy.networks[MAIN].state_dict()[name], tensor)
    network = with_terms.strategy.networks["semeda"]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert with_terms.strategy.learners == (MAIN,)
    fit("segmenter", with_terms.strategy, with_terms.samples, chosen, "key")
    kept = load(with_terms.files["edges.safetensors"])
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]) and torch.equal(kept[name], before[name])


def test_without_a_weight_the_terms_change_nothing():
    """A segmenter with a Sobel term that weighs nearly nothing learns what it learns without."""
    plain, _ = trained("a")
    other, _ = trained("b", terms={"sobel": {"weight": 1e-30}})
    states = [made.strategy.networks[MAIN].state_dict() for made in (plain, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def content(prepared, history):
    weights = prepared.strategy.networks[MAIN].state_dict()
    return save({name: t.contiguous() for name, t in weights.items()}), prepared.files, history


@pytest.mark.parametrize("stop", [30, 8 * 12 + 5])
def test_killed_it_goes_on_to_the_same_bytes(monkeypatch, tmp_path, stop):
    """In the training of the edge network, or in that of the segmenter."""
    whole = content(*trained("key", terms=TERMS))
    (tmp_path / "second").mkdir()
    monkeypatch.chdir(tmp_path / "second")
    views, seen = scenes.MaskedSamples.mask, []

    def mask(self, picture):
        seen.append(picture)
        if len(seen) == 8 + stop:
            raise KeyboardInterrupt  # a kill, as far as the loop is concerned
        return views(self, picture)

    monkeypatch.setattr(scenes.MaskedSamples, "mask", mask)
    with pytest.raises(KeyboardInterrupt):
        trained("key", terms=TERMS)
    monkeypatch.setattr(scenes.MaskedSamples, "mask", views)
    assert content(*trained("key", terms=TERMS)) == whole


def test_pictures_without_a_class_are_learnt_or_skipped():
    labels = {"a": (), "b": (1,), "c": (), "d": (2, 1)}
    shown = [Picture(name, Path(name), "train", 8, 6, own) for name, own in labels.items()]
    assert learnt(shown, scenes.params(without_class="learn")) == shown
    chosen = scenes.params(without_class="skip")
    assert [picture.id for picture in learnt(shown, chosen)] == ["b", "d"]
    with pytest.raises(ValueError, match="is skip, and none of the 2 pictures to learn from has a class"):
        learnt([shown[0], shown[2]], chosen)


def test_a_training_of_which_most_batches_show_nothing_stays_finite():
    """With terms of edges and of pairs: there is no edge, and no pair of two classes."""
    gated = {"weight": 1, "cell": 4, "radius": 2, "sigma_xy": 6, "sigma_rgb": 29}
    terms = TERMS | {"gated_crf": gated}
    chosen = scenes.params(terms=terms, batch=2, epochs=1)
    samples = scenes.samples(Path("set"), chosen)
    for index in range(1, 8):
        labels = np.zeros_like(scenes.rectangles(index))
        (Path("set/masks") / f"{index}.png").write_bytes(mask_bytes(labels))
    torch.manual_seed(0)
    prepared = prepare("segmenter", chosen, scenes.CLASSES, samples)
    history = fit("segmenter", prepared.strategy, prepared.samples, chosen, "nothing")
    told = {name: value for row in history for name, value in row.items()}
    assert set(terms) <= set(told) and all(np.isfinite(value) for value in told.values())
    assert all(tensor.isfinite().all() for tensor in prepared.network.state_dict().values())
