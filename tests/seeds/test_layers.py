"""The layer that is asked for, its values as a leaf of the graph, and layers that have no map."""

import pytest
import torch
from torch import nn

from stages.classifier.network import ClassifierNet
from stages.seeds.layers import find_layer, gradients, stored, values_and_scores


class Encoder(nn.Module):
    """One convolution between modules that a map cannot be made of."""

    out_channels = (3, 4)

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.twice, self.flat = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten()
        self.unused = nn.ReLU()

    def forward(self, x):
        self.flat(x)
        return [self.twice(self.twice(self.conv(x)))]


@pytest.fixture
def model() -> ClassifierNet:
    torch.manual_seed(0)
    net = ClassifierNet(Encoder(), 3)
    nn.init.normal_(net.head.weight)
    return net.eval()


PICTURES = torch.randn(1, 3, 6, 5, generator=torch.Generator().manual_seed(1))


def test_a_layer_is_found_by_its_path(model):
    assert find_layer(model, "encoder.conv") is model.encoder.conv


def test_three_near_names_or_the_first_five_are_named(model):
    levels = nn.ModuleDict({f"layer{n}": nn.ReLU() for n in range(6)})
    with pytest.raises(ValueError, match=r"no layer 'layer7'; did you mean layer\d, layer\d, layer\d\?$"):
        find_layer(levels, "layer7")
    first = "encoder, encoder.conv, encoder.twice, encoder.flat, encoder.unused"
    with pytest.raises(ValueError, match=f"top level: {first}$"):
        find_layer(model, "xyz")
    with pytest.raises(ValueError, match="no layer ''"):  # the network itself is none
        find_layer(model, "")


def test_the_caller_s_pictures_stay_without_a_graph(model):
    pictures = PICTURES.clone()
    values, _ = values_and_scores(model, pictures, "input")
    assert values.requires_grad and not pictures.requires_grad


def test_maps_at_the_pixels_leave_as_averages_of_cells_cut_ones_too(model):
    model.encoder.output_stride = 4
    maps = torch.arange(30.0).view(1, 1, 6, 5)
    wanted = [[maps[..., :4, :4].mean(), maps[..., :4, 4].mean()], [maps[..., 4:, :4].mean(), 26.5]]
    torch.testing.assert_close(stored(model, maps, "input")[0, 0], torch.tensor(wanted))
    assert stored(model, maps, "last") is maps


@pytest.mark.parametrize("layer", ["encoder.conv", "last"])
def test_values_are_leaves_from_which_the_scores_follow(model, layer):
    values, scores = values_and_scores(model, PICTURES, layer)
    assert values.is_leaf and values.requires_grad and values.shape == (1, 4, 6, 5)
    torch.testing.assert_close(scores, model(PICTURES))
    assert scores.abs().min() > 0
    wanted = model.encoder.conv(PICTURES)
    torch.testing.assert_close(values, wanted if layer != "last" else wanted.relu())


@pytest.mark.parametrize(
    ("layer", "words"),
    [("encoder", "its output is no feature map"), ("encoder.flat", "its output is no feature map"),
     ("encoder.twice", "runs 2 times"), ("encoder.unused", "runs 0 times")],
)  # fmt: skip
def test_a_layer_without_one_map_is_refused_and_left_without_a_hook(model, layer, words):
    with pytest.raises(ValueError, match=f"seeds.layer {layer}: {words}"):
        values_and_scores(model, PICTURES, layer)
    assert not find_layer(model, layer)._forward_hooks
    torch.testing.assert_close(model(PICTURES), model.pool(model.features(PICTURES)))


def test_gradients_are_those_of_the_kth_class_of_each_picture():
    """By hand: scores 2 x and 3 x^2 of x = 1 and 5."""
    values = torch.tensor([1.0, 5.0]).reshape(2, 1, 1, 1).requires_grad_()
    x = values.flatten(1)
    scores = torch.cat([2 * x, 3 * x**2], 1)
    found = [g.flatten().tolist() for g in gradients(values, scores, torch.tensor([[0, 1], [1, 0]]))]
    assert found == [[2, 30], [6, 2]]
