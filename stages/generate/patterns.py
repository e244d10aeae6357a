"""The classes' patterns: how much ink covers each point of a plane, 0 to 1.

Each takes pixel coordinates x, y [H, W] (already turned and shifted) and the period in pixels, and
is antialiased: an edge is one pixel wide whatever the period.
"""

from collections.abc import Callable

import numpy as np

Pattern = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def striped(x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
    return _inside(period / 4 - _from_line(x, period))


def checked(x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
    period = 1.3 * period  # a cell is half a period
    a, b = (period / 4 - _from_line(z, period) for z in (x, y))
    return _inside(np.sign(a * b) * np.minimum(np.abs(a), np.abs(b)))


def ringed(x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
    return striped(np.hypot(x, y), y, period)


def dotted(x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
    """Discs on a triangular lattice: two rectangular lattices, one shifted by half a cell."""
    high = period * 3**0.5
    near = [np.hypot(_from_line(x - s * period, period), _from_line(y - s * high, high)) for s in (0, 0.5)]
    return _inside(0.31 * period - np.minimum(*near))


def zigzag(x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
    return striped(y + 1.2 * _from_line(x, 2.4 * period), x, period)


def netted(x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
    near = np.minimum(_from_line(x, period), _from_line(y, period))
    return _inside(0.13 * period - near)


def scaled(x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
    """Fish scales: rows of arcs, every other row shifted by half a scale; a lower row lies on top."""
    wide, high = 1.5 * period, 0.75 * period
    ink = np.zeros_like(x)
    for up in (2, 1, 0):  # the rows whose discs may reach this point, the top one last
        row = np.floor(y / high) - up
        distance = np.hypot(_from_line(x - row % 2 * wide / 2, wide), y - row * high)
        covered = distance < wide / 2 + 0.5
        ink = np.where(covered, _inside(distance - 0.36 * wide) * _inside(wide / 2 - distance), ink)
    return ink


def crossed(x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
    """Plus signs, apart from one another."""
    period = 1.25 * period
    a, b = _from_line(x, period), _from_line(y, period)
    return _inside(np.minimum(0.34 * period - np.maximum(a, b), 0.12 * period - np.minimum(a, b)))


PATTERNS: tuple[Pattern, ...] = (striped, checked, ringed, dotted, zigzag, netted, scaled, crossed)
NAMES = tuple(pattern.__name__ for pattern in PATTERNS)


def _from_line(z: np.ndarray, period: float) -> np.ndarray:
    """Distance to the nearest multiple of `period`, in pixels."""
    return np.abs(z - period * np.round(z / period))


def _inside(depth: np.ndarray) -> np.ndarray:
    """Coverage of a pixel whose centre lies `depth` pixels inside an edge."""
    return np.clip(0.5 + depth, 0, 1)
