"""Seeds from texts against autograd through open_clip's own forward pass, class by class."""

import pytest
import torch
from torch.nn import functional as F

from stages.classifier import clip
from stages.common.params import Empty
from stages.seeds import clip_text
from stages.seeds.grid import Grid, grids
from tests.classifier import tiny_clip


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    tiny_clip.install(tmp_path_factory.mktemp("clip"))
    model = tiny_clip.model()
    torch.manual_seed(1)
    texts, ground = (F.normalize(torch.randn(n, 12), dim=1) for n in (4, 3))
    return clip.ClipNet(model.visual, texts, ground, 20.0).eval()


def by_hooks(net, picture, own):
    """Grad-CAM of each class of `own` [K, h, w], by a hook on the last block's first norm."""
    caught = []
    norm = net.encoder.tower.transformer.resblocks[-1].ln_1
    handle = norm.register_forward_hook(lambda module, args, out: caught.append(out.requires_grad_()))
    vector = F.normalize(net.encoder.tower(picture[None]), dim=1)[0]
    handle.remove()
    texts = torch.cat([net.head.weight.flatten(1)[own], net.ground])
    shares = (20 * texts @ vector).softmax(0)
    maps = []
    for k in range(len(own)):
        gradient = torch.autograd.grad(shares[k], caught[0], retain_graph=True)[0][0, 1:]
        maps.append((caught[0][0, 1:] @ gradient.mean(0)).reshape(4, 4))
    return torch.stack(maps).detach()


def test_maps_are_grad_cam_of_the_softmax_and_pictures_do_not_touch(net):
    pictures = torch.randn(2, 3, 32, 32)
    classes = torch.tensor([[1, 3, 0], [2, 2, 2]])  # the second has one class, repeated
    found = clip_text.attribution(net, pictures, classes, "last", Empty())
    assert found.shape == (2, 3, 4, 4)
    torch.testing.assert_close(found[0], by_hooks(net, pictures[0], [1, 3, 0]))
    torch.testing.assert_close(found[1, 0], by_hooks(net, pictures[1], [2])[0])


def test_a_repeated_class_counts_once():
    scores, ground = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([[0.0, 1.5]])
    once = clip_text.probabilities(scores, ground, torch.tensor([[1]]))
    found = clip_text.probabilities(scores, ground, torch.tensor([[1, 1, 1]]))
    wanted = torch.tensor([2.0, 0.0, 1.5]).softmax(0)[0]
    torch.testing.assert_close(once, wanted.reshape(1, 1))
    torch.testing.assert_close(found[:, :1], once)


def test_the_cells_are_the_patches(net):
    assert grids(net, "last") == (Grid(8, 3.5), Grid(8, 3.5))
