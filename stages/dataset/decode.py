"""One picture in, its canonical form out. Raises ValueError saying what is wrong with the file."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from stages.dataset.depth import (
    ORIENTATION,
    SIXTEEN,
    White,
    dim,
    extremes,
    is_deep,
    png_bits,
    to_8_bits,
)
from stages.dataset.files import read_file

COPIED = {"JPEG": ".jpg", "PNG": ".png"}
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # none that starts a program, as EPS does
BLACK, NEARLY = 16, 0.001  # a picture is nearly black if at most this share of its pixels is as bright


@dataclass(frozen=True)
class Decoded:
    """A picture as it is stored: the bytes, their suffix, and the size in pixels. Notes say what is odd.

    `pixels` is a hash of what is seen, equal for equal pictures; `orientation` is EXIF's of the file.
    """

    content: bytes
    suffix: str
    width: int
    height: int
    notes: tuple[str, ...] = ()
    pixels: str = ""
    orientation: int = 1


def decode_picture(content: bytes, max_megapixels: float, white: White = SIXTEEN) -> Decoded:
    """The file's content itself where it is a plain 8-bit RGB JPEG or PNG; else an RGB PNG of it.

    Grey, palette, RGBA (over white), CMYK, 16 bit (`white` is of the whole set), EXIF-rotated and other
    formats are converted, once, here; no later stage needs to know.
    """
    image = open_image(content, max_megapixels)
    notes = _frames(image)
    if _is_plain(image, content):
        suffix, notes = COPIED[image.format or ""], notes + _dark(image)
        return Decoded(content, suffix, image.width, image.height, notes, _pixels(image))
    shallow, dark = _to_8_bits(image, content, white)
    rgb = _to_rgb(shallow)
    buffer = io.BytesIO()
    rgb.save(buffer, "PNG")
    notes += _transparent(shallow) or dark or _dark(rgb)
    turned = orientation(image)
    return Decoded(buffer.getvalue(), ".png", rgb.width, rgb.height, notes, _pixels(rgb), turned)


def is_deep_file(content: bytes, max_megapixels: float) -> bool:
    """By the header of a picture: more than 8 bits a channel. Not what cannot be read: decoding says why."""
    try:
        with _limited(max_megapixels):
            return is_deep(Image.open(io.BytesIO(content), formats=FORMATS), content)
    except Exception:  # Pillow's readers raise nearly any kind on damaged files
        return False


def extremes_of(content: bytes, max_megapixels: float) -> tuple[int, float, float]:
    """Highest whole number, lowest and highest float of a picture; (-1, 1, -1) of one that cannot be read."""
    try:
        return extremes(open_image(content, max_megapixels), content)
    except Exception:  # as above
        return -1, 1.0, -1.0


def read_bytes(path: Path, max_megapixels: float) -> bytes:
    """The content of a file that is not larger than the largest picture without compression."""
    return read_file(path, int(max_megapixels * 1e6 * 8) + (16 << 20))


def open_image(content: bytes, max_megapixels: float, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """The decoded image. The size is checked from the header, before a bomb goes off."""
    try:
        with _limited(max_megapixels):
            image = Image.open(io.BytesIO(content), formats=formats)
            image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        size = str(error).split(" exceeds")[0]
        raise ValueError(f"{size} is more than dataset.max_megapixels ({max_megapixels:g})") from None
    except UnidentifiedImageError:
        raise ValueError(f"unreadable or truncated, or not {'/'.join(formats)}") from None
    except Exception as error:  # Pillow's readers raise nearly any kind on damaged files
        raise ValueError(f"unreadable or truncated: {error}") from None
    return image


@contextmanager
def _limited(max_megapixels: float) -> Iterator[None]:
    """Pillow's check of the size, also that of frames and tiles, with our limit in place of its own."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = int(max_megapixels * 1e6)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which no stage reads
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _is_plain(image: Image.Image, content: bytes) -> bool:
    if image.mode != "RGB" or image.format not in COPIED or "transparency" in image.info:
        return False
    if image.format == "PNG" and png_bits(content) != 8:
        return False
    return orientation(image) == 1


def _to_8_bits(image: Image.Image, content: bytes, white: White) -> tuple[Image.Image, tuple[str, ...]]:
    """The picture of 8 bits, and a note if it is dark beside others of its set."""
    try:
        return to_8_bits(image, content, white), dim(image, content, white)
    except ValueError:
        raise
    except Exception as error:  # tags may hold anything
        raise ValueError(f"damaged: {error}") from None


def _to_rgb(image: Image.Image) -> Image.Image:
    """Upright, on white."""
    try:
        image = ImageOps.exif_transpose(image)
    except Exception as error:  # it writes the other tags anew, and fails with any kind on damaged ones
        raise ValueError(f"damaged EXIF data: {error}") from None
    try:
        if _has_alpha(image):
            rgba = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        return image.convert("RGB")
    except ValueError:
        raise ValueError(f"picture of mode {image.mode}, which is not converted: save it as RGB") from None


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info


def _pixels(image: Image.Image) -> str:
    size = f"{image.width}x{image.height}".encode()
    return hashlib.blake2b(size + image.tobytes(), digest_size=16).hexdigest()


def orientation(image: Image.Image) -> int:
    """EXIF's, 1 where nothing is to be turned. Raises ValueError for damaged EXIF data."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return int(image.getexif().get(ORIENTATION, 1))
    except Exception as error:  # Pillow's readers raise nearly any kind on damaged files
        raise ValueError(f"damaged EXIF data: {error}") from None


def frames(image: Image.Image) -> int:
    """How many pictures a file holds. Raises ValueError where it does not say."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception as error:  # as above
        raise ValueError(f"unreadable or truncated: {error}") from None


def _frames(image: Image.Image) -> tuple[str, ...]:
    if image.format == "MPO" or frames(image) == 1:
        return ()  # a MPO is a photograph and its preview
    return ("holds several pictures: the first is taken",)


def _transparent(image: Image.Image) -> tuple[str, ...]:
    if not _has_alpha(image) or image.convert("RGBA").getchannel("A").getextrema()[1]:
        return ()
    return ("is transparent everywhere, so it becomes white",)


def _dark(image: Image.Image) -> tuple[str, ...]:
    bright = sum(image.convert("L").histogram()[BLACK:])
    if bright > NEARLY * image.width * image.height:
        return ()
    return (f"is nearly black: hardly a value above {BLACK - 1} of 255",)
