"""Thin parts of a body: legs, a tail, a handle, two to four pixels of 128 wide."""

import numpy as np

PARTS = ("legs", "tail", "handle")
WIDE = (2, 4)  # pixels of a picture of 128
REACH = (14, 24)  # how far one sticks out
APART = 9  # from one leg to the next
ROOT = 0.8  # of the way from the middle to the outline: where one begins


def limbs(rng: np.random.Generator, outline: np.ndarray, centre: np.ndarray, size: int) -> np.ndarray:
    """Two kinds of thin parts on an outline ([N, 2], x and y in pixels): how much of each pixel they cover,
    float32 [size, size], 0..1. Each begins inside of it."""
    found = np.zeros((size, size), np.float32)
    scale = size / 128
    edge = _dense(outline - centre)
    for part in rng.choice(PARTS, 2, replace=False):
        wide = max(2.0, rng.uniform(*WIDE) * scale)
        for way in ways(rng, str(part), edge, scale):
            found = np.maximum(found, line(centre + way, wide, size))
    return found


def line(way: np.ndarray, wide: float, size: int) -> np.ndarray:
    """How much of each pixel a line through the points [M, 2] covers that is `wide` pixels wide, with round
    ends and corners, float32 [size, size]. OpenCV draws 2 as 3.4 pixels, and 3 and 4 alike as 5.4."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    away = np.full((size, size), np.inf, np.float32)  # from the nearest point of the line, squared
    for (left, top), (across, down) in zip(way[:-1].tolist(), np.diff(way, axis=0).tolist(), strict=True):
        share = np.clip(((x - left) * across + (y - top) * down) / (across**2 + down**2), 0, 1)
        away = np.minimum(away, (x - left - share * across) ** 2 + (y - top - share * down) ** 2)
    return np.clip(wide / 2 - np.sqrt(away) + 0.5, 0, 1)


def ways(rng: np.random.Generator, part: str, edge: np.ndarray, scale: float) -> list[np.ndarray]:
    """The middle lines of a part, each [M, 2], seen from the middle of the body."""
    reach, angle = rng.uniform(*REACH) * scale, rng.uniform(0, 2 * np.pi)
    out, side = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    start = _at(edge, angle)
    if part == "tail":  # it bends to one side
        step = np.linspace(ROOT - 1, 1, 16)[:, None]
        bend = rng.choice((-0.7, 0.7)) * reach * np.maximum(step, 0) ** 2
        return [start + np.where(step < 0, step * start, step * reach * out + bend * side)]
    apart = APART * scale / float(np.linalg.norm(start))  # as an angle
    if part == "handle":  # a bow whose ends are in the body
        ends = [_at(edge, angle + turn) for turn in (-apart, apart)]
        turn = np.linspace(0, np.pi, 16)[:, None]
        middle, half = (ends[0] + ends[1]) / 2, (ends[0] - ends[1]) / 2
        bow = middle + np.cos(turn) * half + np.sin(turn) * reach * out
        return [np.concatenate([[ROOT * ends[0]], bow, [ROOT * ends[1]]])]
    turns = apart * (np.arange(rng.integers(2, 5)) - 1)
    begins = [_at(edge, angle + turn) for turn in turns]
    level = max(begin @ out for begin in begins) + reach  # all feet are on it
    return [np.stack([ROOT * begin, begin + (level - begin @ out) * out]) for begin in begins]


def _dense(points: np.ndarray) -> np.ndarray:
    """Points along the outline, 16 of each side."""
    step = np.linspace(0, 1, 16, endpoint=False)[:, None]
    return (points[:, None] + step * (np.roll(points, -1, 0) - points)[:, None]).reshape(-1, 2)


def _at(edge: np.ndarray, angle: float) -> np.ndarray:
    """The outline's point in a direction from the middle."""
    return edge[np.argmax(edge @ (np.cos(angle), np.sin(angle)) / np.linalg.norm(edge, axis=1))]
