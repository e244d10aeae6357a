"""One mask in, its class indices out. Raises ValueError saying what is wrong with the file."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from stages.common.artifacts import UNKNOWN
from stages.dataset.decode import Decoded, frames, open_image, orientation
from stages.dataset.depth import BITS, png_bits

LOSSLESS = ("PNG", "BMP", "TIFF")
CHANGING = ("JPEG", "WEBP", "GIF")  # by compression, or as writers of GIF sort the palette
TURNS = {  # what EXIF's orientation asks for
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
SMOOTH = 5  # values that no class has: so many come of smoothing, fewer of grey levels
NEAREST = "resize masks with nearest neighbour (or threshold them) and save them without loss"

Colour = tuple[int, ...]  # red, green, blue


@dataclass(frozen=True)
class MaskFacts:
    """Pixels by index, and the palette's colours, of the indices that are used.

    `unsure`: the picture is turned by EXIF, and the mask fits both ways.
    """

    counts: dict[int, int]
    colours: dict[int, Colour]
    unsure: bool


@dataclass(frozen=True)
class Mask:
    """Class indices, uint8 [H, W]; the others as in MaskFacts."""

    values: np.ndarray
    colours: dict[int, Colour]
    unsure: bool

    def facts(self) -> MaskFacts:
        indices, counts = np.unique(self.values, return_counts=True)
        return MaskFacts(dict(zip(indices.tolist(), counts.tolist(), strict=True)), self.colours, self.unsure)


def decode_mask(content: bytes, picture: Decoded, classes: int, max_megapixels: float) -> Mask:
    """The mask of a picture: 0 to `classes`, and 255 (void).

    Read are palette and grey pictures of indices, also as RGB or RGBA of equal channels, or of 16 bits,
    in a format without loss. White of 1 bit is 255. An EXIF orientation of the mask's own is applied.
    """
    image = open_image(content, max_megapixels, (*LOSSLESS, *CHANGING))
    if image.format in CHANGING or image.info.get("compression") == "jpeg":
        raise ValueError(f"mask is stored as {image.format} may be, which changes values: save it as PNG")
    if frames(image) > 1:
        raise ValueError("mask holds several pictures: save it as PNG")
    own = orientation(image)
    palette = image.getpalette("RGB") if image.mode == "P" else None
    values = _turned(_indices(image, content), own)
    _check_size(values, picture, own)
    _check_values(values, classes)
    unsure = own == 1 and picture.orientation in TURNS
    if unsure:
        other = _turned(values, picture.orientation)
        unsure = other.shape == values.shape and not np.array_equal(other, values)
    used = [index for index in np.unique(values).tolist() if index != UNKNOWN]
    colours = {i: tuple(palette[3 * i : 3 * i + 3]) for i in used} if palette else {}
    return Mask(values, colours, unsure)


def _indices(image: Image.Image, content: bytes) -> np.ndarray:
    """uint8 [H, W]. ValueError for a picture that cannot hold indices, or whose indices Pillow changes."""
    values = np.asarray(image)
    bits = png_bits(content) if image.format == "PNG" else 8
    if image.format == "TIFF":
        bits = min(image.tag_v2.get(BITS, (8,)))  # type: ignore[attr-defined]
    if image.mode == "1":
        return np.where(values, UNKNOWN, 0).astype(np.uint8)
    if image.mode in ("L", "LA", "RGB", "RGBA") and bits != 8:  # index 3 of 2 bits would be 255
        raise ValueError(f"mask is {image.mode} of {bits} bits: save it as palette or 8-bit grey PNG")
    if image.mode in ("P", "L"):
        return values.astype(np.uint8)
    if image.mode == "I" or image.mode.startswith("I;16"):
        if values.min() < 0 or values.max() > UNKNOWN:
            raise ValueError(f"mask holds {values.min()} to {values.max()}: class indices go to {UNKNOWN}")
        return values.astype(np.uint8)
    if image.mode in ("LA", "RGBA", "RGB"):
        if image.mode != "RGB" and values[..., -1].min() < 255:
            raise ValueError("mask is transparent in parts: save it as palette or 8-bit grey PNG")
        channels = values[..., :-1] if image.mode != "RGB" else values
        if (channels == channels[..., :1]).all():
            return np.ascontiguousarray(channels[..., 0])
        colours = len(np.unique(channels.reshape(-1, channels.shape[-1]), axis=0))
        raise ValueError(
            f"mask is {image.mode} of {colours} colours: it must be a palette or grey image of class "
            "indices. Of a colour for each class make its index: 0 background, n the n-th class, 255 void"
        )
    raise ValueError(f"mask is {image.mode}: it must be a palette or grey image of class indices")


def _turned(values: np.ndarray, orientation: int) -> np.ndarray:
    if orientation not in TURNS:
        return values
    return np.asarray(Image.fromarray(values).transpose(TURNS[orientation])).copy()


def _check_size(values: np.ndarray, picture: Decoded, own: int) -> None:
    height, width = values.shape
    if (width, height) == (picture.width, picture.height):
        return
    said = f"mask is {width}x{height}, its picture {picture.width}x{picture.height}"
    if own in TURNS:
        said += f" (the mask is turned by its own EXIF orientation, {own})"
    elif (height, width) == (picture.width, picture.height) and picture.orientation in TURNS:
        said += (
            f" once turned by its EXIF orientation ({picture.orientation}): the mask was drawn on the "
            "picture as stored. Turn the mask too, or take the orientation out of the picture's EXIF"
        )
    raise ValueError(said)


def _check_values(values: np.ndarray, classes: int) -> None:
    counts = np.bincount(values.ravel(), minlength=256)
    strange = [value for value in np.flatnonzero(counts).tolist() if classes < value < UNKNOWN]
    if not strange:
        return
    allowed = f"allowed are 0 to {classes} (the classes) and {UNKNOWN} (void)"
    grey = strange[-1] > 2 * classes + 20  # else a few pixels beside void may be a class
    if len(strange) >= SMOOTH or (grey and 10 * counts[strange].sum() <= counts[UNKNOWN]):
        # No value of its own: the same words for all such masks of a set.
        raise ValueError(f"mask holds values between the classes' and 255, as smoothing leaves: {NEAREST}")
    found = ", ".join(map(str, strange))
    hint = "write indices, not grey levels" if grey else "is a class not listed?"
    raise ValueError(f"mask holds {found}: {allowed}; {hint}")
