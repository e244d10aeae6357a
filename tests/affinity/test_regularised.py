"""Eq. 3.12 by a double loop over all cells, and by differences; what does not count; what a history tells."""

import functools
import math

import pytest
import torch
from torch.nn import functional as F

from stages.affinity.affinity_net import batch_loss, colour_term
from stages.affinity.network import build_affinity_net
from stages.affinity.params import Affinity, Regularised
from stages.affinity.regularised import loss
from stages.common.params import check, read_yaml
from stages.common.training.loop import fit
from stages.common.training.params import Encoder
from stages.common.training.samples import PlacedSamples
from stages.common.training.strategy import one
from tests.segmenter import scenes
from tests.segmenter.scenes import SHIPPED

ENCODER = Encoder(
    name="small", output_stride=8, mean=[0.4, 0.5, 0.6], std=[0.2, 0.25, 0.3], freeze=[], batch_norm="train",
    weights={"source": "none", "name": "", "sha256": ""},
)  # fmt: skip
CELL = 2
OPTIONS = Regularised(weight=12.0, sigma_xy=1.5, sigma_rgb=40.0, radius=2)
HEIGHT, WIDTH = 11, 12  # pixels: a grid of 6 x 6, whose last row is cut


def scene():
    """Features [2, 5, 6, 6] in float64, pictures of whole grey values, and a strip that is no picture."""
    rng = torch.Generator().manual_seed(0)
    rgb = torch.randint(100, 180, (2, 3, HEIGHT, WIDTH), generator=rng)
    mean, std = (torch.tensor(values)[:, None, None] for values in (ENCODER.mean, ENCODER.std))
    inside = torch.ones(2, HEIGHT, WIDTH, dtype=torch.bool)
    inside[1, :, :3] = False  # the second column of cells is cut
    return torch.randn(2, 5, 6, 6, generator=rng), (rgb / 255 - mean) / std, inside, rgb


def value(features, pictures, inside, options=OPTIONS):
    return loss(features, pictures, inside, CELL, options, ENCODER)


def test_by_a_double_loop():
    features, pictures, inside, rgb = scene()
    total, count = 0.0, 0
    for b in range(2):
        cells = [(y, x) for y in range(6) for x in range(6) if b == 0 or x >= 2]
        for y, x in cells:
            for v, u in cells:
                if not 0 < max(abs(y - v), abs(x - u)) <= 2:
                    continue
                one, two = (
                    rgb[b, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].double().mean((1, 2))
                    for i, j in ((y, x), (v, u))
                )
                far = ((y - v) ** 2 + (x - u) ** 2) / (2 * 1.5**2)
                unlike = (one - two).square().sum().item() / (2 * 40.0**2)
                apart = (features[b, :, y, x] - features[b, :, v, u]).abs().sum().item() / 5
                total, count = total + math.exp(-far - unlike) * apart, count + 1
    assert value(features, pictures, inside).item() == pytest.approx(12 * total / count, rel=1e-5)


def test_the_shipped_numbers_are_those_of_grey_values():
    """Of two cells 10 grey values apart in red: exp(-1 / 72 - 100 / 2 / 5.8^2) of a distance of 1."""
    shipped = Regularised(**read_yaml(SHIPPED)["affinity"]["regularised"] | {"weight": 1})
    pictures = torch.zeros(1, 3, 2, 4)
    pictures[:, 0, :, 2:] = 10 / 255 / 0.2
    features = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    found = value(features, pictures, torch.ones(1, 2, 4, dtype=torch.bool), shipped)
    assert found.item() == pytest.approx(math.exp(-1 / 72 - 100 / 2 / 5.8**2), rel=1e-4)


def test_the_slope_is_that_of_differences_and_moves_the_features_inside_alone():
    features, pictures, inside, _ = scene()
    features = features.double().requires_grad_()
    pictures.requires_grad_()
    value(features, pictures, inside).backward()
    assert pictures.grad is None
    moved = features.grad.abs().sum(1) > 0
    assert moved[0].all() and moved[1, :, 2:].all() and not moved[1, :, :2].any()
    line = torch.randn(features.shape, generator=torch.Generator().manual_seed(3)).double()
    with torch.no_grad():
        high, low = (value(features + s * line, pictures, inside) for s in (1e-6, -1e-6))
    slope = (features.grad * line).sum().item()
    assert slope == pytest.approx((high - low).item() / 2e-6, rel=1e-6) and abs(slope) > 0.01


