"""A picture of objects on ground, and which pixel belongs to which object."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from stages.generate.ground import GROUNDS, ground, light
from stages.generate.patterns import PATTERNS
from stages.generate.shapes import coverage, outline

CONTEXT = 0.5  # share of the pictures whose ground is the one that goes with their first class
NEAR = 0.6  # share of the further objects that are put beside or over another one
TILT = 0.35  # radians: patterns stand upright, as real things do, give or take
SEEN_BODY, SEEN_PATTERN = 0.5, 0.65  # of every object at least these shares stay visible
TRIES = 12  # placements of an object before the picture goes without it

# Bodies, RGB: strong against the ground, yet of one family.
BODIES = np.array([
    (196, 74, 62), (222, 134, 58), (226, 182, 76), (92, 140, 84), (58, 128, 132),
    (66, 104, 164), (118, 86, 148), (186, 92, 128), (128, 84, 62), (70, 78, 96),
], np.float32)  # fmt: skip
DARK, PALE = np.array((34, 32, 44), np.float32), np.array((250, 244, 228), np.float32)  # inks


@dataclass(frozen=True)
class Scene:
    """`picture` uint8 RGB [S, S, 3]; `instances` uint8 [S, S], n for the n-th object, 0 for ground;
    `evidence` bool [S, S], where a pattern is visible (not its fainter copy on the far end); `classes`,
    0-based, one per object."""

    picture: np.ndarray
    instances: np.ndarray
    evidence: np.ndarray
    classes: tuple[int, ...]


@dataclass
class Body:
    """An object before it is painted: coverage, the pattern's ink at its end, and the copy's at the far end,
    float32 [S, S], 0..1; `patterned` bool, the end that the pattern marks."""

    kind: int
    centre: np.ndarray
    alpha: np.ndarray
    ink: np.ndarray
    copy: np.ndarray
    patterned: np.ndarray
    visible: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.visible = self.alpha >= 0.5


def draw(
    rng: np.random.Generator, size: int, classes: int, objects: int, first: int, second_mark: float
) -> Scene:
    """A picture of up to `objects` objects of `classes` classes, of which the first is given.

    `second_mark` is the contrast, 0..1, of the pattern on the bodies' far ends. Scenes that differ in it
    alone are the same but for that ink: it takes no random number and moves no object.
    """
    kind = first if rng.random() < CONTEXT else int(rng.integers(len(GROUNDS)))
    bodies = [_place(rng, size, first, [])]
    for _ in range(rng.integers(1, objects + 1) - 1):
        bodies.append(_place(rng, size, int(rng.integers(classes)), [b for b in bodies if b]))
    present = [body for body in bodies if body]

    picture = ground(rng, size, kind)
    instances = np.zeros((size, size), np.uint8)
    evidence = np.zeros((size, size), bool)
    for number, body in enumerate(present, 1):
        picture = _paint(rng, picture, body, second_mark)
        inside = body.alpha >= 0.5
        instances[inside], evidence[inside] = number, body.patterned[inside]
    picture = picture * light(rng, size) + rng.normal(0, 1.5, (size, size, 1))
    shown = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    return Scene(shown, instances, evidence, tuple(body.kind for body in present))


def labels(scene: Scene) -> np.ndarray:
    """Truth, uint8 [S, S]: 0 ground, class + 1, and 255 on a border of two pixels or more."""
    mask = np.array((0, *(kind + 1 for kind in scene.classes)), np.uint8)[scene.instances]
    wide = 2 * max(1, round(len(mask) / 128)) + 1
    kernel = np.ones((wide, wide), np.uint8)
    mask[cv2.dilate(scene.instances, kernel) != cv2.erode(scene.instances, kernel)] = 255
    return mask


def boxes(scene: Scene) -> list[tuple[int, int, int, int, int]]:
    """Of each object: class, then first and last column and row of its visible part as
    (class, xmin, ymin, xmax, ymax), from 1 as in VOC."""
    found = []
    for number, kind in enumerate(scene.classes, 1):
        y, x = np.nonzero(scene.instances == number)
        left, top, right, bottom = (int(v) + 1 for v in (x.min(), y.min(), x.max(), y.max()))
        found.append((kind, left, top, right, bottom))
    return found


def _place(rng: np.random.Generator, size: int, kind: int, others: list[Body]) -> Body | None:
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
    half = rng.uniform(26, 42) * scale
    centre = rng.uniform(0.2, 0.8, 2) * size
    if others and rng.random() < NEAR:
        other = others[rng.integers(len(others))]
        angle = rng.uniform(0, 2 * np.pi)
        centre = other.centre + rng.uniform(28, 56) * scale * np.array([np.cos(angle), np.sin(angle)])
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = outline(rng)
    alpha = coverage(centre + half * points @ turn, size)
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
    return Body(kind, centre, alpha, ink, copy, patterned)


def _ink(kind: int, part: np.ndarray, turned: float, period: float) -> np.ndarray:
    """The class's pattern about the middle of a part of the body, on the whole picture."""
    y, x = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    middle = np.array([x[part].mean(), y[part].mean()])
    dx, dy = x - middle[0], y - middle[1]
    return PATTERNS[kind](
        dx * np.cos(turned) + dy * np.sin(turned), dy * np.cos(turned) - dx * np.sin(turned), period
    )


def _paint(rng: np.random.Generator, picture: np.ndarray, body: Body, second_mark: float) -> np.ndarray:
    """The body over the picture: a soft shadow, then one colour, faintly shaded, inked at its ends."""
    size = len(picture)
    colour = BODIES[rng.integers(len(BODIES))] + rng.uniform(-14, 14, 3)
    dark = colour @ (0.299, 0.587, 0.114) < 128
    y, x = np.mgrid[:size, :size].astype(np.float32)
    slope = ((body.centre[1] - y) + 0.5 * (body.centre[0] - x)) / size
    fill = colour * (1 + 0.12 * slope[..., None])
    ink = (body.ink + second_mark * body.copy)[..., None]
    fill = fill + ink * ((PALE if dark else DARK) - fill)

    away, blur = 2.5 * size / 128, 2.0 * size / 128
    moved = cv2.warpAffine(body.alpha, np.array([[1, 0, away], [0, 1, away]], np.float32), (size, size))
    shadow = cv2.GaussianBlur(moved, (0, 0), blur)[..., None]
    alpha = body.alpha[..., None]
    return alpha * fill + (1 - alpha) * picture * (1 - 0.22 * shadow)
