import tracemalloc

import numpy as np
import pytest

from stages.predictions.tiles import Merge, boxes, ramp, starts, stitched, weights


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

    assert stitched((1, 6), 4, 2, "ramp", 8, scores)[0].tolist() == [[1, 1, 1, 0, 0, 0]]
    assert stitched((1, 6), 4, 2, "inner", 8, scores)[0].tolist() == [[1, 1, 1, 0, 0, 0]]
    assert stitched((1, 6), 4, 2, "mean", 8, scores)[0].tolist() == [[1, 1, 0, 0, 0, 0]]  # a tie: the first


@pytest.mark.parametrize("merge", ["ramp", "mean", "inner"])
@pytest.mark.parametrize("batch", [1, 2, 100])
def test_tiles_of_scores_that_need_no_context_are_the_whole(batch: int, merge: Merge):
    whole = np.random.default_rng(0).random((5, 37, 23)).astype(np.float32)
    asked = []

    def scores(parts: list) -> list[np.ndarray]:
        asked.append(len(parts))
        return [whole[:, rows, columns] for rows, columns in parts]

    assert np.array_equal(stitched((37, 23), 10, 4, merge, batch, scores)[0], whole.argmax(0))
    assert max(asked) == min(batch, 4)  # starts of 23: 0, 4, 9, 13


def test_memory_grows_with_the_width_only():
    """21 classes of 2000x3000 pixels are 504 MB as float32; a row of tiles of 256 is 64.5 MB, its depth 3."""
    scores = np.zeros((21, 256, 256), np.float32)
    tracemalloc.start()
    stitched((2000, 3000), 256, 32, "inner", 1, lambda parts: [scores for _ in parts])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_of_inner_the_farthest_border_decides_and_the_picture_s_edge_is_none():
    """Each pixel's tile, by brute force over all tiles, of scores that name it."""
    size, tile, overlap = (13, 17), 6, 3
    found = boxes(size, tile, overlap)
    assert len(found) < 256

    def scores(asked: list) -> list[np.ndarray]:
        return [
            np.eye(len(found), dtype=np.float32)[[found.index(box)] * 36].T.reshape(-1, 6, 6) for box in asked
        ]

    labels = stitched(size, tile, overlap, "inner", 4, scores)[0]
    for y, x in np.ndindex(size):
        depths = []
        for rows, columns in found:
            sides = [
                at - part.start if end == "low" else part.stop - 1 - at
                for at, part, side in ((y, rows, size[0]), (x, columns, size[1]))
                for end in ("low", "high")
                if (part.start > 0 if end == "low" else part.stop < side)
            ]
            inside = rows.start <= y < rows.stop and columns.start <= x < columns.stop
            depths.append(min(sides, default=99) if inside else -1)
        assert labels[y, x] == int(np.argmax(depths)), (y, x)


@pytest.mark.parametrize("tile, overlap", [(10, 4), (11, 5), (16, 8)])
def test_inner_is_exact_for_a_network_that_sees_half_the_overlap(tile: int, overlap: int):
    """Sums of 5x5 pixels, zeros beyond the tile: r = 2, and all overlaps are 2r or more."""
    picture = np.random.default_rng(0).standard_normal((3, 41, 29)).astype(np.float32)

    def sums(part: np.ndarray) -> np.ndarray:
        padded = np.pad(part, ((0, 0), (2, 2), (2, 2)))
        return np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (1, 2)).sum((-2, -1))

    def scores(parts: list) -> list[np.ndarray]:
        return [sums(picture[:, rows, columns]) for rows, columns in parts]

    whole = sums(picture).argmax(0)
    assert np.array_equal(stitched((41, 29), tile, overlap, "inner", 3, scores)[0], whole)
    for merge, less in (("inner", overlap - 2 if overlap < 6 else 2), ("mean", overlap)):
        assert not np.array_equal(stitched((41, 29), tile, less, merge, 3, scores)[0], whole), merge


def test_weights_of_a_tile_in_a_corner():
    corner = weights("inner", (slice(0, 4), slice(2, 6)), (9, 6), 2)
    assert corner.tolist() == [[1, 2, 3, 4], [1, 2, 3, 3], [1, 2, 2, 2], [1, 1, 1, 1]]
