"""Maps of a classifier on a plain vision transformer: CAM is exact, and where others are not, they say so."""

import pytest
import timm
import torch

from stages.classifier.network import ClassifierNet
from stages.common.networks.plain_vit import PlainVit
from stages.seeds import cam, cuts, grad_cam, vgatt
from stages.seeds.grid import Grid, grids
from tests.seeds.tiny import pictures

CLASSES = torch.tensor([[0, 3], [2, 1]])
TOKENS = {"with": {}, "without": {"class_token": False, "global_pool": ""}}


def vit(token: str = "with") -> ClassifierNet:
    """Tiny, on patches of 8 pixels, with weights that are not the initial ones."""
    torch.manual_seed(0)
    size = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 4, "num_heads": 2}
    name = "vit_tiny_patch16_224"
    model = timm.create_model(name, num_classes=0, dynamic_img_size=True, **size, **TOKENS[token])
    net = ClassifierNet(PlainVit(model), 4)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net.double().eval().requires_grad_(False)


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize("token", TOKENS)
def test_the_mean_of_cam_is_the_score(token, side):
    """Also where the picture ends in its last patches; grad_cam and vgatt are the same there."""
    net, x = vit(token), pictures(side)
    maps = cam.attribution(net, x, CLASSES, "last")
    cells = -(-side // 8)
    assert maps.shape == (2, 2, cells, cells) and maps.std() > 0.1
    torch.testing.assert_close(maps.mean((2, 3)), net(x).gather(1, CLASSES), rtol=1e-12, atol=1e-12)
    for method in (grad_cam, vgatt):
        assert torch.equal(method.attribution(net, x, CLASSES, "last"), maps)
    assert vgatt.remark(net, x, CLASSES, "last") == ""


@pytest.mark.parametrize("layer", ["last", "encoder.levels.1"])
def test_cells_are_the_patches(layer):
    assert grids(vit("without"), layer) == (Grid(8, 3.5), Grid(8, 3.5))


def test_pixels_of_a_patch_move_its_own_cell_most():
    """So the grid is right: with nothing but the patches' own values, no other cell moves at all."""
    net, x = vit("without"), pictures(32)
    for block in net.encoder.model.blocks:
        block.attn.proj.weight.zero_()  # no token looks at another
    other = x.clone()
    other[:, :, 8:16, 16:24] += 1
    moved = (net.features(other) - net.features(x)).abs().sum(1) > 0
    wanted = torch.zeros(4, 4, dtype=torch.bool)
    wanted[1, 2] = True
    assert torch.equal(moved, wanted.expand(2, 4, 4))


def test_a_level_is_a_cut_where_no_other_token_passes_it_by():
    x = pictures(32)
    for layer in ("encoder.levels.0", "encoder.levels.2", "encoder.levels.3"):
        cuts.require_cut(vit("without"), layer, x)
    with pytest.raises(ValueError, match=r"levels.2: a skip passes it by, .* take last"):
        cuts.require_cut(vit("with"), "encoder.levels.2", x)
    cuts.require_cut(vit("with"), "encoder.levels.3", x)


def test_the_last_level_is_the_last_layer():
    net, x = vit(), pictures(32)
    for method in (grad_cam, vgatt):
        found = method.attribution(net, x, CLASSES, "encoder.levels.3")
        torch.testing.assert_close(found, cam.attribution(net, x, CLASSES, "last"), rtol=1e-9, atol=1e-10)


def test_vgatt_says_where_contributions_are_no_shares_of_the_score():
    """Attention, norms and GELU are not piece-wise affine."""
    net, x = vit("without"), pictures(32)
    for layer in ("input", "encoder.levels.1"):
        said = vgatt.remark(net, x, CLASSES, layer)
        assert said.startswith(f"seeds: the network is not piece-wise affine above {layer}: vgatt's")
    assert vgatt.remark(net, x, CLASSES, "encoder.levels.3") == ""


def test_tokens_are_no_feature_map():
    with pytest.raises(ValueError, match=r"its output is no feature map but tokens: take last"):
        cuts.require_cut(vit(), "encoder.model.blocks.1", pictures(32))
