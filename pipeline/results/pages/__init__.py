"""Pages that people open: one self-contained file each, without a network, from templates in this folder."""

import base64
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}


def render(template: str, **values: object) -> str:
    """The text of a page; a value that a template asks for and that is not given is an error."""
    return _environment().get_template(template).render(**values)


def data_uri(path: Path, suffix: str = "") -> str:
    """A picture as part of the page itself; `suffix` of one whose file has none, as in DVC's cache."""
    return f"data:{TYPES[suffix or path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
