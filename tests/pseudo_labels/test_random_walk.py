"""The sparse walk against a dense one, and the properties that it must have."""

import numpy as np
import pytest

from stages.affinity.offsets import forward_offsets
from stages.common.crf_params import Crf
from stages.common.labels import alpha_scores, upsample
from stages.pseudo_labels import random_walk
from stages.pseudo_labels.params import RandomWalk

CRF = Crf(iterations=2, smooth_sxy=3.0, smooth_compat=1.0, color_sxy=50.0, color_srgb=5.0, color_compat=1.0)
PARAMS = RandomWalk(beta=8.0, steps=256, background="constant", alpha=8.0, threshold=0.25, crf=False)


def affinity(height, width, radius=5, low=0.3):
    """Random affinities, garbage included where a partner lies outside the grid."""
    offsets = forward_offsets(radius)
    rng = np.random.default_rng(0)
    values = rng.uniform(low, 1, (len(offsets), height, width)).astype(np.float16)
    return {"affinities": values, "offsets": offsets.astype(np.int8)}


def dense_weights(affinities, offsets):
    """W, float64 [n, n], cell by cell."""
    _, height, width = affinities.shape
    weights = np.eye(height * width)
    for (dy, dx), values in zip(offsets.astype(int), affinities.astype(float), strict=True):
        for y in range(height):
            for x in range(width):
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    here, there = y * width + x, (y + dy) * width + x + dx
                    weights[here, there] = weights[there, here] = values[y, x]
    return weights


def test_affinities_are_raised_in_single_precision_as_the_matrix_is():
    stored = affinity(4, 5)
    wide = stored["affinities"].astype(np.float64)
    low, high = (random_walk.transition(a, stored["offsets"], 8.0) for a in (stored["affinities"], wide))
    assert (low.data == high.data).all() and low.dtype == np.float32


def test_offsets_are_half_of_the_disc():
    np.testing.assert_array_equal(forward_offsets(2), [[0, 1], [1, -1], [1, 0], [1, 1]])
    assert len(forward_offsets(5)) == 34  # PSA; 69 with the other directions and the cell itself
    assert len(forward_offsets(10)) == 152  # IRN's training


@pytest.mark.parametrize(("height", "width"), [(7, 9), (1, 12), (12, 1), (3, 2), (1, 1)])
def test_sparse_walk_equals_repeated_squaring(height, width):
    given = affinity(height, width)
    scores = np.random.default_rng(1).random((4, height, width)).astype(np.float32)
    weights = dense_weights(**given) ** 8
    squared = weights / weights.sum(1, keepdims=True)
    matrix = random_walk.transition(**given, beta=8)
    np.testing.assert_allclose(matrix.toarray(), squared, rtol=1e-5)
    for _ in range(4):
        squared = squared @ squared
    expected = (squared @ scores.reshape(4, -1).T).T.reshape(scores.shape)
    walked = random_walk.walk(matrix, scores, 16)
    np.testing.assert_allclose(walked, expected, rtol=1e-5)
    clear = np.ptp(np.sort(expected, 0)[-2:], 0) > 1e-5
    np.testing.assert_array_equal(walked.argmax(0)[clear], expected.argmax(0)[clear])


def test_published_form_is_the_same():
    """Columns divided by their sums and applied from the right, as PSA's code does."""
    given = affinity(4, 5)
    weights = dense_weights(**given) ** 8
    scores = np.random.default_rng(1).random((3, 4, 5)).astype(np.float32)
    expected = scores.reshape(3, -1) @ np.linalg.matrix_power(weights / weights.sum(0), 8)
    walked = random_walk.walk(random_walk.transition(**given, beta=8), scores, 8)
    np.testing.assert_allclose(walked.reshape(3, -1), expected, rtol=1e-5)


