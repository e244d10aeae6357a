"""Maps as somebody wrote them: what their files say, and their shapes."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from stages.saliency.given import decoded, scaled

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 7), np.uint8)


def picture(values: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(values)
    (image.convert(mode) if mode else image).save(buffer, kind)
    return buffer.getvalue()


def array(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def plain(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "suffix", "values"),
    [
        (picture(GREY), ".png", GREY / 255),
        (picture(GREY, mode="RGB"), ".png", GREY / 255),  # its three channels are equal
        (picture(GREY > 99), ".png", GREY > 99),  # one bit
        (picture(GREY.astype(np.uint16) * 200), ".png", GREY.astype(float) * 200 / 65535),
        (plain(GREY), ".npy", GREY / 255),
        (plain(GREY / 255), ".npy", GREY / 255),
        (plain((GREY / 255).astype(np.float16)), ".npy", (GREY / 255).astype(np.float16)),
        (plain(GREY > 99), ".npy", GREY > 99),
        (array(any_name=GREY.astype(np.uint16)), ".npz", GREY / 65535),
    ],
)
def test_values_are_shares_of_white(content: bytes, suffix: str, values: np.ndarray) -> None:
    found = decoded(content, suffix)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, values.astype(float), atol=1e-7)


def test_a_jpeg_is_read() -> None:
    smooth = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (24, 1))
    for mode in (None, "RGB"):
        found = decoded(picture(smooth, "JPEG", mode), ".jpg")
        np.testing.assert_allclose(found, smooth / 255, atol=0.02)


def test_a_palette_is_read_by_its_colours() -> None:
    """Index 1 is white, 0 grey: the indices are no values."""
    image = Image.fromarray((GREY > 99).astype(np.uint8), "P")
    image.putpalette([100, 100, 100, 255, 255, 255])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    found = decoded(buffer.getvalue(), ".png")
    np.testing.assert_allclose(found, np.where(GREY > 99, 1, 100 / 255), atol=1e-7)


COLOURED = np.stack([GREY, GREY, 255 - GREY], 2)


@pytest.mark.parametrize(
    ("content", "suffix", "says"),
    [
        (picture(COLOURED), ".png", "is a picture of mode RGB with colours or transparency, a map is grey"),
        (picture(GREY, mode="LA"), ".png", "is a picture of mode LA with colours or transparency"),
        (picture(GREY)[:40], ".png", "is no readable PNG or JPEG"),
        (picture(GREY, "BMP"), ".png", "is no readable PNG or JPEG"),
        (plain(GREY.astype(float)), ".npy", "holds values from 4 to 248, a map those of 0 to 1"),
        (plain(np.float64([[0.5, 1.5]])), ".npy", "holds values from 0.5 to 1.5, a map those of 0 to 1"),
        (plain(GREY / 255 - 0.1), ".npy", "holds values from -0.084"),
        (plain(np.full((2, 2), np.nan)), ".npy", "holds values from nan to nan"),
        (plain(GREY.astype(np.int64)), ".npy", "holds numbers of type int64, not bool, uint8, uint16 or flo"),
        (plain(GREY[None]), ".npy", r"is an array of shape \(1, 5, 7\), a map has two sides"),
        (plain(np.zeros((0, 4))), ".npy", r"is an array of shape \(0, 4\)"),
        (plain(np.array([{}])), ".npy", "is not readable: Object arrays"),
        (b"nothing", ".npy", "is not readable"),
        (array(a=GREY, b=GREY), ".npz", r"holds 2 arrays \(a, b\), not one"),
        (b"nothing", ".npz", "is not readable"),
    ],
)
def test_what_is_no_map(content: bytes, suffix: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decoded(content, suffix)


def test_a_map_of_another_scale_is_brought_to_the_picture() -> None:
    """Blocks of a larger one are averaged; a smaller one is read between the centres of its cells."""
    values = RNG.random((6, 8)).astype(np.float32)
    assert scaled(values, (6, 8)) is values
    np.testing.assert_allclose(scaled(values, (3, 4)), values.reshape(3, 2, 4, 2).mean((1, 3)), atol=1e-6)
    large = scaled(np.float32([[0, 1]]), (4, 8))
    np.testing.assert_allclose(large, np.tile([0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1], (4, 1)), atol=1e-6)
    assert scaled(values, (12, 16)).shape == (12, 16)


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((375, 500), True), ((374, 500), True), ((188, 250), True), ((187, 250), True), ((750, 1000), True),
        ((500, 375), False), ((375, 506), False), ((375, 502), True), ((375, 503), False),
        ((373, 500), False), ((321, 321), False), ((376, 499), False),
    ],
)  # fmt: skip
def test_shapes_within_the_rounding_of_a_side(shape: tuple[int, int], fits: bool) -> None:
    values = np.zeros(shape, np.float32)
    if fits:
        assert scaled(values, (375, 500)).shape == (375, 500)
        return
    with pytest.raises(ValueError, match=f"is {shape[1]}x{shape[0]}, which is not the shape of the picture"):
        scaled(values, (375, 500))


def test_a_map_that_is_larger_is_averaged() -> None:
    """Also where one side alone is larger; one that is smaller is not."""
    for shape, size, how in (
        ((31, 41), (15, 20), cv2.INTER_AREA),
        ((15, 21), (15, 20), cv2.INTER_AREA),
        ((15, 19), (15, 20), cv2.INTER_LINEAR),
    ):
        values = RNG.random(shape).astype(np.float32)
        wanted, other = (
            cv2.resize(values, size[::-1], interpolation=kind)
            for kind in (how, cv2.INTER_AREA + cv2.INTER_LINEAR - how)
        )
        np.testing.assert_array_equal(scaled(values, size), wanted)
        assert np.abs(wanted - other).max() > 0.01
