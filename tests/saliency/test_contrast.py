"""The loss of C2AM against loops over pictures and cells, and what it must not depend on."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN
from stages.saliency import c2am, c2am_h, contrast
from stages.saliency.params import C2am, C2amH

PLAIN = C2am(delta_foreground=0.4, delta_background=0.05)
HINTED = C2amH(delta_foreground=0.4, delta_background=0.05, weight=0.5)


def drawn(pictures: int = 5, channels: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Features, z and the known cells on 4 x 6; features are positive, as those behind a ReLU."""
    noise = torch.Generator().manual_seed(0)
    features = torch.rand(pictures, channels, 4, 6, generator=noise, dtype=torch.float64) ** 4
    values = torch.randn(pictures, 4, 6, generator=noise, dtype=torch.float64)
    known = torch.rand(pictures, 4, 6, generator=noise) > 0.2
    return features, values, known


def by_loops(features: Tensor, values: Tensor, known: Tensor) -> tuple[float, float]:
    """L_neg and L_pos as the slide writes them."""
    number, channels, height, width = features.shape
    sides: dict[str, list[list[float]]] = {"front": [], "back": []}
    for i in range(number):
        for name in sides:
            total, cells = [0.0] * channels, 0
            for y in range(height):
                for x in range(width):
                    if known[i, y, x]:
                        share = 1 / (1 + math.exp(-float(values[i, y, x])))
                        share = share if name == "front" else 1 - share
                        cells += 1
                        for d in range(channels):
                            total[d] += share * float(features[i, d, y, x])
            sides[name].append([value / cells for value in total])

    def cosine(a: list[float], b: list[float]) -> float:
        dot = sum(p * q for p, q in zip(a, b, strict=True))
        value = dot / math.sqrt(sum(p * p for p in a) * sum(q * q for q in b))
        return min(max(value, 5e-4), 1 - 5e-4)

    pairs = [(i, j) for i in range(number) for j in range(number)]
    negative = sum(-math.log(1 - cosine(sides["back"][i], sides["front"][j])) for i, j in pairs)
    positive = 0.0
    for side in sides.values():
        for i in range(number):
            near = {j: cosine(side[i], side[j]) for j in range(number) if j != i}
            order = [i, *sorted(near, key=lambda j: -near[j])]
            for rank, j in enumerate(order):
                positive += math.exp(-0.25 * (rank - 1)) * -math.log(cosine(side[i], side[j]))
    return negative / len(pairs), positive / len(pairs)


def test_the_loss_is_that_of_loops() -> None:
    found = contrast.losses(*drawn())
    negative, positive = by_loops(*drawn())
    assert float(found["negative"]) == pytest.approx(negative, rel=1e-5)
    assert float(found["positive"]) == pytest.approx(positive, rel=1e-5)
    assert float(found["loss"]) == pytest.approx(negative + positive, rel=1e-5)
    assert positive > 0.01 < negative


def test_the_loss_cannot_tell_object_from_ground() -> None:
    features, values, known = drawn()
    one, other = contrast.losses(features, values, known), contrast.losses(features, -values, known)
    for name in one:
        assert float(one[name]) == pytest.approx(float(other[name]), abs=1e-6)
    assert abs(float(contrast.losses(features, values + 2, known)["loss"]) - float(one["loss"])) > 1e-3


def test_the_order_of_a_batch_changes_nothing() -> None:
    features, values, known = drawn()
    order = torch.tensor([3, 0, 4, 2, 1])
    one = contrast.losses(features, values, known)
    other = contrast.losses(features[order], values[order], known[order])
    assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=1e-6)


def test_what_is_no_picture_counts_nowhere() -> None:
    features, values, known = drawn()
    before = contrast.losses(features, values, known)["loss"]
    features = torch.where(known[:, None], features, 9.0)
    assert torch.equal(contrast.losses(features, torch.where(known, values, -7.0), known)["loss"], before)


def test_the_ranks_get_no_gradient_and_a_row_begins_with_itself() -> None:
    near = contrast.cosines(torch.ones(3, 2), torch.ones(3, 2))  # all are as near as can be
    assert torch.allclose(contrast._weights(near).diagonal(), torch.full((3,), math.exp(0.25)))
    sides = torch.rand(4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weights = contrast._weights(contrast.cosines(sides, sides).detach())
    contrast.together(sides).backward()
    gradient, sides.grad = sides.grad, None
    (weights * -contrast.cosines(sides, sides).log()).mean().backward()
    assert gradient is not None and sides.grad is not None
    assert torch.allclose(gradient, sides.grad) and gradient.abs().max() > 0


def test_a_picture_without_a_known_cell_gives_numbers() -> None:
    features, values, known = drawn()
    features.requires_grad_()
    known[2] = False
    found = contrast.losses(features, values, known)["loss"]
    found.backward()
    assert found.isfinite() and features.grad is not None and features.grad.isfinite().all()


def network(pictures: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Cells of two pixels; z is the first channel."""
    features = F.avg_pool2d(pictures, 2)
    return features, features[:, 0] - 0.5


def batch(sure: bool) -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(0)
    pictures = torch.rand(3, 4, 8, 12, generator=noise)
    masks = torch.zeros(3, 8, 12, dtype=torch.int64)
    masks[0, :4], masks[1, :, 9:] = (1 if sure else 0), UNKNOWN
    masks[2, 3, 3] = 1 if sure else 0  # a quarter of a cell: not sure
    return pictures, masks


def test_without_a_sure_cell_the_hint_is_nothing() -> None:
    networks, seen = {"main": network}, batch(sure=False)
    plain = c2am.loss(PLAIN, networks, seen, 0.0)
    hinted = c2am_h.loss(HINTED, networks, seen, 0.0)
    assert float(hinted.pop("hint")) == 0
    assert hinted.keys() == plain.keys() and all(torch.equal(hinted[k], plain[k]) for k in plain)


def test_the_hint_of_one_sure_cell_is_its_own() -> None:
    values = torch.tensor([[[0.3, -2.0]]])
    found = c2am_h.hint(values, torch.tensor([[[True, False]]]))
    share = 1 / (1 + math.exp(-0.3))
    assert float(found) == pytest.approx(-0.95 * math.log(share) - 0.05 * math.log(1 - share), rel=1e-5)


def test_the_hint_is_the_mean_over_the_sure_cells() -> None:
    pictures, masks = batch(sure=True)
    found = c2am_h.loss(HINTED, {"main": network}, (pictures, masks), 0.0)
    values = network(pictures, masks)[1][0, :2].flatten().tolist()  # the first two rows of cells of picture 0
    shares = [1 / (1 + math.exp(-value)) for value in values]
    wanted = sum(-0.95 * math.log(p) - 0.05 * math.log(1 - p) for p in shares) / len(shares)
    assert float(found["hint"]) == pytest.approx(wanted, rel=1e-5)
    plain = c2am.loss(PLAIN, {"main": network}, (pictures, masks), 0.0)["loss"]
    assert float(found["loss"]) == pytest.approx(float(plain) + 0.5 * wanted, rel=1e-5)
