"""The permutohedral lattice against that of pydensecrf, and what holds for every lattice."""

import numpy as np
import pytest
import torch
from pydensecrf.densecrf import DIAG_KERNEL, NO_NORMALIZATION, DenseCRF2D

from stages.common import permutohedral
from stages.common.bilateral import bilateral
from stages.common.permutohedral import Lattice
from tests.common.scenes import pictures, probabilities

SMALL = 0.05  # compat: its exponential stays within float32


def features(rgb: torch.Tensor, sigma_xy: float, sigma_rgb: float) -> torch.Tensor:
    """Of one picture [3, H, W], [H * W, 5]."""
    y, x = torch.meshgrid(*map(torch.arange, rgb.shape[1:]), indexing="ij")
    return torch.cat([torch.stack([x, y]) / sigma_xy, rgb / sigma_rgb]).flatten(1).T.contiguous()


def alone(points: torch.Tensor) -> Lattice:
    return Lattice(points, torch.zeros(len(points), dtype=torch.int64))


def of_pydensecrf(rgb: torch.Tensor, p: torch.Tensor, sigma_xy: float, sigma_rgb: float) -> np.ndarray:
    """A p of probabilities [K, H, W], [H * W, K]. Its lattice is not to be had, but shows in one step of the
    mean field from p: log Q_c is compat (A p)_c and a constant, which one more label of probability 0 tells.
    """
    classes, height, width = p.shape
    crf = DenseCRF2D(width, height, classes + 1)
    picture = np.ascontiguousarray(rgb.movedim(0, 2).numpy().astype(np.uint8))
    crf.addPairwiseBilateral(
        sxy=sigma_xy, srgb=sigma_rgb, rgbim=picture, compat=SMALL, kernel=DIAG_KERNEL,
        normalization=NO_NORMALIZATION,
    )  # fmt: skip
    energies = np.full((classes + 1, height * width), 200, np.float32)
    energies[:-1] = -np.log(p.flatten(1).numpy())
    crf.setUnaryEnergy(energies)
    state = crf.startInference()
    crf.setUnaryEnergy(np.zeros_like(energies))
    crf.stepInference(*state)
    logs = np.log(np.array(state[0], np.float64))
    return ((logs[:-1] - logs[-1]) / SMALL).T


@pytest.mark.parametrize(
    ("height", "width", "sigma_xy", "sigma_rgb"),
    [(24, 30, 12, 15), (40, 32, 50, 6), (17, 23, 3, 40), (5, 1, 2, 9)],
)
def test_it_is_the_lattice_of_pydensecrf(height, width, sigma_xy, sigma_rgb):
    rgb, p = pictures(1, height, width), probabilities(1, 3, height, width)
    found = alone(features(rgb[0], sigma_xy, sigma_rgb))(p[0].flatten(1).T.contiguous())
    np.testing.assert_allclose(found, of_pydensecrf(rgb[0], p[0], sigma_xy, sigma_rgb), rtol=2e-5, atol=1e-5)
    whole = torch.ones(1, height, width, dtype=torch.bool)
    assert torch.equal(bilateral(p, rgb, whole, sigma_xy, sigma_rgb, "lattice")[0].flatten(1).T, found)


def exact(points: torch.Tensor) -> torch.Tensor:
    return (-0.5 * torch.cdist(points.double(), points.double()) ** 2).exp().float()


def test_it_is_near_the_gaussian_but_for_a_factor():
    points = features(pictures(1, 40, 40)[0], 20, 15)
    values = torch.rand(1600, 2, generator=torch.Generator().manual_seed(0))
    found, wanted = alone(points)(values), exact(points) @ values
    assert np.corrcoef(found[:, 0], wanted[:, 0])[0, 1] > 0.98
    assert 0.4 < found.sum() / wanted.sum() < 0.7


