"""Views of pictures with where the seeds are sure, and with the labels of the first maps."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.common.artifacts import UNKNOWN, mask_bytes, npz_bytes, write_atomic
from stages.common.pictures import Picture
from stages.saliency.samples import LabelSamples, SureSamples, strength
from tests.common.training.tiny import params


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Picture:
    """8 x 12, green where the second class's seeds are sure, and smaller than the crop."""
    monkeypatch.chdir(tmp_path)
    maps = np.zeros((2, 8, 12), np.float16)
    maps[0, :, :3], maps[1, 2:5, 4:9], maps[1, 7, 11] = 0.3, 0.8, 0.5
    seeds = npz_bytes(maps=maps, classes=np.int16([1, 2]), size=np.int32([8, 12]))
    write_atomic(Path("seeds/a.npz"), seeds)
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[maps.max(0) >= 0.5] = (0, 255, 0)
    cv2.imwrite("a.png", pixels)
    return Picture("a", Path("a.png"), "train", 12, 8, (1, 2))


def test_the_strength_is_the_highest_seed(picture: Picture) -> None:
    found = strength(Path("seeds"), picture)
    assert found.shape == (8, 12) and found[0, 0] == pytest.approx(0.3, abs=1e-3)
    assert found[3, 5] == pytest.approx(0.8, abs=1e-3) and found[7, 5] == 0
    none = npz_bytes(maps=np.zeros((0, 1, 2), np.float16), classes=np.int16([]), size=np.int32([8, 12]))
    write_atomic(Path("seeds/a.npz"), none)
    assert not strength(Path("seeds"), picture).any() and strength(Path("seeds"), picture).shape == (8, 12)


def test_the_sure_pixels_move_with_the_picture(picture: Picture) -> None:
    samples = SureSamples([picture], params(), Path("seeds"), 0.5)
    places = set()
    for seed in range(8):
        x, mask = samples.sample(0, np.random.default_rng(seed))
        inside = mask != UNKNOWN
        assert x.shape == (3, 16, 16) and mask.shape == (16, 16) and int(inside.sum()) == 8 * 12
        assert ((x[1] > 0.9) & inside).equal(mask == 1) and int((mask == 1).sum()) == 3 * 5 + 1
        places.add(tuple(map(int, inside.nonzero()[0])))
    assert len(places) > 3


def test_without_seeds_nothing_is_sure_and_the_picture_is_known(picture: Picture) -> None:
    Path("seeds/a.npz").unlink()
    _, mask = SureSamples([picture], params(), None, 0.5).sample(0, np.random.default_rng(0))
    assert set(mask.unique().tolist()) == {0, UNKNOWN} and int((mask == 0).sum()) == 8 * 12


def test_labels_are_read_from_their_files(picture: Picture) -> None:
    labels = np.zeros((8, 12), np.uint8)
    labels[1:3, 2:9] = 1
    Path("labels.png").write_bytes(mask_bytes(labels))
    _, mask = LabelSamples([picture], params(), {"a": Path("labels.png")}).sample(0, np.random.default_rng(0))
    assert int((mask == 1).sum()) == 14 and int((mask == 0).sum()) == 8 * 12 - 14
