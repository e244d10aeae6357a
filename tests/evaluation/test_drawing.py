"""Names of any script in drawings: no two may look alike."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from stages.evaluation import drawing
from stages.evaluation.heat_map import heat_map

SCRIPTS = (
    "裂缝",
    "划痕",
    "бак",
    "дом",
    "Maße",
    "Małe",
    "ρωγμή",
    "אבג",
    "दरार",
    "ひび割れ",
    "crack",
    "🙂",
    "e\u0301",
)


@pytest.fixture(params=["as it is", "no fonts installed"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no fonts installed":
        drawing._file.cache_clear()
        monkeypatch.setattr(drawing, "_installed", list)
        request.addfinalizer(drawing._file.cache_clear)


def drawn(text: str) -> bytes:
    image, draw = drawing.canvas(300, 30)
    drawing.write(draw, (5, 5), text, drawing.INK, 14)
    return image.tobytes()


@pytest.mark.usefixtures("machine")
def test_no_two_names_are_drawn_alike() -> None:
    for one, other in itertools.combinations(SCRIPTS, 2):
        assert drawn(one) != drawn(other), (one, other)
        maps = [
            heat_map("seeds", np.eye(2, 3, dtype=np.int64), ("background", name)) for name in (one, other)
        ]
        assert maps[0] != maps[1], (one, other)


@pytest.mark.usefixtures("machine")
def test_a_font_that_draws_a_name_has_its_letters() -> None:
    for name in drawing.class_names(SCRIPTS):
        assert drawing.drawable(name) == name
        font = drawing.font(14, name)
        missing = np.asarray(font.getmask("\U0010fffd"))
        for letter in set(name) - {" "}:
            glyph = np.asarray(font.getmask(letter))
            assert glyph.shape != missing.shape or (glyph != missing).any(), (name, letter)


def test_a_name_without_a_font_is_its_number_and_code_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_file", lambda text: None)
    assert drawing.class_names(["background", "裂缝"]) == ["background", "1 \\u88c2\\u7f1d"]


def test_a_machines_font_is_used_where_it_alone_has_the_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Path("/fonts/Other.ttf")
    monkeypatch.setattr(drawing, "_installed", lambda: [Path("/fonts/none.ttf"), other])
    known = {drawing._dejavu(): frozenset(map(ord, "abc")), other: frozenset(map(ord, "裂缝 a"))}
    monkeypatch.setattr(drawing, "_letters", lambda file: known.get(file, frozenset()))
    drawing._file.cache_clear()
    try:
        assert drawing._file("裂缝 a") == other and drawing._file("裂缝 b") is None
        assert drawing._file("abc…") == drawing._dejavu()
    finally:
        drawing._file.cache_clear()


def test_plain_text_needs_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_file", lambda text: pytest.fail(text))
    assert drawing.shorten("a long name", 40, 13).endswith("…")
    assert drawing.text_width("name", 13) > 10
