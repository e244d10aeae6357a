"""Which networks of the segmenter stand on a plain vision transformer: those that read the last features."""

import pytest
import torch

from stages.common.networks.padding import scores
from stages.common.params import ParameterError, check, read_yaml
from stages.parameters.params import Parameters
from stages.segmenter.network import build_segmenter
from stages.segmenter.network_params import FITS, ON_TOKENS, published
from stages.segmenter.params import Segmenter
from tests.segmenter.scenes import SHIPPED
from tests.segmenter.test_network import encoder
from tests.segmenter.test_network_params import chosen, section  # noqa: F401  # a fixture

ALLOWED = {
    "deeplabv1": {"rate": 3, "width": 8},
    "deeplabv2": {"rates": [1, 2], "msc": [0.5]},
    "parsenet": None,
}
OTHERS = [name for name in FITS if name not in ON_TOKENS and FITS[name].only == ("*",)]


@pytest.mark.parametrize("name", ON_TOKENS)
def test_any_size_forward_and_backward(name):
    torch.manual_seed(0)
    network = build_segmenter(name, encoder("small_vit", 8), 3, ALLOWED[name] or published(name))
    found = network(torch.randn(2, 3, 64, 96))
    found = found if isinstance(found, torch.Tensor) else found[0][0]  # deeplabv2 has one of each scale
    assert found.shape == (2, 3, 64, 96)
    found.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.encoder.parameters())
    with torch.inference_mode():
        assert scores(network.eval(), torch.randn(1, 3, 50, 71)).shape == (1, 3, 50, 71)


@pytest.mark.parametrize("name", [*ON_TOKENS, *OTHERS])
def test_the_others_are_refused_in_one_line(section, name):  # noqa: F811
    values = chosen(section, name, encoder__name="small_vit", encoder__output_stride=8)
    if name in ON_TOKENS:
        assert check(Segmenter, values, "x").encoder.patch() == 8
        return
    with pytest.raises(
        ParameterError, match=f"network {name} needs levels of several strides, and encoder s"
    ):
        check(Segmenter, values, "x")


@pytest.mark.parametrize("step", ["saliency", "one_step", "few_shot"])
def test_trainings_that_were_not_tried_on_one_are_refused(step):
    values = read_yaml(SHIPPED)
    values[step]["encoder"]["name"] = "small_vit"
    with pytest.raises(
        ParameterError, match=f"{step}: encoder.name: must not be small_vit: levels of several"
    ):
        check(Parameters, values, "x")
    for recogniser in ("classifier", "ordinary_classifier"):
        values = read_yaml(SHIPPED)
        values[recogniser]["encoder"] |= {"name": "tu-vit_small_patch14_dinov2", "output_stride": 14}
        assert check(Parameters, values, "x")
