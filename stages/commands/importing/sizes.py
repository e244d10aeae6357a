"""The size of a picture by its header."""

import warnings
from pathlib import Path

from PIL import Image

from stages.dataset.decode import FORMATS, orientation


def stored_size(path: Path) -> tuple[tuple[int, int], int]:
    """(width, height) as stored, and EXIF's orientation. ValueError for what is no picture that is read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of large pictures: the step has a limit
            with Image.open(path, formats=FORMATS) as image:
                return image.size, orientation(image)
    except FileNotFoundError:
        raise ValueError("is missing") from None
    except Exception as error:  # Pillow's readers raise nearly any kind on damaged files
        cause = "" if isinstance(error, Image.UnidentifiedImageError) else f": {error}"
        raise ValueError(f"unreadable, or not {'/'.join(FORMATS)}{cause}") from None


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) once EXIF has turned it. ValueError as above."""
    size, turn = stored_size(path)
    return size[::-1] if turn >= 5 else size
