"""The objects: where one may lie, its shape, its class's pattern on one end, and how it is painted."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from stages.generate.limbs import limbs
from stages.generate.patterns import PATTERNS
from stages.generate.shapes import coverage, outline

NEAR = 0.6  # share of the further objects that are put beside or over another one
TILT = 0.35  # radians: patterns stand upright, as real things do, give or take
SEEN_BODY, SEEN_PATTERN = 0.5, 0.65  # of every object at least these shares stay visible
TRIES = 12  # placements of an object before the picture goes without it
LENGTHS = (26, 42)  # half of a body's longer axis, in pixels of a picture of 128

# Bodies, RGB: strong against the ground, yet of one family.
BODIES = np.array([
    (196, 74, 62), (222, 134, 58), (226, 182, 76), (92, 140, 84), (58, 128, 132),
    (66, 104, 164), (118, 86, 148), (186, 92, 128), (128, 84, 62), (70, 78, 96),
], np.float32)  # fmt: skip
DARK, PALE = np.array((34, 32, 44), np.float32), np.array((250, 244, 228), np.float32)  # inks


@dataclass
class Body:
    """An object before it is painted: coverage, the pattern's ink at its end, and the copy's at the far end,
    float32 [S, S], 0..1; `patterned` bool, the end that the pattern marks; `points`, [N, 2] as x and y, its
    outline, whose longer axis lies at `angle`; `thin`, bool [S, S], the limbs that were added."""

    kind: int
    centre: np.ndarray
    angle: float
    points: np.ndarray
    alpha: np.ndarray
    ink: np.ndarray
    copy: np.ndarray
    patterned: np.ndarray
    visible: np.ndarray = field(init=False)
    thin: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.visible = self.alpha >= 0.5
        self.thin = np.zeros_like(self.visible)


def place(rng: np.random.Generator, size: int, kind: int, others: list[Body]) -> Body | None:
    """A new body on top of the others, or None if it would hide too much of one of them."""
    for _ in range(TRIES if others else 1000):
        body = _body(rng, size, kind, others)
        if body is None:
            continue
        left = [other.visible & ~body.visible for other in others]
        if all(map(_seen, others, left)):
            for other, visible in zip(others, left, strict=True):
                other.visible = visible
            return body
    return None


def _seen(body: Body, visible: np.ndarray) -> bool:
    inside = body.alpha >= 0.5
    shown, pattern = visible.sum(), (visible & body.patterned).sum()
    return bool(shown >= SEEN_BODY * inside.sum() and pattern >= SEEN_PATTERN * body.patterned.sum())


def _body(rng: np.random.Generator, size: int, kind: int, others: list[Body]) -> Body | None:
    """A body at a random place, or None if the picture's edge cuts off more than a fifth of it."""
    scale = size / 128
    half = rng.uniform(*LENGTHS) * scale
    centre = rng.uniform(0.2, 0.8, 2) * size
    if others and rng.random() < NEAR:
        other = others[rng.integers(len(others))]
        angle = rng.uniform(0, 2 * np.pi)
        centre = other.centre + rng.uniform(28, 56) * scale * np.array([np.cos(angle), np.sin(angle)])
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = outline(rng)
    placed = centre + half * points @ turn
    alpha = coverage(placed, size)
    inside = alpha >= 0.5
    whole = cv2.contourArea((half * points).astype(np.float32))
    if inside.sum() < 0.8 * whole:
        return None

    y, x = np.mgrid[:size, :size].astype(np.float32)
    along = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    share = rng.uniform(0.35, 0.45)
    cut = np.quantile(along[inside], 1 - share)
    patterned = inside & (along > cut)
    if patterned.sum() < 0.25 * whole:  # the picture's edge took the evidence
        return None
    turned = rng.uniform(-TILT, TILT)
    period = max(4.0, rng.uniform(7, 10) * scale)
    ink = _ink(kind, patterned, turned, period) * np.clip(along - cut + 0.5, 0, 1)
    far = np.quantile(along[inside], share)
    copy = _ink(kind, inside & (along < far), turned, period) * np.clip(far - along + 0.5, 0, 1)
    return Body(kind, centre, angle, placed, alpha, ink, copy, patterned)


def _ink(kind: int, part: np.ndarray, turned: float, period: float) -> np.ndarray:
    """The class's pattern about the middle of a part of the body, on the whole picture."""
    y, x = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    middle = np.array([x[part].mean(), y[part].mean()])
    dx, dy = x - middle[0], y - middle[1]
    return PATTERNS[kind](
        dx * np.cos(turned) + dy * np.sin(turned), dy * np.cos(turned) - dx * np.sin(turned), period
    )


def add_limbs(rng: np.random.Generator, bodies: list[Body], thin: float) -> None:
    """Give `thin`, 0..1, of the bodies thin parts, which lie behind all other bodies and so hide none."""
    trunks = [body.alpha for body in bodies]
    for number, (body, own) in enumerate(zip(bodies, rng.spawn(len(bodies)), strict=True)):
        if own.random() < thin:
            found = limbs(own, body.points, body.centre, len(body.alpha))
            for other in trunks[:number] + trunks[number + 1 :]:
                found = found * (1 - other)
            body.thin = (found >= 0.5) & (body.alpha < 0.5)
            body.ink, body.copy = (np.where(found > body.alpha, 0, ink) for ink in (body.ink, body.copy))
            body.alpha = np.maximum(body.alpha, found)


def paint(rng: np.random.Generator, picture: np.ndarray, body: Body, second_mark: float) -> np.ndarray:
    """The body over the picture: one colour, faintly shaded, inked at its ends."""
    colour = coat(rng)
    dark = colour @ (0.299, 0.587, 0.114) < 128
    fill = shaded(colour, body.centre, len(picture))
    ink = (body.ink + second_mark * body.copy)[..., None]
    return lay(picture, body.alpha, fill + ink * ((PALE if dark else DARK) - fill))


def coat(rng: np.random.Generator) -> np.ndarray:
    """A body's colour, RGB [3]."""
    return BODIES[rng.integers(len(BODIES))] + rng.uniform(-14, 14, 3)


def shaded(colour: np.ndarray, centre: np.ndarray, size: int) -> np.ndarray:
    """A colour that is a little lighter towards the upper left of `centre`, RGB [size, size, 3]."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    slope = ((centre[1] - y) + 0.5 * (centre[0] - x)) / size
    return np.asarray(colour * (1 + 0.12 * slope[..., None]))


def lay(picture: np.ndarray, alpha: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """What `alpha` covers, in `fill`, over the picture, and its soft shadow."""
    size = len(picture)
    away, blur = 2.5 * size / 128, 2.0 * size / 128
    moved = cv2.warpAffine(alpha, np.array([[1, 0, away], [0, 1, away]], np.float32), (size, size))
    shadow = cv2.GaussianBlur(moved, (0, 0), blur)[..., None]
    over = alpha[..., None]
    return np.asarray(over * fill + (1 - over) * picture * (1 - 0.22 * shadow))
