"""Outlines of bodies. Any class may have any shape, so a shape says nothing about the class."""

import cv2
import numpy as np

SHAPES = ("ellipse", "box", "pebble", "polygon")
SHIFT = 4  # bits of a fraction in OpenCV's coordinates


def outline(rng: np.random.Generator) -> np.ndarray:
    """A closed outline about the origin, [N, 2] as (along, across), the longest half-axis 1."""
    shape = rng.choice(SHAPES)
    across = rng.uniform(0.5, 0.75)
    angles = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    if shape == "polygon":
        angles = np.linspace(0, 2 * np.pi, rng.integers(5, 8), endpoint=False)
        angles = angles + rng.uniform(-0.25, 0.25, len(angles))
    cos, sin = np.cos(angles), np.sin(angles)
    radius = np.ones_like(angles)
    if shape == "box":  # a superellipse: a box with round corners
        radius = (np.abs(cos) ** 6 + np.abs(sin) ** 6) ** (-1 / 6)
    if shape == "pebble":
        for wave in (2, 3):
            radius += rng.uniform(0.04, 0.1) * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    points = np.stack([radius * cos, radius * sin * across], axis=1)
    return points / np.abs(points).max()


def coverage(points: np.ndarray, size: int) -> np.ndarray:
    """How much of each pixel lies inside the outline (x, y in pixels), float32 [size, size], 0..1."""
    image = np.zeros((size, size), np.uint8)
    fixed = np.round(points * 2**SHIFT).astype(np.int32)
    cv2.fillPoly(image, [fixed], 255, cv2.LINE_AA, SHIFT)
    return image.astype(np.float32) / 255
