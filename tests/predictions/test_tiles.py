import tracemalloc

import numpy as np
import pytest

from stages.predictions.tiles import boxes, ramp, starts, stitched


def test_tiles_cover_a_side_evenly():
    assert starts(10, 4, 1) == [0, 3, 6]
    assert starts(11, 4, 1) == [0, 2, 5, 7]
    assert starts(4, 4, 2) == starts(3, 4, 2) == [0]


@pytest.mark.parametrize("tile, overlap", [(4, 0), (4, 1), (5, 2), (8, 4)])
def test_neighbours_overlap_by_what_was_asked_or_more(tile: int, overlap: int):
    for length in range(tile + 1, 60):
        found = starts(length, tile, overlap)
        steps = np.diff(found)
        assert found[0] == 0 and found[-1] + tile == length
        assert steps.min() > 0 and steps.max() <= tile - overlap


def test_all_tiles_of_a_picture_have_one_size():
    found = boxes((3, 11), 4, 1)
    assert [(rows.start, rows.stop) for rows, _ in found] == [(0, 3)] * 4
    assert [(columns.start, columns.stop) for _, columns in found] == [(0, 4), (2, 6), (5, 9), (7, 11)]


def test_weights_rise_from_a_tile_s_borders():
    assert ramp(6, 2).tolist() == [0.25, 0.75, 1, 1, 0.75, 0.25]
    assert ramp(3, 0).tolist() == [1, 1, 1]


def test_where_tiles_disagree_the_inner_part_decides():
    """Tiles at 0 and 2 of 6 pixels; the left one says 1, the right one 0. They weigh 3:1, then 1:3."""

    def scores(asked: list) -> list[np.ndarray]:
        left = np.array([[[0.0] * 4], [[1.0] * 4]], np.float32)
        return [left if columns.start == 0 else 1 - left for _, columns in asked]

    assert stitched((1, 6), 4, 2, 8, scores).tolist() == [[1, 1, 1, 0, 0, 0]]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_tiles_of_scores_that_need_no_context_are_the_whole(batch: int):
    whole = np.random.default_rng(0).random((5, 37, 23)).astype(np.float32)
    asked = []

    def scores(parts: list) -> list[np.ndarray]:
        asked.append(len(parts))
        return [whole[:, rows, columns] for rows, columns in parts]

    assert np.array_equal(stitched((37, 23), 10, 4, batch, scores), whole.argmax(0))
    assert max(asked) == min(batch, 4)  # starts of 23: 0, 4, 9, 13


def test_memory_grows_with_the_width_only():
    """21 classes of 2000x3000 pixels are 504 MB as float32; a row of tiles of 256 is 64.5 MB."""
    scores = np.zeros((21, 256, 256), np.float32)
    tracemalloc.start()
    stitched((2000, 3000), 256, 32, 1, lambda parts: [scores for _ in parts])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
