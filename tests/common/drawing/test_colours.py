"""The colours of classes as colour-blind eyes see them: matrices of Machado, Oliveira, Fernandes (2009)."""

import numpy as np
import pytest

from stages.common.artifacts import palette
from stages.common.drawing.colours import CREAM, NONE, OBJECT, class_colours, colour, css

EYES = {
    "normal": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                        [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                        [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
WHITE = np.array([0.95047, 1, 1.08883])


def seen(colours: np.ndarray, eye: str) -> np.ndarray:
    """CIELAB [N, 3] of sRGB colours uint8 [N, 3] as an eye sees them; the matrices act on linear light."""
    share = colours / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    ratio = np.clip(light @ EYES[eye].T, 0, 1) @ XYZ.T / WHITE
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def nearest(colours: np.ndarray, eye: str) -> float:
    lab = seen(colours, eye)
    apart = np.linalg.norm(lab[:, None] - lab, axis=2)
    return float(apart[~np.eye(len(lab), dtype=bool)].min())


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize(("classes", "distance"), [(4, 45), (8, 23), (20, 19), (48, 9)])
def test_every_eye_tells_the_classes_apart(eye: str, classes: int, distance: float) -> None:
    assert nearest(class_colours()[1 : classes + 1], eye) > distance


@pytest.mark.parametrize("eye", ["protan", "deutan", "tritan"])
def test_the_colours_of_voc_would_not_do(eye: str) -> None:
    assert nearest(palette()[1:21], eye) < 3


def test_no_two_indices_are_alike_and_the_format_keeps_its_own() -> None:
    assert len(np.unique(class_colours(), axis=0)) == 256
    assert colour(0) == (0, 0, 0) and class_colours()[0].tolist() == [0, 0, 0] and css(colour(1)) == "#4b69ff"
    assert palette()[1].tolist() == [128, 0, 0]


def test_black_is_the_background_and_the_listed_colours_follow_then_those_of_the_format() -> None:
    colours = class_colours()
    assert colours[:3].tolist() == [[0, 0, 0], [0x4B, 0x69, 0xFF], [0xC3, 0, 0]]
    assert colours[48].tolist() == [0xB4, 0xA5, 0x2D] and colours[255].tolist() == list(NONE)
    np.testing.assert_array_equal(colours[49:OBJECT], palette()[49:OBJECT])
    assert colours[OBJECT].tolist() == list(CREAM)  # an object of any class
    assert not colours.flags.writeable  # it is shared
    assert colour(2) == (0xC3, 0, 0) and css((1, 2, 255)) == "#0102ff"
