"""More than 8 bits: white is one value for a whole set, and no picture turns black in silence."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, TiffTags

from stages.common.artifacts import read_picture
from stages.dataset.decode import decode_picture, extremes_of, is_deep_file
from stages.dataset.depth import SIXTEEN, White, read_white, white_of

RAMP = np.linspace(0, 1, 48).reshape(6, 8)
COLOUR = np.stack([RAMP, RAMP**2, RAMP[::-1]], -1)
SHALLOW = (COLOUR * 255).round()


def stored(name: str) -> np.ndarray:
    return read_picture(Path(f"data/dataset/images/{name}.png")).astype(int)


@pytest.mark.parametrize(
    ("highest", "white"),
    [
        (-1, 65535),
        (0, 255),
        (255, 255),
        (256, 1023),
        (1023, 1023),
        (4080, 4095),
        (9000, 16383),
        (16384, 65535),
    ],
)
def test_white_is_that_of_the_usual_depths(highest, white):
    assert white_of(highest, 1, -1) == White(white, None)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("planes", [1, 3, 4])
def test_every_depth_in_16_bits(tmp_path, bits, suffix, planes):
    path, most = tmp_path / f"a{suffix}", (1 << bits) - 1
    values = (np.concatenate([COLOUR, np.ones((6, 8, 1))], -1)[..., :planes] * most).astype(np.uint16)
    cv2.imwrite(str(path), values if planes == 1 else values[..., [2, 1, 0, 3][:planes]])
    content = path.read_bytes()
    assert is_deep_file(content, 1)
    highest, low, high = extremes_of(content, 1)
    white = white_of(highest, low, high)
    assert white.whole == most and highest // 256 == most // 256
    found = cv2.imdecode(
        np.frombuffer(decode_picture(content, 1, white).content, np.uint8), cv2.IMREAD_COLOR_RGB
    )
    wanted = SHALLOW if planes > 1 else np.repeat(SHALLOW[..., :1], 3, -1)
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_one_white_for_a_whole_set_and_it_is_said(good):
    good.picture("d.png", "train", "cat", Image.fromarray((RAMP * 4000).astype(np.uint16)))
    good.picture("e.tif", "train", "cat", Image.fromarray((RAMP * 800).astype(np.uint16)))
    assert "warning: pictures of 16 bits hold at most 4000: read as 12 bits, 4095 is white" in (
        text := good.run()
    )
    assert "e.tif: is dark: no value above 800, and 4095 is white" in text
    assert stored("d").max() == 249 and stored("e").max() == 50
    assert read_white(Path("data/dataset")) == White(4095)


def test_a_dark_picture_stays_dark_beside_a_bright_one_and_it_is_said(good):
    good.picture("d.png", "train", "cat", Image.fromarray(np.full((6, 8), 4000, np.uint16)))
    good.picture("e.png", "train", "cat", Image.fromarray(np.full((6, 8), 60000, np.uint16)))
    text = good.run()
    assert (stored("d") == 16).all() and "images/d.png: is dark: no value above 4000" in text
    assert "read as" not in text and read_white(Path("data/dataset")) == SIXTEEN


def test_the_file_says_its_white(good, tmp_path):
    picture = Image.fromarray((RAMP * 4095).astype(np.uint16))
    good.picture("d.tif", "train", "cat", picture, tiffinfo={281: 4095})  # the highest sample
    good.picture("e.tif", "train", "cat", picture, tiffinfo={281: 4095, 262: 0})  # and white is zero
    good.picture("f.tif", "train", "cat", picture, tiffinfo={281: 4095, 274: 6})  # and turned
    good.picture("g.pgm", "train", "cat").write_bytes(b"P5 2 1 4095\n\x00\x00\x0f\xff")
    good.picture("h.png", "train", "cat", Image.fromarray((RAMP * 65535).astype(np.uint16)))
    assert "warning: pictures of 16 bits" not in good.run()
    ramp = (RAMP * 255).round()
    assert (
        np.abs(stored("d")[..., 0] - ramp).max() <= 1 and np.abs(stored("e")[..., 0] + ramp - 255).max() <= 1
    )
    assert np.abs(stored("f")[..., 0] - np.rot90(ramp, -1)).max() <= 1
    assert stored("g")[0, :, 0].tolist() == [0, 255]


def test_floats_from_0_to_1(good):
    good.picture("d.tif", "train", "cat", Image.fromarray(RAMP.astype(np.float32)))
    good.run()
    assert np.abs(stored("d")[..., 0] - RAMP * 255).max() <= 1


def test_pictures_that_are_odd_are_named(good):
    frames = [Image.new("L", (8, 6), colour) for colour in (100, 200)]
    good.picture("d.gif", "train", "cat", frames[0], save_all=True, append_images=frames[1:])
    pages = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    good.picture("e.tif", "train", "cat", pages[0], save_all=True, append_images=pages[1:])
    good.picture("f.png", "train", "cat", Image.new("RGBA", (8, 6), (9, 9, 9, 0)))
    good.picture("g.png", "train", "cat", Image.new("RGB", (8, 6), (15, 15, 15)))
    text = good.run()
    assert "warning: images/d.gif, images/e.tif: holds several pictures: the first is taken" in text
    assert "warning: images/f.png: is transparent everywhere, so it becomes white" in text
    assert "warning: images/g.png: is nearly black" in text
    assert (stored("e") == (255, 0, 0)).all() and text.count("warning: images/") == 3


@pytest.mark.parametrize("mode", ["YCbCr", "LAB", "RGBX", "PA", "CMYK"])
def test_modes_of_tiff(good, mode):
    colours = Image.fromarray(np.full((6, 8, 3), (200, 100, 50), np.uint8))
    good.picture(
        "d.tif", "train", "cat", (colours.convert("RGBA") if mode == "PA" else colours).convert(mode)
    )
    good.run()
    assert np.abs(stored("d") - (200, 100, 50)).max() <= 8


def test_a_tag_that_makes_no_sense_is_a_bad_picture(good):
    picture = Image.fromarray((RAMP * 4095).astype(np.uint16))
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[281], tags[281] = TiffTags.ASCII, "abc"  # the highest sample
    good.picture("d.tif", "train", "cat", picture, tiffinfo=tags)
    assert "1 bad pictures skipped" in good.run(bad_pictures="skip")
