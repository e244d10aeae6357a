"""Where regions come from: two of scikit-image, and files of masks."""

import json

import numpy as np
import pytest

from stages.pseudo_labels import region_file
from stages.pseudo_labels.merges import felzenszwalb, masks, slic
from stages.pseudo_labels.params import Felzenszwalb, Masks, Slic
from tests.commands.importing.made import compressed, run_lengths

RULE = {"share": 0.5, "covers": None, "rest": "vote"}
FELZENSZWALB = Felzenszwalb.model_validate({"scale": 100, "sigma": 0, "min_size": 20, **RULE})
SLIC = Slic.model_validate({"segments": 16, "compactness": 10, "sigma": 0, **RULE})


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A bright rectangle on dark ground with a little noise, and where it is."""
    inside = np.zeros((36, 48), bool)
    inside[8:28, 11:37] = True
    noise = np.random.default_rng(0).integers(-4, 5, (36, 48, 3))
    return (np.where(inside[..., None], (210, 180, 60), (40, 60, 50)) + noise).astype(np.uint8), inside


@pytest.mark.parametrize(("maker", "options"), [(felzenszwalb, FELZENSZWALB), (slic, SLIC)])
def test_frayed_labels_get_the_edges_of_the_picture(maker, options) -> None:
    """A rectangle of labels that lies three pixels too low comes back, to the pixel."""
    picture, inside = scene()
    labels = np.where(np.roll(inside, (3, 2), (0, 1)), np.uint8(4), np.uint8(0))
    assert maker.NEEDS == "picture"
    found = maker.merged(labels, options, picture, None)
    assert np.array_equal(found, 4 * inside)


def test_a_larger_scale_makes_fewer_regions() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    few = felzenszwalb.parts(picture, FELZENSZWALB.model_copy(update={"scale": 1000.0, "min_size": 1}))
    many = felzenszwalb.parts(picture, FELZENSZWALB.model_copy(update={"scale": 10.0, "min_size": 1}))
    large = felzenszwalb.parts(picture, FELZENSZWALB.model_copy(update={"scale": 10.0, "min_size": 30}))
    assert few.max() < many.max() and np.bincount(large.ravel()).min() >= 30
    smooth = felzenszwalb.parts(
        picture, FELZENSZWALB.model_copy(update={"scale": 10.0, "min_size": 1, "sigma": 3.0})
    )
    assert smooth.max() < many.max()


def content(size: tuple[int, int], regions: list[np.ndarray]) -> bytes:
    texts = [compressed(run_lengths(region.T.ravel())) for region in regions]
    return json.dumps({"size": list(size), "counts": texts}).encode()


def test_masks_of_a_file() -> None:
    rng = np.random.default_rng(0)
    regions = list(rng.random((5, 9, 13)) > 0.5)
    found = masks.masks(content((9, 13), regions), (9, 13))
    assert len(found) == 5 and all(map(np.array_equal, found, regions))
    first = np.zeros((9, 13), bool)
    first[2:5, 3:9] = True
    labels = np.zeros((9, 13), np.uint8)
    labels[2:5, 3:7] = 2  # 12 of 18 pixels
    options = Masks.model_validate(RULE)
    after = masks.merged(labels, options, None, content((9, 13), [first]))
    assert masks.NEEDS == "regions" and np.array_equal(after, 2 * first)


def test_what_is_written_is_read() -> None:
    regions = list(np.random.default_rng(1).random((4, 11, 6)) > 0.6)
    runs = [run_lengths(region.T.ravel()) for region in regions]
    written = region_file.write((11, 6), runs)
    assert json.loads(written) == json.loads(content((11, 6), regions))
    assert region_file.read(written) == ((11, 6), runs)
    assert region_file.read(region_file.write((11, 6), [])) == ((11, 6), [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"{", "is no file of regions .*: `wsss import regions` makes them"),
        (b"[]", "is no file of regions"),
        (b'{"size": [3, 4]}', "is no file of regions .'counts'"),
        (b'{"size": [3, 4], "counts": [[12]]}', "size or counts is of another kind"),
        (b'{"size": [3, 4.0], "counts": []}', "size or counts is of another kind"),
        (b'{"size": [4, 3], "counts": []}', "its regions are of 3x4 pixels, the picture has 4x3"),
        (b'{"size": [3, 4], "counts": ["`"]}', "the compressed RLE ends within a number"),
        (b'{"size": [3, 4], "counts": ["9"]}', "its RLE does not fill 4x3 pixels"),
    ],
)
def test_a_file_that_is_none(text: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        masks.masks(text, (3, 4))
