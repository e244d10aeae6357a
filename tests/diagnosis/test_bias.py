"""The ratio of bias and score: by hand on a linear network, identities on tiny ones, statistics by loops."""

import statistics

import numpy as np
import pytest
import torch
from torch import nn

from stages.diagnosis import bias, tables
from stages.seeds.bias import bias_of_parameters
from tests.seeds import tiny

CLASSES = np.arange(4)


def ratios(model: nn.Module, x: torch.Tensor, layers: list[str]) -> np.ndarray:
    """r [L, K] of one picture, as the step has it: of the classes that may be counted."""
    found = [bias_of_parameters(model, x, torch.from_numpy(CLASSES)[None], layer) for layer in layers]
    scores = model(x)[0].numpy()
    keep = bias.usable(scores, CLASSES)
    assert keep.any()
    return torch.cat(found).numpy()[:, keep] / scores[keep]


def test_a_linear_network_by_hand() -> None:
    """Two convolutions and no bend: the score is W x + b, and b what is left of a black picture's."""
    model = tiny.chain(nn.Conv2d(3, 5, 1), nn.Conv2d(5, 6, 1), channels=6)
    x = tiny.pictures(7)[:1]
    first, second = model.encoder[0], model.encoder[1]
    head, rows = model.head.weight[:, :, 0, 0], second.weight[:, :, 0, 0]
    scores = head @ (rows @ (first.weight[:, :, 0, 0] @ x[0].mean((1, 2)) + first.bias) + second.bias)
    keep = bias.usable(scores.numpy(), CLASSES)
    wanted = torch.stack([head @ (rows @ first.bias + second.bias), head @ second.bias, 0 * scores])
    found = ratios(model, x, ["input", "encoder.0", "last"])
    np.testing.assert_allclose(found, (wanted / scores)[:, keep], atol=1e-12)
    assert np.abs(found[:2]).min() > 0.001


@pytest.mark.parametrize("name", ["small", "resnet18"])
def test_without_biases_there_is_no_ratio_at_any_layer(name: str) -> None:
    model = tiny.classifier(name, 8 if name == "small" else 32)
    layers = {"small": ["input", "encoder.levels.0", "encoder.levels.2", "last"],
              "resnet18": ["input", "encoder.conv1", "encoder.layer2", "last"]}[name]  # fmt: skip
    x = tiny.pictures(65)[:1]
    before = ratios(model, x, layers)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.bias)
            nn.init.zeros_(module.running_mean)
    np.testing.assert_array_equal(ratios(model, x, layers), 0)
    assert (np.abs(before[:-1]).max(1) > 0.01).all() and (before[-1] == 0).all()


def test_only_scores_that_a_ratio_can_be_of_count() -> None:
    scores = np.array([10.0, 0.5, 0.51, -3.0, 4.0])
    assert bias.usable(scores, np.array([0, 1, 2, 3])).tolist() == [True, False, True, False]
    assert bias.usable(scores, np.array([4])).tolist() == [True]  # of the largest of all, present or not
    assert not bias.usable(np.array([-1.0, -0.01]), np.array([0, 1])).any()
    assert not bias.usable(np.array([0.0, 0.0]), np.array([0, 1])).any()


def test_statistics_of_pictures_with_one_class_are_the_usual_ones() -> None:
    values = np.random.default_rng(0).normal(size=11)
    mean, low, high, lower, median, upper = bias.summary(values, np.arange(11))
    half = 1.96 * statistics.stdev(values) / 11**0.5
    assert (mean, low, high) == pytest.approx((values.mean(), values.mean() - half, values.mean() + half))
    assert [lower, median, upper] == pytest.approx(statistics.quantiles(values, n=4, method="inclusive"))


def test_a_picture_that_comes_twice_is_no_more_than_one() -> None:
    """Classes of a picture that go together make the mean no surer."""
    values = np.random.default_rng(0).normal(size=11)
    once, twice = bias.summary(values, np.arange(11)), bias.summary(values.repeat(2), np.arange(11).repeat(2))
    np.testing.assert_allclose(once[:3], twice[:3])
    two = bias.summary(np.array([1.0, 3.0]), np.array([0, 1]))
    assert two[:3] == pytest.approx((2, 2 - 1.96, 2 + 1.96))
    alone = bias.summary(values[:2], np.array([4, 4]))
    assert alone[0] == values[:2].mean() and np.isnan(alone[1:3]).all()
    assert np.isnan(bias.summary(np.empty(0), np.empty(0, int))).all()


def test_the_table_by_loops() -> None:
    """Three pictures of five classes: of seven pairs five are counted, of one picture none."""
    pictures = [
        {"scores": np.array([4.0, 2.0, 0.1, -1.0, 3.0]), "classes": np.array([0, 1, 2]),
         "bias": np.array([[1.0, 3.0, 9.0], [2.0, -1.0, 9.0]])},
        {"scores": np.array([-4.0, -2.0, -1.0, -1.0, -3.0]), "classes": np.array([2]),
         "bias": np.array([[1.0], [2.0]])},
        {"scores": np.array([8.0, 2.0, 1.0, 5.0, 1.0]), "classes": np.array([0, 3, 4]),
         "bias": np.array([[2.0, 5 / 3, 1.0], [0.0, 0.0, 0.0]])},
    ]  # fmt: skip
    found = tables.of_bias(pictures, ["=input", "encoder.0"])
    header, first, second = (line.split(",") for line in found.text.splitlines())
    assert header == ["layer", "pairs", "left_out", "mean", "low", "high",
                      "lower_quartile", "median", "upper_quartile"]  # fmt: skip
    assert first[:4] == ["'=input", "5", "28.57", f"{(0.25 + 1.5 + 0.25 + 1 / 3 + 1) / 5:.4f}"]
    assert (first[7], second[3], second[7]) == ("0.3333", "0.0000", "0.0000")
    assert found.numbers == {"bias_=input": 0.3333, "bias_encoder.0": 0.0, "left_out": 28.57, "pairs": 5}
    none = tables.of_bias([], ["last"])
    assert none.text.splitlines()[1] == "last,0,,,,,,," and none.numbers == {"pairs": 0}
