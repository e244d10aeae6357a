"""Dilated segmenters: the encoder computes what the strided one does, and ASPP's rates fit its stride."""

import pytest
import torch

from stages.common.networks import encoders
from stages.common.params import check, read_yaml
from stages.segmenter import library
from stages.segmenter.network import build_segmenter, rebuild_segmenter, saved_config
from stages.segmenter.params import Segmenter
from tests.segmenter.test_network import encoder


@pytest.mark.parametrize(("name", "stride"), [("resnet18", 16), ("mobilenet_v2", 16), ("small", 8)])
def test_the_dilated_encoder_sees_at_shared_cells_what_the_strided_one_sees(name, stride):
    """The property that makes pretrained weights fit. Zero padding is the same: only places are left out."""
    torch.manual_seed(0)
    strided = encoders.build_encoder(encoder(name, 32)).eval()
    dilated = build_segmenter("deeplabv3plus", encoder(name, stride), 3, {}).encoder.eval()
    dilated.load_state_dict(strided.state_dict())
    x = torch.randn(1, 3, 129, 161)
    with torch.inference_mode():
        wanted, found = strided(x)[-1], dilated(x)[-1]
    found = found[..., :: 32 // stride, :: 32 // stride]
    assert wanted.abs().max() > 0 and found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


def rates(model) -> list[int]:
    """Of the 3x3 convolutions that have one, in order."""
    decoder = [m for m in model.decoder.modules() if isinstance(m, torch.nn.Conv2d)]
    return [m.dilation[0] for m in decoder if m.dilation[0] > 1]


@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus"])
def test_rates_follow_the_output_stride_unless_named(name):
    assert rates(build_segmenter(name, encoder("small", 16), 3, {})) == [6, 12, 18]
    assert rates(build_segmenter(name, encoder("small", 8), 3, {})) == [12, 24, 36]
    named = {"decoder_atrous_rates": [2, 3, 4]}
    assert rates(build_segmenter(name, encoder("small", 16), 3, named)) == [2, 3, 4]


def test_a_rebuilt_network_keeps_its_rates_when_the_default_changes(request, monkeypatch):
    values = read_yaml(request.config.rootpath / "params.yaml")["segmenter"]
    params = check(Segmenter, values, "segmenter")
    config = saved_config(params, ("background", "cat"))
    monkeypatch.setattr(library, "RATES", {8: [1, 2, 3]})
    assert rates(rebuild_segmenter(config)) == [12, 24, 36]
    assert config["options"]["decoder_channels"] == values["options"]["decoder_channels"]


def test_a_network_of_an_older_version_is_refused(request):
    values = read_yaml(request.config.rootpath / "params.yaml")["segmenter"]
    params = check(Segmenter, values, "segmenter")
    old = {**saved_config(params, ("background", "cat")), "options": params.options}
    with pytest.raises(ValueError, match="older version, which did not write down its options"):
        rebuild_segmenter(old)
    assert rebuild_segmenter(
        {**old, "network": "unet", "options": {}, "encoder": encoder("small", 32).model_dump()}
    )
