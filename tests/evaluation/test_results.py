"""Results of one picture as labels, and what is wrong with those that do not fit."""

import numpy as np
import pytest

from stages.common.artifacts import mask_bytes, npz_bytes
from stages.evaluation import results

MAPS = np.float16([[[1, 0]], [[0, 0.5]]])


def stored(folder, maps=MAPS, classes=(2, 3), size=(1, 8)):
    file = folder / "a.npz"
    file.write_bytes(npz_bytes(maps=maps, classes=np.int16(classes), size=np.int32(size)))
    return file


def test_a_mask_is_read_as_it_is(tmp_path):
    mask = np.uint8([[0, 1, 255], [2, 2, 0]])
    (tmp_path / "a.png").write_bytes(mask_bytes(mask))
    np.testing.assert_array_equal(results.read_labels(tmp_path / "a.png", (9, 9), 3, 0.5), mask)


def test_maps_are_thresholded_at_full_size(tmp_path):
    """The first map grows to 1, 1, .875, .625, .375, .125, 0, 0; the second to half of its mirror image."""
    file = stored(tmp_path)
    maps, present = results.read_maps(file, (1, 8), 4)
    np.testing.assert_allclose(maps[0], [[1, 1, 0.875, 0.625, 0.375, 0.125, 0, 0]])
    np.testing.assert_allclose(maps[1], maps[0, :, ::-1] / 2)
    assert present.tolist() == [2, 3]
    np.testing.assert_array_equal(results.read_labels(file, (1, 8), 4, 0.4), [[2, 2, 2, 2, 0, 3, 3, 3]])


def test_a_picture_of_another_size_is_named(tmp_path):
    with pytest.raises(ValueError, match="the truth is 8x2, the maps are of 8x1"):
        results.read_maps(stored(tmp_path), (2, 8), 4)


@pytest.mark.parametrize("classes", [(0, 2), (2, 4), (1, 2, 3)])
def test_classes_that_are_none_or_not_one_a_map(tmp_path, classes):
    with pytest.raises(ValueError, match=r"2 maps of the classes \[.*\]: classes are 1\.\.3"):
        results.read_maps(stored(tmp_path, classes=classes), (1, 8), 4)


def test_the_first_and_the_last_class_are_allowed(tmp_path):
    _, present = results.read_maps(stored(tmp_path, classes=(1, 3)), (1, 8), 4)
    assert present.tolist() == [1, 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_maps_that_are_not_finite(tmp_path, bad):
    maps = MAPS.copy()
    maps[0, 0, 1] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        results.read_maps(stored(tmp_path, maps), (1, 8), 4)
