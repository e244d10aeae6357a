"""What people drew on a picture, over it: boxes, points and strokes in the colours of their classes."""

from collections.abc import Sequence

import cv2
import numpy as np

from stages.common.annotations import Box, Point
from stages.common.artifacts import UNKNOWN
from stages.common.drawing.colours import class_colours, colour

GROUND = (255, 255, 255)  # of a stroke or a point on the background
FAINT, WIDE, LARGE = 0.55, 2, 3  # of the picture below strokes; pixels of a box's line; of a point's radius


def with_boxes(picture: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Over RGB uint8 [H, W, 3]: a line of two pixels inside each box, the smaller boxes on top."""
    shown = picture.copy()
    for box in sorted(boxes, key=lambda box: (box.left - box.right) * (box.bottom - box.top)):
        inside = shown[box.top : box.bottom, box.left : box.right]
        rim = np.ones(inside.shape[:2], bool)
        rim[WIDE:-WIDE, WIDE:-WIDE] = False
        inside[rim] = colour(box.label)
    return shown


def with_points(picture: np.ndarray, points: Sequence[Point]) -> np.ndarray:
    """Over RGB uint8 [H, W, 3]: a disc with a dark rim at each point."""
    shown = picture.copy()
    for point in points:
        at, shade = (point.x, point.y), colour(point.label) if point.label else GROUND
        cv2.circle(shown, at, LARGE + 1, (0, 0, 0), cv2.FILLED)
        cv2.circle(shown, at, LARGE, shade, cv2.FILLED)
    return shown


def with_strokes(picture: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Over RGB uint8 [H, W, 3], which fades: the strokes of uint8 [H, W], white on the background."""
    shown = (FAINT * picture).astype(np.uint8)
    drawn = marks != UNKNOWN
    shown[drawn] = class_colours()[marks[drawn]]
    shown[marks == 0] = GROUND
    return shown
