"""Swin transformers by their library's names: any size that 32 divides, and weights of a file."""

import hashlib

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import _registry, swin_transformer

from stages.commands import export
from stages.common.networks.encoders import any_size, build_encoder
from stages.common.networks.padding import scores
from stages.common.params import check
from stages.common.training.loop import fit
from stages.common.training.params import Encoder
from stages.common.training.strategy import MAIN
from stages.segmenter.network import build_segmenter, rebuild_segmenter, saved_config, settled
from stages.segmenter.params import Segmenter
from stages.segmenter.strategy import strategy
from tests.segmenter import scenes
from tests.segmenter.test_network import encoder
from tests.segmenter.test_network_params import chosen, section  # noqa: F401  # a fixture
from tests.segmenter.test_strategy import Noise

NAME, WIDTHS = "swin_for_tests", [8, 16, 32, 64]
SMALL = {"depths": (1, 2, 1, 1), "num_heads": (1, 1, 2, 2), "window_size": 4}


def tiny(pretrained: bool = False, **options) -> torch.nn.Module:
    """Built for 224 pixels, as its larger siblings are; 5,000 times fewer weights than Swin-B."""
    options = {"embed_dim": 8, **SMALL, **options}
    return swin_transformer._create_swin_transformer("swin_tiny_patch4_window7_224", pretrained, **options)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(_registry._model_entrypoints, NAME, tiny)
    torch.manual_seed(0)


def swin() -> Encoder:
    return encoder(f"tu-{NAME}", 32)


@pytest.mark.parametrize("name", ["upernet", "fpn", "unet", "linknet", "manet"])
def test_any_size_that_32_divides_forward_and_backward(name):
    network = build_segmenter(name, swin(), 3, {})
    for size in ((64, 96), (32, 160)):
        found = network(torch.randn(2, 3, *size))
        assert found.shape == (2, 3, *size)
        found.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.encoder.parameters() if p.ndim > 1)
    with torch.inference_mode():
        assert scores(network.eval(), torch.randn(1, 3, 50, 71)).shape == (1, 3, 50, 71)


def test_levels_have_the_library_s_strides_and_level_1_has_no_channels():
    found = build_encoder(swin())(torch.zeros(1, 3, 96, 64))
    assert [f.shape[1] for f in found] == [3, 0, *WIDTHS]
    assert [tuple(f.shape[2:]) for f in found[2:]] == [(24, 16), (12, 8), (6, 4), (3, 2)]


def test_at_its_own_size_it_is_the_one_that_takes_no_other():
    own, x = build_encoder(swin()).eval(), torch.randn(1, 3, 224, 224)
    strict = timm.create_model(NAME, features_only=True).eval()
    strict.load_state_dict({name.removeprefix("model."): t for name, t in own.state_dict().items()})
    for level, wanted in zip(own(x)[2:], strict(x), strict=True):
        torch.testing.assert_close(level, wanted.permute(0, 3, 1, 2))
    with pytest.raises(AssertionError, match="doesn't match model"):
        strict(torch.randn(1, 3, 64, 96))
    assert any_size("tu-swinv2_tiny_window8_256") and not any_size("tu-resnet18") and not any_size("small")


@pytest.mark.parametrize("name", [NAME, "resnet10t"])
def test_weights_of_a_file_have_timm_s_names_or_the_encoder_s(name, tmp_path, monkeypatch):
    whole = timm.create_model(name)  # with its head and its last norm, which an encoder has not
    wanted = build_encoder(encoder(f"tu-{name}", 32))
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    x, params = torch.randn(1, 3, 224, 224), encoder(f"tu-{name}", 32)

    def of_file(state):
        save_file(state, tmp_path / "w.safetensors")
        digest = hashlib.sha256((tmp_path / "w.safetensors").read_bytes()).hexdigest()
        weights = {"source": "file", "name": "w.safetensors", "sha256": digest}
        own = params.model_copy(update={"weights": params.weights.model_copy(update=weights)})
        return build_encoder(own).eval()

    last = whole.eval().forward_intermediates(x, intermediates_only=True)[-1]
    torch.testing.assert_close(of_file(whole.state_dict())(x)[-1], last)
    again = of_file(wanted.state_dict()).state_dict()
    assert all(torch.equal(tensor, again[key]) for key, tensor in wanted.state_dict().items())
    with pytest.raises(ValueError, match="do not fit the encoder TimmUniversalEncoder"):
        of_file({"layers.0.blocks.0.norm1.weight": torch.ones(8)})


REFUSED = [
    ("unetplusplus", 32, "network unetplusplus needs encoder.name any but mit_b*, tu-swin*, found tu-swin_"),
    (
        "deeplabv3plus",
        8,
        "encoder tu-swin_tiny_patch4_window7_224 has output_stride 32: it cannot be",
    ),
    ("deeplabv3plus", 32, "network deeplabv3plus needs encoder.output_stride 8 or 16"),
    ("segnet", 32, "network segnet needs encoder.name small_pool or vgg??_bn"),
]


@pytest.mark.parametrize(("network", "stride", "says"), REFUSED)
def test_what_does_not_fit_is_one_line(network, stride, says, section):  # noqa: F811
    name = "tu-swin_tiny_patch4_window7_224"
    with pytest.raises(ValueError) as error:
        check(Segmenter, chosen(section, network, encoder__name=name, encoder__output_stride=stride), "x")
    assert says in str(error.value) and len(str(error.value).splitlines()) == 2


def params() -> Segmenter:
    own = {**scenes.params().encoder.model_dump(), "name": f"tu-{NAME}"}
    return scenes.params(network="upernet", options={"decoder_channels": 8}, encoder=own)


def test_two_steps_are_the_same_bytes_and_a_killed_training_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_DEVICE", "cpu")

    def trained(key, samples):
        torch.manual_seed(0)
        learning = strategy(params(), 3)
        before = {name: t.clone() for name, t in learning.networks[MAIN].state_dict().items()}
        history = fit("segmenter", learning, samples, params(), key)
        return before, learning.networks[MAIN], [row["loss"] for row in history]

    before, network, losses = trained("whole", Noise())
    with pytest.raises(KeyboardInterrupt):
        trained("killed", Noise(stop_at=6))
    _, again, same = trained("killed", Noise())
    state, other = network.state_dict(), again.state_dict()
    assert losses == same and np.isfinite(losses).all()
    assert all(torch.equal(state[name], other[name]) for name in state)
    assert not [name for name, tensor in state.items() if torch.equal(tensor, before[name])]
    config = saved_config(params(), ("background", "cat", "dog"))
    assert config["options"] == settled("upernet", params().encoder, {"decoder_channels": 8})
    rebuilt = rebuild_segmenter(config).eval()
    rebuilt.load_state_dict(state)
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(x), network(x))


@pytest.mark.storm  # the exporter takes a quarter of a minute
def test_it_goes_to_onnx_for_one_size():
    network = build_segmenter("fpn", swin(), 3, {"decoder_pyramid_channels": 8})
    model = export.Whole(network, [0.4, 0.5, 0.6], [0.2, 0.2, 0.2]).eval().requires_grad_(False)
    content = export.exported(model, {}, (40, 64))
    found = export.compare(model, content, [torch.rand(1, 3, 40, 64), torch.rand(2, 3, 40, 64)])
    assert found.pixels == 3 * 40 * 64 and not found.different and found.largest < 1e-4
