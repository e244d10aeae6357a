"""Drawings for pages: matplotlib figures as SVG text that takes its colours from the page.

matplotlib draws with stand-ins for ink and grid, which are then replaced by the page's CSS variables, so
that one drawing serves the light and the dark scheme. A drawing for elsewhere gets real colours.
"""

import io
import re
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

INK, GRID = "#010203", "#040506"  # stand-ins: colours that nothing else has
COLOURS = ("#2f6fbf", "#d97706", "#2a9d68", "#b0479b", "#7a7f87", "#c0392b")  # legible on both papers
PAGE = {INK: "var(--ink)", GRID: "var(--grid)"}
PAPER = {INK: "#1d2024", GRID: "#e2e2dc"}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the page's font
    "svg.hashsalt": "wsss",  # equal drawings are equal bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
}


def figure(width: float, height: float) -> Figure:
    """An empty figure of width x height inches; draw in it inside `style()`."""
    return Figure(figsize=(width, height), layout="constrained")


def style() -> AbstractContextManager[None]:
    """`with charts.style():` around everything that draws."""
    return matplotlib.rc_context(STYLE)


def svg(drawn: Figure) -> str:
    """Inline SVG for a page: colours by CSS variables, no XML header, as wide as its place allows."""
    text = _plain(drawn, PAGE)
    return text[text.index("<svg") :]


def standalone(drawn: Figure) -> str:
    """An SVG file of its own, on white."""
    drawn.set_facecolor("white")
    return _plain(drawn, PAPER)


def _plain(drawn: Figure, colours: dict[str, str]) -> str:
    buffer = io.StringIO()
    with style():
        drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    for stand_in, colour in colours.items():
        text = text.replace(stand_in, colour)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", text)
