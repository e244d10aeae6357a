"""What OC-CSE and its successors erase (https://openaccess.thecvf.com/content/ICCV2021, Kweon et al.)."""

import pytest
import torch

from stages.classifier import erasing, oc_cse
from stages.classifier.loss import soft_margin
from tests.classifier import tiny

SIZE = torch.Size((2, 2))


def test_the_mask_by_hand():
    maps = torch.tensor([[[[4.0, -2], [2, 0]], [[9.0, 9], [9, 9]]], [[[1.0, 0], [0, 0]], [[9.0, 9], [9, 9]]]])
    chosen = torch.tensor([[1.0, 0], [1.0, 0]])
    by_batch = erasing.soft_mask(maps, chosen, SIZE, "batch")
    torch.testing.assert_close(
        by_batch[:, 0], torch.tensor([[[1, 0], [0.5, 0]], [[0.25, 0], [0, 0]]]), atol=1e-5, rtol=0
    )
    own = erasing.soft_mask(maps, chosen, SIZE, "picture")
    torch.testing.assert_close(
        own[:, 0], torch.tensor([[[1, 0], [0.5, 0]], [[1.0, 0], [0, 0]]]), atol=2e-5, rtol=0
    )


def test_the_map_is_enlarged_before_its_negatives_go():
    """Between -3 and 1 the enlarged map crosses 0 earlier than an enlarged ReLU would."""
    maps = torch.tensor([[[[-3.0, 1.0]]]])
    found = erasing.map_of(maps, torch.ones(1, 1), torch.Size((1, 4)))
    torch.testing.assert_close(found.flatten(), torch.tensor([0.0, 0, 0, 1]))


def test_a_constant_map_erases_all_and_no_class_erases_nothing():
    pictures, maps = torch.randn(2, 3, 2, 2), torch.full((2, 2, 2, 2), 3.0)
    mask = erasing.soft_mask(maps, torch.tensor([[1.0, 0], [0, 0]]), SIZE, "picture")
    left = erasing.erased(pictures, mask)
    assert left[0].abs().max() < 1e-4
    assert torch.equal(left[1], pictures[1])


def test_the_erased_class_is_to_be_overlooked_and_the_others_found():
    pictures, targets, chosen = tiny.batch()
    seen = torch.randn(3, tiny.CLASSES)
    found = erasing.suppression(0.0, {"ordinary": lambda x: seen}, pictures, targets, chosen)
    wanted = soft_margin(seen[:2], torch.tensor([[1.0, 0, 0], [0, 0, 0]]))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("normalise", ["batch", "picture"])
def test_the_gradient_passes_through_the_mask_and_its_maximum(normalise):
    """Against finite differences, with an ordinary classifier of one layer."""
    torch.manual_seed(2)
    pictures, maps = torch.randn(2, 3, 5, 5), torch.randn(2, 2, 5, 5) + 1
    targets = chosen = torch.tensor([[1.0, 0], [0, 1.0]])
    weight = torch.randn(2, 3)

    def loss(values):
        mask = erasing.soft_mask(values, chosen, torch.Size((5, 5)), normalise)
        seen = {"ordinary": lambda x: 3 * x.mean((2, 3)) @ weight.T}
        return erasing.suppression(0.0, seen, erasing.erased(pictures, mask), targets, chosen)

    leaf = maps.clone().requires_grad_()
    loss(leaf).backward()
    top = (0, 0, *divmod(int(maps[0, 0].argmax()), 5))
    for place in (top, (1, 1, 2, 3), (0, 0, 4, 4)):
        step = torch.zeros_like(maps)
        step[place] = 5e-3
        slope = (loss(maps + step) - loss(maps - step)) / 1e-2
        assert float(leaf.grad[place]) == pytest.approx(float(slope), abs=1e-4)
    assert leaf.grad[top].abs() > 1e-3


def test_oc_cse_adds_what_the_ordinary_classifier_sees_of_the_rest():
    chosen = tiny.params("oc_cse")
    strategy = tiny.new(chosen)
    tiny.sighted(strategy.networks["main"]).eval()
    pictures, targets, class_ = tiny.batch()
    losses = oc_cse.loss(chosen.oc_cse, 0.0, strategy.networks, (pictures, targets, class_), 0.5)
    main, other = (strategy.networks[name] for name in ("main", "ordinary"))
    maps = main.head(main.features(pictures))
    large = torch.nn.functional.interpolate(maps, (32, 32), mode="bilinear", align_corners=False).relu()
    mask = torch.stack([large[0, 1], large[1, 2], torch.zeros(32, 32)])[:, None]
    left = pictures * (1 - mask / (mask.max() + 1e-5))
    erased = soft_margin(other(left)[:2], (targets - class_)[:2])  # the last picture has no class
    wanted = soft_margin(main(pictures), targets) + 0.65 * erased
    torch.testing.assert_close(losses["loss"], wanted)
    assert mask.max() > 0.01


def test_a_picture_without_a_class_has_no_say_in_the_suppression():
    pictures, targets, chosen = tiny.batch()
    seen = torch.randn(3, tiny.CLASSES).requires_grad_()
    found = erasing.suppression(0.0, {"ordinary": lambda x: seen}, pictures, targets, chosen)
    assert found.item() == pytest.approx(tiny.by_loops(seen[:2], (targets - chosen)[:2]), rel=1e-5)
    found.backward()
    assert seen.grad[:2].abs().min() > 0 and not seen.grad[2].any()
    rest = (x[2:] for x in (pictures, targets, chosen))
    none = erasing.suppression(0.0, {"ordinary": lambda x: seen[2:]}, *rest)
    assert none.item() == 0 and none.requires_grad
