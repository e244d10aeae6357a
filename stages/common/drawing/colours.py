"""The colours of classes in drawings and pages; a mask's PNG keeps the palette of its format.

The colours of PASCAL VOC are dark red, green, olive and the like: to a person who sees no red or no green
many of its first 20 are one. Those here were searched for the largest distance of the nearest two, as seen
by normal, protan, deutan and tritan eyes (Machado 2009): 19.6 in CIELAB among the first 20, where VOC's
come to 1.0. The first few lie furthest apart. No palette does that for many more classes than 20: names
stand beside the colours, and regions have an outline.
"""

from functools import cache

import numpy as np

from stages.common.artifacts import UNKNOWN, palette

FIRST = bytes.fromhex(
    "4b69ffc30000f0a5b487ff00692d5ab4b45a870f1ea596ff96c3f06900ff5a2d87c3f0694ba5693c694bf01e96ffe1b4"
    "78ffffd278008700c3d23cc3a5693ca587b4d2b4002de187875a78c3004bf06969c300f00f87d2b4f0d25a5aa5960000"
    "ff78d2b4873ce1b4d2783cb496e13cff4bf0b45a692d4b7878a58700ff87c35a0069d2961e78965a00d2c3d269b4a52d"
)  # red, green and blue of the classes 1, 2, ...
NONE, HATCH = (236, 236, 230), (150, 150, 146)  # no class: void in the truth, unknown in a result
OBJECT, CREAM = 254, (245, 232, 170)  # a label for an object of any class, where results tell no classes
UNKNOWN_CSS = "repeating-linear-gradient(45deg, #ecece6 0 2px, #969692 2px 4px)"


@cache
def class_colours() -> np.ndarray:
    """Colours by class index, uint8 [256, 3]: black is the background; those behind the list are VOC's."""
    colours = palette()
    colours[0], colours[OBJECT], colours[UNKNOWN] = 0, CREAM, NONE
    first = np.frombuffer(FIRST, np.uint8).reshape(-1, 3)
    colours[1 : 1 + len(first)] = first
    colours.flags.writeable = False
    return colours


def colour(index: int) -> tuple[int, int, int]:
    """The colour of a class."""
    red, green, blue = class_colours()[index].tolist()
    return red, green, blue


def css(colour: tuple[int, ...]) -> str:
    """A colour as a page writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
