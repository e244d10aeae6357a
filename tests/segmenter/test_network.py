from typing import get_args

import pytest
import torch

from stages.common.networks.padding import scores
from stages.common.params import ParameterError, check, read_yaml
from stages.common.training.params import Encoder
from stages.segmenter.network import build_segmenter, rebuild_segmenter, settled
from stages.segmenter.network_params import FITS, published
from stages.segmenter.params import Segmenter


def encoder(name: str, stride: int) -> Encoder:
    return Encoder(
        name=name, output_stride=stride, mean=[0.0] * 3, std=[1.0] * 3, freeze=[], batch_norm="train",
        weights={"source": "none", "name": "", "sha256": ""},
    )  # fmt: skip


NAMES = get_args(Segmenter.model_fields["network"].annotation)


def test_every_name_is_a_file_and_every_file_a_name(request):
    files = (request.config.rootpath / "stages/segmenter/networks").glob("[a-z]*.py")
    assert sorted(NAMES) == sorted(file.stem for file in files)


ENCODERS = {"segnet": "small_pool", "resunet": "resunet"}  # where `small` does not fit
SMALLER = {"fcn": {"hidden": 16}, "resunet": {"width": 4}, "deeplabv1": {"width": 16}}


def options(network: str) -> dict:
    return {**published(network), **SMALLER.get(network, {})}


@pytest.mark.parametrize(("network", "stride"), [(name, s) for name in NAMES for s in FITS[name].strides])
def test_networks_by_name_take_any_picture(network, stride):
    """One of odd sides and by itself; what is saved rebuilds it with the same weights."""
    torch.manual_seed(0)
    chosen, own = encoder(ENCODERS.get(network, "small"), stride), options(network)
    model = build_segmenter(network, chosen, 4, own).eval()
    with torch.inference_mode():
        assert scores(model, torch.zeros(1, 3, 50, 71)).shape == (1, 4, 50, 71)
    config = {
        "classes": list("abcd"), "network": network, "options": settled(network, chosen, own),
        "encoder": chosen.model_dump(),
    }  # fmt: skip
    again = rebuild_segmenter(config)
    again.load_state_dict(model.state_dict())
    assert isinstance(again.encoder, torch.nn.Module)


def test_options_reach_the_network_and_unknown_ones_are_errors():
    def size(channels: int) -> int:
        model = build_segmenter("deeplabv3plus", encoder("small", 8), 3, {"decoder_channels": channels})
        return sum(p.numel() for p in model.decoder.parameters())

    assert size(16) < size(64)
    with pytest.raises(ValueError, match="decoder_chanels"):
        build_segmenter("deeplabv3plus", encoder("small", 8), 3, {"decoder_chanels": 16})


@pytest.mark.parametrize(
    ("change", "message"),
    [({"network": "unet"}, "needs encoder.output_stride 32"), ({"network": "unett"}, "unet")],
)
def test_what_cannot_work_is_refused_before_the_run(change, message, request):
    values = read_yaml(request.config.rootpath / "params.yaml")["segmenter"]
    with pytest.raises(ParameterError, match=message):
        check(Segmenter, {**values, **change}, "segmenter")
