"""What lies behind the objects: soft coloured noise, pebbles that are no object, uneven light."""

import cv2
import numpy as np

from stages.generate.shapes import coverage, outline

# Two colours between which the noise runs (RGB), and the size of its grain as (across, down) in
# pixels of a picture of 128: flat grain looks like water or sand, tall grain like grass.
GROUNDS = (
    ((206, 196, 170), (188, 172, 142), (14, 5)),  # sand
    ((154, 172, 132), (126, 150, 112), (3, 11)),  # meadow
    ((158, 182, 192), (132, 160, 176), (26, 4)),  # water
    ((190, 184, 180), (164, 160, 158), (8, 8)),  # stone
    ((200, 174, 158), (178, 148, 132), (6, 18)),  # clay
    ((222, 224, 226), (200, 206, 214), (30, 16)),  # snow
    ((168, 162, 182), (144, 138, 164), (10, 4)),  # heather
    ((172, 160, 136), (142, 130, 106), (4, 4)),  # gravel
)


def ground(rng: np.random.Generator, size: int, kind: int) -> np.ndarray:
    """Ground of a kind, float32 RGB [size, size, 3], 0..255."""
    light, dark, grain = GROUNDS[kind]
    scale = size / 128
    mix = 0.5 + 0.32 * noise(rng, size, (grain[0] * scale, grain[1] * scale))
    mix += 0.22 * noise(rng, size, (48 * scale, 48 * scale))
    mix = np.clip(mix, 0, 1)[..., None]
    picture = mix * np.array(light, np.float32) + (1 - mix) * np.array(dark, np.float32)
    for _ in range(rng.integers(0, 5)):
        _pebble(rng, picture, np.array(dark, np.float32))
    hue = np.stack([noise(rng, size, (6 * scale, 6 * scale)) for _ in range(3)], axis=-1)
    return picture + 3 * hue


def noise(rng: np.random.Generator, size: int, grain: tuple[float, float]) -> np.ndarray:
    """Smooth noise of about unit deviation, float32 [size, size], by enlarging a coarse grid."""
    wide, high = (max(2, round(size / g) + 2) for g in grain)
    grid = rng.standard_normal((high, wide), np.float32)
    return 1.3 * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)


def light(rng: np.random.Generator, size: int) -> np.ndarray:
    """Brightness falling off to one side, float32 [size, size, 1], about 1."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    return (1 + 0.1 * (np.cos(angle) * x + np.sin(angle) * y))[..., None]


def _pebble(rng: np.random.Generator, picture: np.ndarray, colour: np.ndarray) -> None:
    size = len(picture)
    where = rng.uniform(0, size, 2)
    points = where + outline(rng) * rng.uniform(3, 6) * size / 128
    alpha = coverage(points, size)[..., None]
    picture += alpha * (colour * rng.uniform(0.8, 0.92) - picture)