@pytest.mark.parametrize("dimensions", [1, 2, 5, 7])
def test_points_are_between_their_vertices(dimensions):
    """The weights are a convex combination of the simplex's vertices that gives the point back."""
    points = 9 * torch.randn(200, dimensions, generator=torch.Generator().manual_seed(0))
    elevated = permutohedral._elevated(points)
    low, rank, rest = permutohedral._rounded(elevated)
    size = dimensions + 1
    assert (low % size == 0).all() and (low.sum(0) == 0).all()
    assert torch.equal(rank.sort(0).values, torch.arange(size)[:, None].expand(size, 200))
    weights = permutohedral._weights(rest.sort(0, descending=True).values)
    assert weights.min() > -1e-5 and torch.allclose(weights.sum(0), torch.ones(200), atol=1e-5)
    remainders = torch.arange(size)[:, None, None]
    vertices = low + remainders - size * (rank > dimensions - remainders).int()
    assert (vertices.sum(1) == 0).all() and (vertices % size == remainders).all()
    torch.testing.assert_close((weights[:, None] * vertices).sum(0), elevated, rtol=1e-4, atol=1e-4)


def test_distances_in_the_plane_are_those_of_the_points():
    """Elevation turns, and scales by what makes one blur as wide as a standard deviation."""
    points = torch.randn(50, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    elevated = permutohedral._elevated(points).T
    wanted = 6 * (2 / 3) ** 0.5 * torch.cdist(points, points)
    torch.testing.assert_close(torch.cdist(elevated, elevated), wanted, rtol=1e-7, atol=1e-6)
    torch.testing.assert_close(elevated.sum(1), torch.zeros(50).double(), atol=1e-12, rtol=0)


def test_the_transpose_is_the_transpose_and_not_the_filter():
    lattice = alone(features(pictures(1, 12, 15)[0], 6, 12))
    unit = torch.eye(180)
    whole, back = lattice(unit), lattice(unit, transposed=True)
    torch.testing.assert_close(back, whole.T, rtol=1e-5, atol=1e-6)
    assert (whole - whole.T).abs().max() > 1e-3
    assert whole.min() >= 0


def test_pictures_of_a_batch_do_not_touch():
    one, two = (features(rgb, 10, 15) for rgb in pictures(2, 16, 20))
    values = torch.rand(640, 3, generator=torch.Generator().manual_seed(0))
    together = Lattice(torch.cat([one, two]), torch.arange(2).repeat_interleave(320))(values)
    torch.testing.assert_close(together[:320], alone(one)(values[:320]), rtol=1e-6, atol=0)
    torch.testing.assert_close(together[320:], alone(two)(values[320:]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_crowded_pictures_of_a_batch_do_not_touch(dimensions):
    """Nearly every place of the lattices has a vertex, those at the borders too."""
    parts = [
        4 * torch.rand(900, dimensions, generator=torch.Generator().manual_seed(n)) - n for n in range(3)
    ]
    values, owners = torch.rand(2700, 2), torch.arange(3).repeat_interleave(900)
    together = Lattice(torch.cat(parts), owners)(values).split(900)
    for found, part, mine in zip(together, parts, values.split(900), strict=True):
        torch.testing.assert_close(found, alone(part)(mine), rtol=1e-5, atol=0)


def test_equal_points_give_equal_bytes_and_the_order_of_the_vertices_is_a_stable_sort():
    points, values = features(pictures(1, 30, 30)[0], 10, 15), probabilities(1, 4, 30, 30)[0].flatten(1).T
    first, second = (alone(points.clone())(values.contiguous()) for _ in range(2))
    assert torch.equal(first, second)
    keys = torch.randint(0, 50, (1000,), generator=torch.Generator().manual_seed(0))
    for larger in (0, 1 << 58):  # which leaves no room for the places
        moved = keys + larger * (keys > 40)
        wanted = moved.sort(stable=True)
        found, place = permutohedral._sorted(moved)
        assert torch.equal(found, wanted.values) and torch.equal(place, wanted.indices)


def test_points_too_far_apart():
    points = torch.tensor([[0.0] * 5, [1e5] * 5])
    with pytest.raises(
        ValueError, match=r"a lattice of \d+ places is too large: make its standard deviations"
    ):
        alone(points)
    near = torch.tensor([[0.0] * 5, [1.0] * 5, [2.0] * 5])
    assert alone(near)(near).shape == (3, 5)
    with pytest.raises(ValueError, match="is too large"):
        Lattice(near, torch.tensor([0, 0, 1 << 45]))
