"""What the sheet of training inputs shows, by hand: the maps of its network are the picture."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stages.classifier.erasing import TINY
from tests.classifier import tiny


def pointwise(pictures: Tensor, maps: bool = False, still_head: bool = False) -> Any:
    """A map of each of three classes: the channels of the picture, which a quarter shows like the whole."""
    scores = pictures.mean((2, 3))
    return (scores, pictures) if maps else scores


def looks(method: str, own: dict | None = None) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
    """Of pictures with two classes, with one, and with none."""
    batch = tiny.batch(method in tiny.CHOOSING)
    shown = tiny.METHODS[method].looks(tiny.params(method, own), {"main": pointwise}, batch)
    return shown, batch


def positive(pictures: Tensor, rows: list[int], classes: list[int]) -> Tensor:
    """The maps that the network gives those classes, without what is below 0: [N, 1, H, W]."""
    return pictures[rows, classes][:, None].clamp_min(0)


def test_puzzle_shows_the_first_class_of_a_picture_or_the_one_that_is_erased() -> None:
    shown, (pictures, _) = looks("puzzle")
    own = positive(pictures, [0, 1, 2], [0, 2, 0])
    wanted = own / own.amax((2, 3), keepdim=True)
    torch.testing.assert_close(shown["map"], wanted)
    # A quarter's map does not know where it is.
    torch.testing.assert_close(shown["map of the quarters"], wanted)
    assert torch.equal(shown["view"], pictures)
    shown, (pictures, *_) = looks("p_oc")
    own = positive(pictures, [0, 1], [1, 2])
    torch.testing.assert_close(shown["map"][:2], own / own.amax((2, 3), keepdim=True))


@pytest.mark.parametrize("normalise", ["batch", "picture"])
@pytest.mark.parametrize("method", ["oc_cse", "p_oc", "p_noc"])
def test_what_the_ordinary_classifier_sees_is_the_picture_without_the_chosen_class(
    method: str, normalise: str
) -> None:
    own: dict = {"weight": [0.3, 1.0], "normalise": normalise}
    shown, (pictures, *_) = looks(method, own if method == "oc_cse" else {"oc_cse": own})
    maps = positive(pictures, [0, 1], [1, 2])
    top = maps.amax((0, 1, 2, 3) if normalise == "batch" else (1, 2, 3), keepdim=True)
    torch.testing.assert_close(shown["mask"][:2], maps / (top + TINY))
    torch.testing.assert_close(shown["the ordinary one sees"][:2], pictures[:2] * (1 - maps / (top + TINY)))
    assert torch.equal(shown["the ordinary one sees"][2], pictures[2])  # it has no class to erase
    assert ("map of the quarters" in shown) == (method != "oc_cse")


def test_p_noc_hides_what_the_map_marks_above_delta_from_the_ordinary_classifier() -> None:
    shown, (pictures, *_) = looks("p_noc", {"delta": 0.25})
    maps = positive(pictures, [0, 1], [1, 2])
    share = maps / maps.amax((1, 2, 3), keepdim=True)
    learned = shown["the ordinary one learns"]
    assert torch.equal(learned[:2], torch.where(share > 0.25, torch.zeros(()), pictures[:2]))
    assert torch.equal(learned[2], pictures[2])
    assert 0.1 < (learned[:2] == 0).float().mean() < 0.9


def test_eaders_adversary_sees_the_picture_without_its_first_class() -> None:
    shown, (pictures, _) = looks("eader", {"omega": 8, "sigma": 0.3})
    maps = positive(pictures, [0, 1], [0, 2])
    share = maps / maps.amax((1, 2, 3), keepdim=True)  # noise reaches below 0 everywhere: the least is 0
    mask = 1 / (1 + torch.exp(-8 * (share - 0.3)))
    torch.testing.assert_close(shown["mask"][:2], mask, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        shown["the adversary sees"][:2], pictures[:2] * (1 - mask), rtol=1e-4, atol=1e-3
    )
    assert not shown["mask"][2].any() and torch.equal(shown["the adversary sees"][2], pictures[2])
    assert torch.equal(shown["view"], pictures)