def test_matrix_is_sparse_canonical_and_stochastic():
    matrix = random_walk.transition(**affinity(20, 30), beta=10)
    assert matrix.dtype == np.float32
    assert matrix.nnz <= 69 * 600
    assert matrix.has_canonical_format
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_a_constant_stays_constant(count):
    levels = np.arange(1, count + 1, dtype=np.float32)[:, None, None]
    scores = np.broadcast_to(levels, (count, 9, 14))
    walked = random_walk.walk(random_walk.transition(**affinity(9, 14), beta=8), scores, 256)
    np.testing.assert_allclose(walked, scores, rtol=1e-5)


@pytest.mark.parametrize("count", [2, 4])
def test_number_of_vectors_does_not_change_a_vector(count):
    matrix = random_walk.transition(**affinity(9, 14), beta=8)
    scores = np.random.default_rng(1).random((count, 9, 14))
    together = random_walk.walk(matrix, scores, 32)
    np.testing.assert_array_equal(together[:1], random_walk.walk(matrix, scores[:1], 32))


def walled(height, width, wall):
    """Affinity 1 within the columns left and right of `wall`, 0 across."""
    given = affinity(height, width)
    left = np.arange(width) < wall
    for index, (_, dx) in enumerate(given["offsets"]):
        partner = np.clip(np.arange(width) + dx, 0, width - 1)
        given["affinities"][index] = left == left[partner]
    return given


def test_zero_affinity_does_not_leak():
    given = walled(8, 16, 6)
    scores = np.zeros((1, 8, 16), np.float32)
    scores[0, 4, 2] = 1
    walked = random_walk.walk(random_walk.transition(**given, beta=8), scores, 256)
    assert (walked[0, :, :6] > 0).all()
    assert (walked[0, :, 6:] == 0).all()


def test_constant_background_fills_the_side_of_the_seed():
    maps = np.zeros((2, 8, 16), np.float32)
    maps[0, 4, 2] = 1
    maps[1, 4, 12] = 0.1
    labels = random_walk.labels(maps, np.array([3, 8]), (32, 64), PARAMS, CRF, affinity=walled(8, 16, 6))
    assert labels.dtype == np.uint8
    assert (labels[:, :22] == 3).all()  # up to the wall, less half a cell
    assert (labels[:, 28:] == 0).all()  # a tenth of the global maximum is under the threshold


def test_alpha_background_walks_too():
    """One step by hand: two cells of affinity 1 exchange halves, so both score as their mean."""
    given = {"affinities": np.float16([[[1, 0]]]), "offsets": np.int8([[0, 1]])}
    maps = np.float32([[[1, 0.2]]])
    params = PARAMS.model_copy(update={"background": "alpha", "alpha": 1.0, "steps": 1})
    matrix = random_walk.transition(**given, beta=8)
    scores = random_walk.walk(matrix, alpha_scores(maps, 1), 1)
    np.testing.assert_allclose(scores, [[[0.4, 0.4]], [[0.6, 0.6]]], rtol=1e-6)
    labels = random_walk.labels(maps, np.array([5]), (1, 2), params, CRF, affinity=given)
    np.testing.assert_array_equal(labels, [[5, 5]])  # without the walk, 0.8 of background would win


