"""A road: ground that comes with one class alone, as rails come with trains and water with boats."""

import numpy as np

from stages.generate.ground import noise

KIND = 0  # the first class stands on it
ASPHALT, PAINT = np.array((112, 110, 114), np.float32), np.array((214, 210, 198), np.float32)
HALF, LINE, DASH = (15, 19), 1.6, 18  # half of its width, its lines' width, and a dash and gap: pixels of 128


def pave(rng: np.random.Generator, picture: np.ndarray, centre: np.ndarray, angle: float) -> np.ndarray:
    """A road through `centre` in the direction `angle` over float32 RGB [S, S, 3], from edge to edge."""
    size = len(picture)
    scale = size / 128
    y, x = np.mgrid[:size, :size].astype(np.float32)
    along = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    off = np.abs((y - centre[1]) * np.cos(angle) - (x - centre[0]) * np.sin(angle))
    half = rng.uniform(*HALF) * scale
    tar = ASPHALT + 4 * noise(rng, size, (2 * scale, 2 * scale))[..., None]
    dashes = (along / (DASH * scale) + rng.random()) % 1 < 0.5
    line = np.maximum(_line(off, 0, scale) * dashes, _line(off, half - 3 * scale, scale))
    over = np.clip(half - off + 0.5, 0, 1)[..., None]
    return over * (tar + 0.8 * line[..., None] * (PAINT - tar)) + (1 - over) * picture


def _line(off: np.ndarray, at: float, scale: float) -> np.ndarray:
    """How much of a pixel a line covers that lies `at` pixels beside the middle."""
    return np.clip(LINE * scale / 2 - np.abs(off - at) + 0.5, 0, 1)
