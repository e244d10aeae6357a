"""Words of others in a terminal: names of classes, pictures and runs hold anything."""

from rich.markup import escape as escape_markup

from stages.common.door import visible


def escape(text: str) -> str:
    """Text that rich prints as it is: no markup, nothing that steers the terminal."""
    shown = visible(text)
    return escape_markup(f"{shown} " if shown.endswith("\\") else shown)  # or it would escape what follows