@pytest.mark.parametrize("background", ["alpha", "constant"])
@pytest.mark.parametrize(("size", "grid"), [((16, 1000), (4, 250)), ((1, 30), (1, 8)), ((600, 3), (150, 1))])
def test_any_picture_size(size, grid, background):
    seeds = np.random.default_rng(2).random((2, max(1, grid[0] // 2), max(1, grid[1] // 2)))
    params = PARAMS.model_copy(update={"background": background, "crf": True, "steps": 8})
    picture = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    labels = random_walk.labels(
        seeds.astype(np.float16), np.array([1, 2]), size, params, CRF, picture, affinity(*grid)
    )
    assert labels.shape == size
    assert {1, 2} <= set(np.unique(labels)) <= {0, 1, 2}


def test_a_label_free_picture_is_background():
    maps = np.empty((0, 2, 2), np.float16)
    for background in ("alpha", "constant"):
        params = PARAMS.model_copy(update={"background": background})
        labels = random_walk.labels(maps, np.empty(0, np.int16), (4, 6), params, CRF, affinity=affinity(2, 3))
        assert (labels == 0).all()


def test_the_picture_is_read_for_the_crf_alone():
    assert random_walk.needs(PARAMS) == {"affinity"}
    assert random_walk.needs(PARAMS.model_copy(update={"crf": True})) == {"affinity", "picture"}


def test_negative_contributions_do_not_walk():
    """Two cells of affinity 1: half of the first map reaches both, as none of the second's negatives does."""
    given = {"affinities": np.float16([[[1, 0]]]), "offsets": np.int8([[0, 1]])}
    maps = np.float32([[[1, -1]], [[0.4, 0.4]]])
    params = PARAMS.model_copy(update={"steps": 1})
    labels = random_walk.labels(maps, np.array([5, 6]), (1, 2), params, CRF, affinity=given)
    np.testing.assert_array_equal(labels, [[5, 5]])


def test_affinities_whose_power_is_tiny_are_left_out():
    """1e-3 to the 8th is 1e-24, .05 to the 8th 4e-11, which stays."""
    given = {"affinities": np.float16([[[1e-3, 0.05, 0]]]), "offsets": np.int8([[0, 1]])}
    matrix = random_walk.transition(**given, beta=8)
    assert matrix.nnz == 5 and matrix.indices.dtype == np.int32
    np.testing.assert_allclose(matrix.toarray()[1, 1:], [1, 0.05**8], rtol=5e-3)
    assert matrix.toarray()[0].tolist() == [1, 0, 0]


def test_constant_background_is_a_share_of_the_largest_value_of_all_maps():
    found = random_walk.constant_background(np.float32([[[1, 4]], [[0, 2]]]), 0.25)
    np.testing.assert_allclose(found, [[[0.25, 0.25]], [[0.25, 1]], [[0, 0.5]]])
    np.testing.assert_allclose(random_walk.constant_background(np.zeros((1, 1, 2), np.float32), 0.25)[1], 0)


def test_the_crf_starts_from_shares_of_the_walked_scores(monkeypatch):
    """Scores .25 of background, 1 of 5 and .5 of 6 in both cells: of 1.75, a seventh, four and two."""
    given = []
    monkeypatch.setattr(
        random_walk, "infer_labels", lambda picture, unaries, *rest: given.extend(unaries) or [8]
    )
    params = PARAMS.model_copy(update={"steps": 1, "crf": True})
    affinities = {"affinities": np.float16([[[1, 0]]]), "offsets": np.int8([[0, 1]])}
    maps = np.float32([[[1, 1]], [[0, 1]]])
    assert (
        random_walk.labels(maps, np.array([5, 6]), (1, 2), params, CRF, np.zeros((1, 2, 3)), affinities) == 8
    )
    np.testing.assert_allclose(np.exp(-given[0]), np.float32([[1, 1], [4, 4], [2, 2]]) / 7, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (3, 3)])
def test_one_side_that_is_coarser_is_enough_for_area_averages(shape):
    maps = np.random.default_rng(0).random((2, 2, 2) if shape == (3, 3) else (1, 4, 4)).astype(np.float16)
    found = random_walk.resize(maps, shape)
    if shape == (3, 3):
        np.testing.assert_allclose(found, upsample(maps, shape))
    else:
        mean = maps.astype(float).mean(1 if shape[0] == 1 else 2, keepdims=True)
        np.testing.assert_allclose(found, mean, rtol=1e-3)
    assert found.dtype == np.float32


def test_resize_to_a_finer_and_a_coarser_grid():
    maps = np.float16([[[0, 1, 2, 3]]])
    np.testing.assert_allclose(random_walk.resize(maps, (1, 2)), [[[0.5, 2.5]]])
    np.testing.assert_allclose(random_walk.resize(maps, (2, 8)), upsample(maps, (2, 8)))


def test_shares():
    scores = np.float32([[[0, 1, 0.3, 3]], [[0, 0, 0.1, 1]]])
    np.testing.assert_allclose(random_walk.shares(scores), [[[0.5, 1, 0.75, 0.75]], [[0.5, 0, 0.25, 0.25]]])
