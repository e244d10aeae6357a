"""Plain vision transformers against timm's own passes, and by hand where timm has none."""

import hashlib

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer

from stages.common.networks import plain_vit
from stages.common.networks.encoders import build_encoder
from stages.common.networks.plain_vit import PlainVit
from stages.common.training.params import PLAIN_VIT
from tests.common.networks.test_encoders import params

SIZE = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2}
KINDS = {  # a class token; two; registers and normed keys; a norm behind the pooling
    "class": ("vit_tiny_patch16_224", {}),
    "distilled": ("deit_tiny_distilled_patch16_224", {}),
    "registers": ("vit_tiny_patch16_224", {"reg_tokens": 2, "no_embed_class": True, "qk_norm": True}),
    "pooled": ("vit_tiny_patch16_224", {"global_pool": "avg", "class_token": False}),
}


def tiny(kind: str, **changes: object) -> PlainVit:
    """A network of that kind with random weights, none of them at its initial value."""
    torch.manual_seed(0)
    name, options = KINDS[kind]
    model = timm.create_model(name, num_classes=0, **({"dynamic_img_size": True} | SIZE | options | changes))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return PlainVit(model).double().eval().requires_grad_(False)


def pictures(height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("kind", KINDS)
def test_the_maps_are_the_patch_tokens_that_timm_has_after_each_part(kind):
    """Of three blocks the quarters end after the first, the second, the third and the third."""
    net, x = tiny(kind, depth=3), pictures(24, 40)
    picture, *found = net(x)
    wanted = net.model.forward_intermediates(x, [0, 1, 2, 2], intermediates_only=True)
    torch.testing.assert_close(found[:3], wanted, rtol=1e-12, atol=1e-12)
    last = net.model.fc_norm(net.model.forward_features(x))[:, net.model.num_prefix_tokens :]
    torch.testing.assert_close(found[3].flatten(2).transpose(1, 2), last, rtol=1e-12, atol=1e-12)
    assert picture is x and (found[3] - found[2]).abs().max() > 0.1
    assert list(net.out_channels) == [3, 24, 24, 24, 24] and net.output_stride == 8


def test_at_the_native_size_the_positions_stay_as_they_are():
    """To the bit what timm's network of that one size gives."""
    net, x = tiny("class"), pictures()
    fixed = timm.create_model(KINDS["class"][0], num_classes=0, **SIZE).double().eval()
    fixed.load_state_dict(net.model.state_dict())
    assert torch.equal(net.embedded(x)[0], fixed._pos_embed(fixed.patch_embed(x)))
    torch.testing.assert_close(
        net(x)[-1].flatten(2).transpose(1, 2), fixed.forward_features(x)[:, 1:], rtol=1e-12, atol=1e-12
    )


def test_positions_that_rise_evenly_rise_evenly_on_a_larger_grid():
    """Of 4 columns 0 to 3 become 12: column i lies at (i + 0.5) / 3 - 0.5; cubic kernels keep a line."""
    net = tiny("class")
    columns = torch.arange(4.0).repeat(4)
    net.model.pos_embed.data[0, 1:] = columns[:, None].double()
    x = torch.zeros(1, 3, 64, 96).double()
    with_positions, cells = net.embedded(x)
    found = (with_positions - net.model.patch_embed.proj.bias)[0, 1:, 0].reshape(8, 12)
    wanted = (torch.arange(12.0).double() + 0.5) / 3 - 0.5
    assert cells == (8, 12)
    torch.testing.assert_close(found[:, 5:7], wanted[5:7].expand(8, 2), rtol=1e-6, atol=1e-6)
    class_token = net.model.cls_token + net.model.pos_embed[:, :1]
    torch.testing.assert_close(with_positions[:, :1], class_token)  # which has no place


def test_a_picture_that_ends_in_a_patch_is_filled_with_the_mean_colour():
    net, x = tiny("class"), pictures(30, 41)
    filled = torch.zeros(2, 3, 32, 48).double()
    filled[:, :, :30, :41] = x
    assert torch.equal(net(x)[-1], net(filled)[-1]) and net(x)[-1].shape == (2, 24, 4, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_attention_is_that_of_timm_s_plain_path(kind):
    """What timm hands to its dropout where its kernel is not fused."""
    net, x = tiny(kind), pictures(24, 32)
    caught = []
    for block in net.model.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda m, given, out: caught.append(given[0]))
    net.model(x)
    others = net.model.num_prefix_tokens
    mean = (caught[1].mean(1) + caught[2].mean(1))[:, others:, others:] / 2
    found, cells = net.attention(x, 2)
    torch.testing.assert_close(found, mean / mean.sum(2, keepdim=True), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.sum(2), torch.ones(2, 12).double(), rtol=1e-12, atol=1e-12)
    assert cells == (3, 4) and found.shape == (2, 12, 12) and found.std() > 1e-3


def test_attention_of_more_blocks_than_there_are_is_refused():
    with pytest.raises(ValueError, match=r"affinity\.attention\.blocks: 4, but the encoder has 3"):
        tiny("class").attention(pictures(), 4)


def test_which_names_are_plain_is_known_before_anything_is_built():
    """Of each network of timm whose name begins so: its classes say the same, and its patches too."""
    names = [name for name in timm.list_models() if name.startswith(("vit_", "deit"))]
    left = ("_mci_", "_radio_")  # plain blocks, but with steps before or positions of their own
    for name in names:
        match = PLAIN_VIT.fullmatch(f"tu-{name}")
        if any(part in name for part in left):
            assert not match, name
            continue
        with torch.device("meta"):
            model = timm.create_model(name, num_classes=0, depth=1) if alike(name) else None
        plain = isinstance(model, VisionTransformer) and not plain_vit.unlike(model)
        assert bool(match) == plain, name
        assert not match or model.patch_embed.patch_size == (int(match[1]),) * 2, name
    assert sum(bool(PLAIN_VIT.fullmatch(f"tu-{name}")) for name in names) > 100


def alike(name: str) -> bool:
    """Whether timm makes it by the class of plain ones, or of their distilled ones."""
    module = timm.models.model_entrypoint(name).__module__
    return module in ("timm.models.vision_transformer", "timm.models.deit")


@pytest.mark.parametrize(
    ("name", "stride", "says"),
    [
        ("tu-vit_small_r26_s32_224", 32, "tu-vit_small_r26_s32_224 is no plain vision transformer"),
        ("tu-vit_relpos_base_patch16_224", 16, "is no plain vision transformer"),
        ("tu-vit_base_patch16_rope_224", 16, "is no plain vision transformer"),
        (
            "tu-vit_tiny_patch16_224",
            8,
            "_224 has output_stride 16, the side of its patches",
        ),
        ("tu-vit_small_patch14_dinov2", 16, "has output_stride 14, the side of its patches"),
        ("small_vit", 16, "small_vit has output_stride 8"),
        ("small", 14, "encoder small has output_stride 8, 16 or 32"),
    ],
)
def test_what_is_no_plain_transformer_or_of_another_stride_is_refused(name, stride, says):
    with pytest.raises(ValueError, match=says):
        params(name, stride)


def test_patches_of_14_pixels_are_for_transformers_alone():
    assert params("tu-vit_small_patch14_reg4_dinov2", 14).patch() == 14
    assert params("clip-ViT-L-14", 14).patch() == 0  # of open_clip, which looks at its patches itself


def test_blocks_of_another_kind_are_found_where_a_name_did_not_tell():
    model = timm.create_model("vit_base_patch16_rpn_224", num_classes=0, **SIZE)
    assert plain_vit.unlike(model) == "it has ResPostBlock"
    hybrid = timm.create_model("vit_tiny_r_s16_p8_224", num_classes=0, depth=1)
    assert plain_vit.unlike(hybrid) == "it has HybridEmbed"


def test_a_file_of_timm_is_loaded_without_its_head(tmp_path, monkeypatch):
    torch.manual_seed(1)
    model = timm.create_model("deit_tiny_patch16_224", num_classes=5)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    encoder = build_encoder(params("tu-deit_tiny_patch16_224", 16, **stored(tmp_path, monkeypatch)))
    for name, tensor in encoder.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name
    with pytest.raises(ValueError, match=r"do not fit the encoder .*model.pos_embed \[1, 197, 192\]"):
        build_encoder(params("tu-vit_tiny_patch16_384", 16, **stored(tmp_path, monkeypatch)))


def test_the_teacher_of_a_checkpoint_of_dino_is_loaded(tmp_path, monkeypatch):
    torch.manual_seed(1)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    teacher = {f"backbone.{name}": tensor for name, tensor in model.state_dict().items()}
    other = {name: tensor + 1 for name, tensor in teacher.items()}
    torch.save({"student": other, "teacher": teacher, "epoch": 3}, tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").rename(tmp_path / "w.pth")
    encoder = build_encoder(params("tu-vit_tiny_patch16_224", 16, **stored(tmp_path, monkeypatch, "w.pth")))
    assert torch.equal(encoder.model.blocks[3].attn.qkv.weight, model.blocks[3].attn.qkv.weight)


def stored(folder, monkeypatch, name="w.safetensors"):
    monkeypatch.setenv("WSSS_WEIGHTS", str(folder))
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return {"source": "file", "name": name, "sha256": digest}


@pytest.mark.parametrize("name", ["small_vit", "tu-deit3_small_patch16_224"])
def test_networks_are_built_by_their_names_for_any_size(name):
    stride = 8 if name == "small_vit" else 16
    net = build_encoder(params(name, stride)).eval()
    with torch.inference_mode():
        found = net(torch.zeros(1, 3, 4 * stride + 1, 2 * stride))
    width = 96 if name == "small_vit" else 384
    assert [tuple(level.shape) for level in found[1:]] == [(1, width, 5, 2)] * 4
    assert net.others == (0 if name == "small_vit" else 1)
    assert len(net.model.blocks) == (4 if name == "small_vit" else 12)


def test_the_demo_s_has_no_weights_in_the_library():
    with pytest.raises(ValueError, match="encoder small_vit, output stride 8: the library has no weights"):
        build_encoder(params("small_vit", 8, source="library", name="imagenet"))
