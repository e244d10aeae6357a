import pytest
import torch

from stages.classifier.network import build_classifier, rebuild_classifier
from stages.classifier.scores import classification_metrics
from stages.common.training.params import Encoder


def encoder(name: str = "small", stride: int = 8) -> Encoder:
    return Encoder(
        name=name, output_stride=stride, mean=[0.0] * 3, std=[1.0] * 3, freeze=[], batch_norm="train",
        weights={"source": "none", "name": "", "sha256": ""},
    )  # fmt: skip


def test_head_is_a_convolution_without_bias_behind_the_pooling():
    torch.manual_seed(0)
    model = build_classifier(encoder(), 4).eval()
    torch.nn.init.normal_(model.head.weight)  # it starts at 0, where every pooling gives 0
    x = torch.randn(2, 3, 40, 33)
    maps, scores = model.head(model.features(x)), model(x)
    assert model.head.bias is None and model.head.kernel_size == (1, 1)
    assert scores.abs().min() > 0
    torch.testing.assert_close(scores, maps.mean((2, 3)))


def test_chen_vgg():
    """CHEN 4.4.1: stride 8, two new 3x3 convolutions with 1024 channels, then pooling and the head."""
    model = build_classifier(encoder("vgg19_chen"), 3).eval()
    with torch.inference_mode():
        assert model.features(torch.zeros(1, 3, 32, 48)).shape == (1, 1024, 4, 6)
    convs = [m for m in model.neck if isinstance(m, torch.nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size) for c in convs] == [(1024, (3, 3))] * 2


def test_rebuilding_takes_the_saved_weights_and_no_random_numbers():
    model = build_classifier(encoder(), 2)
    config = {"classes": ["background", "a", "b"], "encoder": encoder().model_dump()}
    torch.manual_seed(5)
    before = torch.get_rng_state()
    copy = rebuild_classifier(config)
    assert torch.equal(torch.get_rng_state(), before)
    copy.load_state_dict(model.state_dict())


def test_metrics_by_hand():
    scores = torch.tensor([[3.0, -1.0, 5.0], [2.0, 1.0, 5.0], [1.0, -2.0, 5.0], [-1.0, -3.0, 5.0]])
    targets = torch.tensor([[1.0, 1, 0], [0.0, 0, 0], [1.0, 0, 0], [0.0, 0, 0]])
    found = classification_metrics(scores, targets, ["a", "b", "c"])
    # a: positives at ranks 1 and 3 -> (1 + 2/3) / 2; predicted 3, right 2 -> F1 = 4/5
    # b: positive at rank 2 -> 1/2; predicted 1, right 0 -> F1 = 0; c has no positive: left out
    assert found["ap_per_class"] == pytest.approx({"a": 83.33, "b": 50.0}, abs=0.01)
    assert found["f1_per_class"] == {"a": 80.0, "b": 0.0}
    assert found["map"] == pytest.approx(66.67, abs=0.01) and found["f1"] == 40.0


def test_one_class():
    found = classification_metrics(torch.tensor([[1.0], [-1.0]]), torch.tensor([[1.0], [0.0]]), ["a"])
    assert found["map"] == found["f1"] == 100


def test_no_positive_picture_is_no_score_and_no_nan():
    found = classification_metrics(torch.tensor([[1.0, 2.0], [-1.0, 0.0]]), torch.zeros(2, 2), ["a", "b"])
    assert found == {"ap_per_class": {}, "f1_per_class": {}}
