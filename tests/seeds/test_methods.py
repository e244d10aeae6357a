"""CAM, Grad-CAM and VGatt on tiny seeded networks."""

import pytest
import torch
from torch import nn

from stages.classifier.network import ClassifierNet
from stages.seeds import cam, grad_cam, vgatt
from stages.seeds.multi_scale import normalise


class TinyEncoder(nn.Sequential):
    """Convolutions with biases, ReLU, batch norm, max and average pooling: piece-wise affine."""

    out_channels = (3, 8, 8, 8, 8, 8)

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.ReLU6(),
            nn.AvgPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [super().forward(x)]


LAYERS = [f"encoder.{n}" for n in range(9)]
CLASSES = torch.tensor([[0, 3], [2, 2]])


@pytest.fixture
def model() -> ClassifierNet:
    torch.manual_seed(0)
    net = ClassifierNet(TinyEncoder(), 4)
    nn.init.normal_(net.head.weight)  # it starts at 0, where every formula gives 0
    net.encoder[1].running_mean.uniform_(-0.5, 0.5)  # a batch norm that does something
    net.encoder[1].running_var.uniform_(0.5, 2)
    return net.double().eval()


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randn(2, 3, 24, 32, generator=torch.Generator().manual_seed(1)).double()


def test_score_is_mean_of_cam(model, pictures):
    maps = cam.attribution(model, pictures, CLASSES, "last")
    scores = model(pictures)
    assert scores.abs().min() > 0
    torch.testing.assert_close(maps.mean((2, 3)), scores.gather(1, CLASSES))


def test_grad_cam_before_the_head_is_cam(model, pictures):
    """By the backward pass at the encoder's last module, not by the shortcut of layer: last."""
    wanted = cam.attribution(model, pictures, CLASSES, "last")
    found = grad_cam.attribution(model, pictures, CLASSES, "encoder.8")
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(grad_cam.attribution(model, pictures, CLASSES, "last"), wanted)


@pytest.mark.parametrize("layer", ["encoder.8", "encoder.5", "encoder.2"])
def test_grad_cam_equals_the_library(model, pictures, layer):
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    target = model.get_submodule(layer)
    for inplace in (m for m in model.modules() if isinstance(m, nn.ReLU)):
        inplace.inplace = False
    found = grad_cam.attribution(model, pictures, CLASSES, layer).relu()
    with GradCAM(model=model.float(), target_layers=[target]) as library:
        for k in range(2):
            targets = [ClassifierOutputTarget(int(c)) for c in CLASSES[:, k]]
            wanted = library(input_tensor=pictures.float(), targets=targets)
            mine = nn.functional.interpolate(
                minmax(found[:, k]).float()[:, None], pictures.shape[2:], mode="bilinear"
            )[:, 0]
            # the library scales to 0..1 before and after its resize; both have a zero here
            mine, theirs = minmax(mine), torch.from_numpy(wanted)
            assert (mine - theirs).abs().max() < 0.02


@pytest.mark.parametrize("method", [grad_cam, vgatt])
def test_one_picture_and_one_class_have_one_map_without_a_graph(model, pictures, method):
    for layer, grid in (("encoder.2", (24, 32)), ("last", (6, 8))):
        maps = method.attribution(model, pictures[:1], CLASSES[:1, :1], layer)
        assert maps.shape == (1, 1, *grid) and not maps.requires_grad and maps.abs().max() > 0


def minmax(maps: torch.Tensor) -> torch.Tensor:
    maps = maps - maps.amin((-2, -1), keepdim=True)
    return maps / maps.amax((-2, -1), keepdim=True).clamp_min(1e-7)


@pytest.mark.parametrize("layer", [*LAYERS, "last"])
def test_vgatt_contributions_and_bias_equal_the_score(model, pictures, layer):
    """CHEN Eq. 4.8: the bias worked out independently, as the score of a zero input of the affine
    function, whose weights are the Jacobian of the network above the layer."""
    maps = vgatt.attribution(model, pictures, CLASSES, layer)
    bias = vgatt.bias(model, pictures, CLASSES, layer)
    scores = model(pictures).gather(1, CLASSES)
    torch.testing.assert_close(maps.mean((2, 3)) + bias, scores, rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(bias, affine_bias(model, pictures, layer), rtol=1e-4, atol=1e-7)


def affine_bias(model: ClassifierNet, pictures: torch.Tensor, layer: str) -> torch.Tensor:
    """f(x) - (d/da) f(a x) at a = 1: the directional derivative along x is W x for an affine f."""
    if layer == "last":
        return torch.zeros(2, 2).double()  # the head has no bias
    index = int(layer.split(".")[1])
    modules = list(model.encoder)
    below, above = nn.Sequential(*modules[: index + 1]), nn.Sequential(*modules[index + 1 :])
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    with torch.no_grad():
        values = below(pictures)

        def score(scale):
            return model.pool(above(values * scale)).gather(1, CLASSES)

        step = 1e-6
        slope = (score(1 + step) - score(1 - step)) / (2 * step)
        return score(1.0) - slope


def test_vgatt_at_the_last_layer_is_cam(model, pictures):
    wanted = normalise(cam.attribution(model, pictures, CLASSES, "last").relu(), "max")
    for layer in ("last", "encoder.8"):
        found = normalise(vgatt.attribution(model, pictures, CLASSES, layer).relu(), "max")
        torch.testing.assert_close(found, wanted)


def test_pictures_of_a_batch_do_not_touch_each_other(model, pictures):
    for method in (grad_cam, vgatt):
        both = method.attribution(model, pictures, CLASSES, "encoder.2")
        alone = method.attribution(model, pictures[:1], CLASSES[:1], "encoder.2")
        torch.testing.assert_close(both[:1], alone)


def test_unknown_layer_names_the_nearest(model, pictures):
    with pytest.raises(ValueError, match=r"no layer 'encodr\.5'; did you mean encoder\.5"):
        vgatt.attribution(model, pictures, CLASSES, "encodr.5")
