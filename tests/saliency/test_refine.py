"""What the second network learns from, and its loss."""

import math

import numpy as np
import pytest
import torch

from stages.common.artifacts import UNKNOWN
from stages.common.crf_params import Crf
from stages.saliency import refine

CRF = Crf(iterations=2, smooth_sxy=3.0, smooth_compat=1.0, color_sxy=50.0, color_srgb=5.0, color_compat=1.0)


def test_labels_start_from_the_map_above_the_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    def results(picture, unaries, classes, crf):
        (unary,) = unaries
        np.testing.assert_allclose(np.exp(-unary), [[0.6, 0.6, 0.4], [0.4, 0.4, 0.6]], rtol=1e-5)
        assert classes.tolist() == [1]
        return [np.uint8([[0, 1, 1]])]

    monkeypatch.setattr(refine, "infer_labels", results)
    found = refine.labels(np.float32([[0.1, 0.2, 0.3]]), np.zeros((1, 3, 3), np.uint8), 0.2, 0.6, CRF)
    assert found.tolist() == [[0, 1, 1]]


def test_the_crf_has_two_labels() -> None:
    salient = np.zeros((12, 12), np.float32)
    salient[3:9, 3:9] = 1
    picture = np.repeat((salient * 200).astype(np.uint8)[..., None], 3, 2)
    found = refine.labels(salient, picture, 0.5, 0.7, CRF)
    np.testing.assert_array_equal(found, salient.astype(np.uint8))


def test_the_loss_is_the_mean_over_the_known_pixels() -> None:
    scores = torch.tensor([[[[0.5, -1.0, 2.0]]]])
    batch = torch.zeros(1, 3, 1, 3), torch.tensor([[[1, 0, UNKNOWN]]])
    found = refine.loss({"main": lambda pictures: scores}, batch, 0.0)["loss"]
    share = [1 / (1 + math.exp(-value)) for value in (0.5, -1.0)]
    assert float(found) == pytest.approx((-math.log(share[0]) - math.log(1 - share[1])) / 2)
    nothing = torch.full((1, 1, 3), UNKNOWN)
    assert float(refine.loss({"main": lambda pictures: scores}, (batch[0], nothing), 0.0)["loss"]) == 0


def test_an_option_that_the_network_does_not_take_is_told() -> None:
    from tests.seeds.tiny import encoder

    with pytest.raises(ValueError, match=r"saliency\.network\.options: unet takes no decoder_atrous_rates"):
        refine.build("unet", encoder("small", 32), {"decoder_atrous_rates": [1, 2, 3]})
    torch.manual_seed(0)
    model = refine.build("deeplabv3plus", encoder("small", 8), {"decoder_channels": 8}).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)
