import pytest
import torch
from torch.nn import functional as F

from stages.predictions.inference import probabilities


def test_flip_and_scales_are_averaged_probabilities():
    pictures = torch.rand(1, 1, 4, 6, generator=torch.Generator().manual_seed(0))

    def scores(x):  # depends on the column, so that a flip matters
        column = torch.arange(x.shape[3]).expand(1, 1, *x.shape[2:]) / x.shape[3]
        return torch.cat([x + column, -x], 1)

    plain = scores(pictures).softmax(1)
    mirrored = scores(pictures.flip(3)).softmax(1).flip(3)
    found = probabilities(scores, pictures, [1.0], flip=True, fuse="mean")
    torch.testing.assert_close(found, (plain + mirrored) / 2)
    torch.testing.assert_close(probabilities(scores, pictures, [1.0], flip=False, fuse="mean"), plain)
    many = probabilities(scores, pictures, [0.5, 1.0, 2.0], flip=True, fuse="mean")
    wanted = (plain + mirrored) / 2
    for size in ((2, 3), (8, 12)):  # scores, not probabilities, grow to the picture's size
        inputs = F.interpolate(pictures, size, mode="bilinear", antialias=True)
        for turn in (lambda x: x, lambda x: x.flip(3)):
            wanted = (
                wanted + turn(F.interpolate(scores(turn(inputs)), (4, 6), mode="bilinear").softmax(1)) / 2
            )
    torch.testing.assert_close(many, wanted / 3)
    assert (many - found).abs().max() > 0.01


def test_one_pixel_high():
    found = probabilities(lambda x: torch.cat([x, -x], 1), torch.rand(1, 1, 1, 5), [0.25, 1.0], True, "mean")
    assert found.shape == (1, 2, 1, 5)


def test_the_maximum_is_of_scores_and_its_probabilities_are_given():
    """Two pixels; the scale 0.5 sees their mean alone, and the mirrored one the other column's offset."""

    def scores(x):
        return torch.cat([x, torch.tensor([[0.0, 3.0]]).expand(1, 1, 1, 2)[..., : x.shape[3]]], 1)

    pictures = torch.tensor([[[[1.0, 5.0]]]])
    found = probabilities(scores, pictures, [1.0, 0.5], flip=False, fuse="max")
    # scale 1: scores (1, 5) and (0, 3); scale 0.5: (3, 3) and (0, 0). The largest: (3, 5) and (0, 3).
    wanted = torch.tensor([[3.0, 5.0], [0.0, 3.0]]).exp()
    torch.testing.assert_close(found[0, :, 0], wanted / wanted.sum(0))
    mirrored = probabilities(scores, pictures, [1.0], flip=True, fuse="max")
    # mirrored and back: (1, 5) and (3, 0), so the largest are (1, 5) and (3, 3)
    wanted = torch.tensor([[1.0, 5.0], [3.0, 3.0]]).exp()
    torch.testing.assert_close(mirrored[0, :, 0], wanted / wanted.sum(0))


@pytest.mark.parametrize("fuse", ["mean", "max"])
def test_scores_that_are_not_finite_are_no_background(fuse):
    def scores(x):
        return torch.full((1, 3, *x.shape[2:]), float("nan"))

    with pytest.raises(ValueError, match="scores are not finite"):
        probabilities(scores, torch.zeros(1, 3, 8, 8), [1.0], False, fuse)
