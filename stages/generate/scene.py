"""A picture of objects on ground, and which pixel belongs to which object."""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.generate import road
from stages.generate.bodies import Body, add_limbs, paint, place
from stages.generate.clutter import strew
from stages.generate.ground import GROUNDS, ground, light
from stages.generate.kinds import paired, rarer
from stages.generate.params import Generate

CONTEXT = 0.5  # share of the pictures whose ground is the one that goes with their first class


@dataclass(frozen=True)
class Scene:
    """`picture` uint8 RGB [S, S, 3]; `instances` uint8 [S, S], n for the n-th object, 0 for ground;
    `evidence` bool [S, S], where a pattern is visible (not its fainter copy on the far end); `thin` bool
    [S, S], where a limb is; `classes`, 0-based, one per object."""

    picture: np.ndarray
    instances: np.ndarray
    evidence: np.ndarray
    thin: np.ndarray
    classes: tuple[int, ...]


def draw(rng: np.random.Generator, params: Generate, index: int) -> Scene:
    """The picture of a number, whose first object's class goes round.

    What is optional has random numbers of its own. `second_mark`, `road` and `clutter` change no mask, `thin`
    and `rare` move no object; `pairs` draws other classes, and more objects, where a picture needs them.
    """
    tail, pair, way, things, parts = rng.spawn(5)  # which takes no number of rng itself
    first = index % params.classes
    if index >= params.classes:  # the first round has every class
        first = rarer(tail, first, params.classes, params.rare)
    size, together = params.size, pair.random() < params.pairs
    kind = first if rng.random() < CONTEXT else int(rng.integers(len(GROUNDS)))
    bodies = _bodies(rng, tail, params, first, together)
    add_limbs(parts, bodies, params.thin)

    picture = ground(rng, size, kind)
    host = next((body for body in bodies if body.kind == road.KIND), None)
    if host is not None and way.random() < params.road:
        picture = road.pave(way, picture, host.centre, host.angle)
    picture = strew(things, picture, params.clutter)
    instances = np.zeros((size, size), np.uint8)
    evidence, thin = np.zeros((2, size, size), bool)
    for number, body in enumerate(bodies, 1):
        picture = paint(rng, picture, body, params.second_mark)
        inside = body.alpha >= 0.5
        instances[inside] = number
        evidence[inside], thin[inside] = body.patterned[inside], body.thin[inside]
    picture = picture * light(rng, size) + rng.normal(0, 1.5, (size, size, 1))
    shown = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    return Scene(shown, instances, evidence, thin, tuple(body.kind for body in bodies))


def _bodies(
    rng: np.random.Generator, tail: np.random.Generator, params: Generate, first: int, together: bool
) -> list[Body]:
    """The objects of a picture, the lowest first; with `together`, none of the pair without the other."""
    found = [place(rng, params.size, first, [])]
    number = rng.integers(1, params.objects + 1)
    for slot in range(1, params.objects):
        here = [body for body in found if body]
        kind = None
        if slot < number:
            kind = rarer(tail, int(rng.integers(params.classes)), params.classes, params.rare)
        if together:
            kind = paired([body.kind for body in here], kind, slot == params.objects - 1)
        if kind is not None:
            found.append(place(rng, params.size, kind, here))
    return [body for body in found if body]


def labels(scene: Scene) -> np.ndarray:
    """Truth, uint8 [S, S]: 0 ground, class + 1, and 255 on a border of two pixels or more.

    A limb keeps its class, or the border would take all of it: there the border lies outside.
    """
    mask = np.array((0, *(kind + 1 for kind in scene.classes)), np.uint8)[scene.instances]
    wide = 2 * max(1, round(len(mask) / 128)) + 1
    kernel = np.ones((wide, wide), np.uint8)
    border = cv2.dilate(scene.instances, kernel) != cv2.erode(scene.instances, kernel)
    mask[border & ~scene.thin] = 255
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
