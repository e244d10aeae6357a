import hashlib

import pytest
import torch
from safetensors.torch import save_file

from stages.common.networks.encoders import build_encoder, read_weights
from stages.common.training.params import Encoder


def params(encoder: str, stride: int, **weights: str) -> Encoder:
    return Encoder(
        name=encoder, output_stride=stride, mean=[0.0] * 3, std=[1.0] * 3, freeze=[], batch_norm="train",
        weights={"source": "none", "name": "", "sha256": "", **weights},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "stride"),
    [("small", 8), ("small", 16), ("small", 32), ("resnet18", 8), ("resnet50", 16), ("mobilenet_v2", 8),
     ("mobilenet_v2", 16), ("vgg19_chen", 8), ("vgg16_deeplab", 8), ("small_pool", 32), ("tu-resnet18", 16)],
)  # fmt: skip
def test_last_level_has_the_output_stride(name, stride):
    encoder = build_encoder(params(name, stride)).eval()
    with torch.inference_mode():
        features = encoder(torch.zeros(1, 3, 64, 96))
    assert features[-1].shape[2:] == (64 // stride, 96 // stride)
    assert [f.shape[1] for f in features[1:]] == list(encoder.out_channels[1:])


def test_dilation_computes_what_the_strided_network_computes():
    """At every second place, before the border matters, stride 16 equals stride 32: the property
    that makes pretrained weights fit a dilated network."""
    torch.manual_seed(0)
    strided = build_encoder(params("resnet18", 32)).eval()
    dilated = build_encoder(params("resnet18", 16)).eval()
    dilated.load_state_dict(strided.state_dict())
    x = torch.randn(1, 3, 193, 193)
    with torch.inference_mode():
        wanted, found = strided(x)[-1], dilated(x)[-1][..., ::2, ::2]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_vgg_16_of_deeplab_sees_what_vgg_16_would_see_without_its_last_strides():
    """Levels 1 to 3 are the library's; at every second place is what a stride of pooling 4 would leave."""
    torch.manual_seed(0)
    plain, ours = build_encoder(params("vgg16", 32)).eval(), build_encoder(params("vgg16_deeplab", 8)).eval()
    ours.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        found, wanted = ours(x), plain(x)
        for level, index in ((1, 4), (2, 9), (3, 16)):
            torch.testing.assert_close(found[level], plain.features[: index + 1](x))
        pooled = torch.nn.functional.max_pool2d(plain.features[:23](x), 3, 1, 1)
        torch.testing.assert_close(found[4], pooled)
        strided = plain.features[24:30](pooled[..., ::2, ::2])
        torch.testing.assert_close(ours.features[:30](x)[..., ::2, ::2], strided)
    assert [f.shape[2] for f in found] == [96, 48, 24, 12, 12, 12] and wanted[-1].shape[2] == 3


def test_small_pool_is_small_with_poolings():
    pool, small = (build_encoder(params(name, 32)) for name in ("small_pool", "small"))
    sizes = [[p.shape for p in encoder.parameters()] for encoder in (pool, small)]
    assert sizes[0] == sizes[1]
    assert sum(isinstance(layer, torch.nn.MaxPool2d) for layer in pool.features) == 5


def test_an_encoder_that_is_not_dilated_says_so():
    for name in ("small_pool", "vgg16_bn", "densenet121"):
        with pytest.raises(ValueError, match=f"encoder {name} has output_stride 32: it cannot be dilated"):
            params(name, 8)


def test_unknown_name_and_impossible_stride_are_errors():
    with pytest.raises(ValueError, match=r"'resnet19' is unknown; did you mean resnet1"):
        build_encoder(params("resnet19", 16))
    with pytest.raises(ValueError, match="vgg19_chen has output_stride 8"):
        build_encoder(params("vgg19_chen", 16))


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_of_a_file_are_checked_and_loaded(tmp_path, monkeypatch, suffix):
    torch.manual_seed(1)
    state = build_encoder(params("small", 8)).state_dict()
    state = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    state["fc.weight"] = torch.zeros(3)  # a head that the encoder does not have
    path = tmp_path / f"w.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    encoder = build_encoder(params("small", 8, source="file", name=path.name, sha256=digest))
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, state[name].to(tensor.dtype))
    with pytest.raises(ValueError, match=f"sha256 is {digest}, params.yaml says {'0' * 64}"):
        read_weights(path.name, "0" * 64)
    with pytest.raises(ValueError, match="do not fit the encoder"):
        build_encoder(params("resnet18", 8, source="file", name=path.name, sha256=digest))


def below(prefix, state):
    return {f"{prefix}.{name}": tensor for name, tensor in state.items()}


NESTS = {
    "lightning": lambda state: {"state_dict": below("model.encoder", state), "epoch": 3},
    "ddp": lambda state: {"model": below("module", state), "optimizer": {}},
    "deep": lambda state: {"epoch": 1, "network": {"state_dict": below("backbone", state)}},
}


@pytest.mark.parametrize("nest", NESTS)
def test_a_checkpoint_of_a_trainer_is_opened(tmp_path, monkeypatch, nest):
    torch.manual_seed(1)
    state = build_encoder(params("small", 8)).state_dict()
    encoder = build_encoder(params("small", 8, **stored(tmp_path, monkeypatch, NESTS[nest](state))))
    assert all(torch.equal(tensor, state[name]) for name, tensor in encoder.state_dict().items())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {"conv1.weight": torch.zeros(2)}, "epoch": 3}, "do not fit.*missing, e.g. levels"),
        ({"epoch": 3}, "no state dict. Looked for are .*state_dict.*model"),
        ([torch.zeros(2)], "no state dict"),
        ({"state_dict": [1]}, "no state dict"),
    ],
)
def test_what_is_no_state_dict_is_one_message(tmp_path, monkeypatch, content, message):
    with pytest.raises(ValueError, match=message):
        build_encoder(params("small", 8, **stored(tmp_path, monkeypatch, content)))


def test_weights_that_are_not_finite_are_refused(tmp_path, monkeypatch):
    state = build_encoder(params("small", 8)).state_dict()
    name = next(iter(state))
    with pytest.raises(ValueError, match=f"{name} is not finite"):
        bad = {**state, name: state[name] * float("nan")}
        build_encoder(params("small", 8, **stored(tmp_path, monkeypatch, bad)))


def stored(folder, monkeypatch, content):
    """A file of weights, its sha256 in capitals, as some programs print it."""
    torch.save(content, folder / "w.pth")
    monkeypatch.setenv("WSSS_WEIGHTS", str(folder))
    digest = hashlib.sha256((folder / "w.pth").read_bytes()).hexdigest().upper()
    return {"source": "file", "name": "w.pth", "sha256": digest}


def test_pickled_code_in_a_weights_file_is_not_run(tmp_path, monkeypatch):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"a": Evil()}, tmp_path / "w.pth")
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    digest = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=r"w.pth.*no state dict"):
        read_weights("w.pth", digest)
    assert not (tmp_path / "ran").exists()


def test_missing_weights_name_the_variable(monkeypatch):
    monkeypatch.delenv("WSSS_WEIGHTS", raising=False)
    with pytest.raises(ValueError, match="WSSS_WEIGHTS"):
        read_weights("w.pth", "0" * 64)


@pytest.mark.parametrize("name", ["tu-hf-hub:a/b", "tu-hf_hub:a", "tu-local-dir:a", "tu-a/b"])
def test_an_encoder_of_a_hub_or_a_folder_is_pinned_by_nothing(name):
    with pytest.raises(ValueError, match="comes from a hub or a folder, which nothing pins: take a name"):
        params(name, 16)
