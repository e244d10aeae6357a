"""What holds for every training strategy."""

import numpy as np
import pytest
import torch

from stages.classifier import inputs
from stages.classifier.samples import ChosenSamples
from stages.common.training.samples import LabelledSamples
from tests.classifier import tiny

WITH_TURNS = {"p_noc": {}, "eader": {"block": 1}}


@pytest.mark.parametrize("method", tiny.METHODS)
@pytest.mark.parametrize("stop_at", [5, 12])
def test_a_killed_training_goes_on_to_the_same_weights(method, stop_at, tmp_path, monkeypatch):
    """Killed in the first epoch (from the first step again) and in the second (from a checkpoint)."""
    monkeypatch.chdir(tmp_path)
    chosen = tiny.params(method, WITH_TURNS.get(method))
    whole = tiny.trained(chosen, key="whole")
    with pytest.raises(KeyboardInterrupt):
        tiny.trained(chosen, stop_at)
    again = tiny.trained(chosen)
    for name in whole.networks:
        assert tiny.equal(tiny.state(again, name), tiny.state(whole, name))
    assert not tiny.equal(tiny.state(whole), tiny.state(tiny.new(chosen)))


@pytest.mark.parametrize("method", tiny.METHODS)
def test_a_classifier_starts_as_the_plain_one(method):
    chosen = tiny.params(method)
    assert tiny.equal(tiny.state(tiny.new(chosen)), tiny.state(tiny.new(tiny.params("plain"))))


@pytest.mark.parametrize("method", [name for name in tiny.METHODS if name != "plain"])
def test_smoothed_targets_are_in_every_loss(method):
    values = {}
    for smoothing in (0.0, 0.2):
        chosen = tiny.params(method, label_smoothing=smoothing)
        strategy = tiny.new(chosen)
        tiny.sighted(strategy.networks["main"]).eval()
        batch = tiny.batch(method in tiny.CHOOSING)
        values[smoothing] = [turn.loss(strategy.networks, batch, 0.5) for turn in strategy.turns]
    for before, after in zip(values[0.0], values[0.2], strict=True):
        for name in before.keys() - {"reconstruction", "still_seen", "area"}:
            assert not torch.isclose(before[name], after[name], rtol=1e-4), name
        for name in before.keys() & {"reconstruction", "still_seen", "area"}:
            assert torch.equal(before[name], after[name]), name


@pytest.mark.parametrize("method", tiny.METHODS)
def test_what_a_strategy_shows_its_networks_can_be_drawn(method):
    chosen = tiny.params(method)
    strategy = tiny.new(chosen)
    tiny.sighted(strategy.networks["main"])
    networks = {name: network.eval() for name, network in strategy.networks.items()}
    module, batch = tiny.METHODS[method], tiny.batch(method in tiny.CHOOSING)
    with torch.inference_mode():
        looks = module.looks(chosen, networks, batch) if hasattr(module, "looks") else {"view": batch[0]}
        again = inputs.sheet("t", ["a", "b", "c"], looks, [0.5] * 3, [0.2] * 3)
    assert again == inputs.sheet("t", ["a", "b", "c"], looks, [0.5] * 3, [0.2] * 3)
    assert torch.equal(looks["view"], batch[0])
    if "map" in looks:  # of the class in the row's caption
        own = networks["main"](batch[0], maps=True)[1][0, int(batch[-1][0].argmax())].relu()
        torch.testing.assert_close(looks["map"][0, 0], own / own.max())
    for name, tensors in looks.items():
        assert len(tensors) == 3 and tensors.shape[1] in (1, 3), name
    for name in looks.keys() & {"the ordinary one sees", "the adversary sees"}:
        assert torch.equal(looks[name][2], batch[0][2])  # without a class
        assert not torch.equal(looks[name][0], batch[0][0])


def test_the_cells_of_a_sheet_are_the_pictures_as_they_were():
    picture = np.full((3, 8, 8), 1.0, np.float32)
    shown = inputs.cell(picture, [0.25, 0.5, 0.0], [0.5, 0.1, 0.2])
    assert shown.shape == (inputs.CELL, inputs.CELL, 3)
    assert shown[0, 0].tolist() == [191, 153, 51]  # 255 * (0.25 + 0.5), 255 * (0.5 + 0.1), 255 * 0.2
    half = np.linspace(0, 1, 4, dtype=np.float32).reshape(1, 2, 2)
    assert inputs.cell(half, [0] * 3, [1] * 3)[-1, -1].tolist() == [255, 255, 255]


class Views:
    """LabelledSamples without files: the rng's next number is the view."""

    def view(self, index, rng):
        return torch.tensor([rng.random()]), None


class Plain(Views, LabelledSamples):
    pass


class Chosen(ChosenSamples):
    view = Views.view


def test_the_class_to_erase_is_drawn_after_the_view_among_the_present_ones():
    plain, choosing = Plain.__new__(Plain), Chosen.__new__(Chosen)
    for samples in (plain, choosing):
        samples.targets = torch.tensor([[1.0, 0, 1], [0, 0, 0]])
    drawn = []
    for seed in range(40):
        view, _ = plain.sample(0, np.random.default_rng(seed))
        other, targets, chosen = choosing.sample(0, np.random.default_rng(seed))
        assert torch.equal(view, other) and chosen.sum() == 1 and targets[chosen.argmax()] == 1
        drawn.append(int(chosen.argmax()))
    assert 8 < drawn.count(0) < 32 and drawn.count(1) == 0
    assert choosing.sample(1, np.random.default_rng(0))[2].sum() == 0


@pytest.mark.parametrize("method", ["plain", "puzzle", "p_noc"])
def test_a_plain_vision_transformer_learns_by_any_strategy(method, tmp_path, monkeypatch):
    """Every weight moves, those of the position embeddings too."""
    monkeypatch.chdir(tmp_path)
    encoder = tiny.params("plain").encoder.model_copy(update={"name": "small_vit"})
    chosen = tiny.params(method, encoder=encoder.model_dump(), batch=7)
    before, after = tiny.state(tiny.new(chosen)), tiny.state(tiny.trained(chosen))
    still = [name for name in before if torch.equal(before[name], after[name])]
    assert still == [] and {"head.weight", "encoder.model.pos_embed"} <= after.keys()