def test_a_border_changes_nothing_and_without_a_pair_there_is_none():
    features, pictures, _, _ = scene()
    features, pictures = features[:, :, :5], pictures[:, :, :10]
    whole = torch.ones(2, 10, WIDTH, dtype=torch.bool)
    padded = value(
        F.pad(features, (2, 0, 1, 3), value=7.0),
        F.pad(pictures, (4, 0, 2, 6), value=2.0),
        F.pad(whole, (4, 0, 2, 6)),
    )
    torch.testing.assert_close(padded, value(features, pictures, whole))
    assert value(features, pictures, torch.zeros_like(whole)) == 0


def test_equal_features_cost_nothing():
    features, pictures, inside, _ = scene()
    assert value(features[:, :, :1, :1].expand(-1, -1, 6, 6), pictures, inside) == 0


def shipped(weight: float) -> Affinity:
    values = read_yaml(SHIPPED)["affinity"]
    changes = {"encoder": ENCODER.model_dump(), "grid_stride": CELL}
    changes["regularised"] = {"weight": weight, "sigma_xy": 1.5, "sigma_rgb": 40, "radius": 2}
    return check(Affinity, values | changes, "x")


def test_the_term_is_added_and_has_its_column():
    features, pictures, inside, _ = scene()
    labels = torch.randint(0, 3, (2, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1))
    called = {"main": lambda _: features}
    plain = functools.partial(batch_loss, [(0, 1), (1, 0)], CELL, 3, called)
    without = plain((pictures, labels), 0.5)
    found = plain((pictures, labels, inside), 0.5, term=colour_term(shipped(12)))
    assert list(found) == [*without, "regularised"]
    torch.testing.assert_close(found["regularised"], value(features, pictures, inside))
    torch.testing.assert_close(found["loss"], without["loss"] + found["regularised"])
    assert all(found[name] == without[name] for name in without if name != "loss")


def test_without_a_weight_there_is_no_term():
    assert colour_term(shipped(0)) is None and read_yaml(SHIPPED)["affinity"]["regularised"]["weight"] == 0


def trained(weight: float, folder) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """Two epochs on four pictures: the weights and the history."""
    params = shipped(weight)
    own = {"encoder": ENCODER.model_dump(), "grid_stride": 8, "batch": 2, "epochs": 2, "threads": 1}
    params = check(
        Affinity, params.model_dump() | own | {"augment": {**params.augment.model_dump(), "crop": 80}}, "x"
    )
    torch.manual_seed(0)
    model = build_affinity_net(params.encoder, [2, 3], [4, 4], 8)
    term = colour_term(params)
    drawn = scenes.samples(folder, params, count=4)
    step = functools.partial(batch_loss, [(0, 1), (1, 0)], 8, scenes.CLASSES, term=term)
    history = fit(
        "affinity", one(model, step), PlacedSamples(drawn) if term else drawn, params, f"key {weight}"
    )
    return model.state_dict(), history


def test_a_training_with_it(monkeypatch, tmp_path):
    """Views of 80 pixels of pictures of 72: a border, of which nothing is learned, comes along."""
    monkeypatch.chdir(tmp_path)
    without, plain = trained(0, tmp_path / "scenes")
    weights, history = trained(12, tmp_path / "scenes")
    assert "regularised" not in plain[0] and list(history[0]) == [*plain[0], "regularised"]
    assert history[0]["regularised"] > history[1]["regularised"] > 0
    for row in history:
        total = row["foreground"] + row["background"] + 2 * row["different"] + row["regularised"]
        assert row["loss"] == pytest.approx(total, rel=1e-3)
    assert any(not torch.equal(weights[name], without[name]) for name in weights)
