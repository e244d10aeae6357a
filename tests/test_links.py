"""What the pages link to is there: the files, and the headings in them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^()\s]+)\)")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.ipynb")])


def text(page: Path) -> str:
    """Without blocks of code; of a notebook the words."""
    found = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(found)["cells"]
        found = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.sub(r"^```.*?^```", "", found, flags=re.M | re.S)


def anchors(page: Path) -> Iterator[str]:
    """GitHub's names of its headings: small letters, no punctuation, a dash for each space."""
    for heading in re.findall(r"^#+ (.*)$", text(page), flags=re.M):
        yield re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in LINK.findall(text(page)):
        if re.match(r"\w+:", link):
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (heading and heading not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_a_heading_s_name() -> None:
    """As on GitHub."""
    assert "two-commands" in anchors(ROOT / "README.md")
    assert "same-inputs-same-bytes" in anchors(ROOT / "README.md")
    assert "where-do-i-put-" in anchors(ROOT / "docs/architecture.md")
