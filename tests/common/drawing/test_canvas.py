"""Names of any script in drawings: no two may look alike."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stages.common.drawing import canvas
from stages.common.drawing.heat_map import heat_map

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
        canvas._file.cache_clear()
        monkeypatch.setattr(canvas, "_installed", list)
        request.addfinalizer(canvas._file.cache_clear)


def drawn(text: str) -> bytes:
    image, draw = canvas.canvas(300, 30)
    canvas.write(draw, (5, 5), text, canvas.INK, 14)
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
    for name in canvas.class_names(SCRIPTS):
        assert canvas.drawable(name) == name
        font = canvas.font(14, name)
        missing = np.asarray(font.getmask("\U0010fffd"))
        for letter in set(name) - {" "}:
            glyph = np.asarray(font.getmask(letter))
            assert glyph.shape != missing.shape or (glyph != missing).any(), (name, letter)


def test_a_name_without_a_font_is_its_number_and_code_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "_file", lambda text: None)
    assert canvas.class_names(["background", "裂缝"]) == ["background", "1 \\u88c2\\u7f1d"]


def test_a_machines_font_is_used_where_it_alone_has_the_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Path("/fonts/Other.ttf")
    monkeypatch.setattr(canvas, "_installed", lambda: [Path("/fonts/none.ttf"), other])
    known = {canvas._dejavu(): frozenset(map(ord, "abc")), other: frozenset(map(ord, "裂缝 a"))}
    monkeypatch.setattr(canvas, "_letters", lambda file: known.get(file, frozenset()))
    canvas._file.cache_clear()
    try:
        assert canvas._file("裂缝 a") == other and canvas._file("裂缝 b") is None
        assert canvas._file("abc…") == canvas._dejavu()
    finally:
        canvas._file.cache_clear()


def test_plain_text_needs_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "_file", lambda text: pytest.fail(text))
    assert canvas.shorten("a long name", 40, 13).endswith("…")
    assert canvas.text_width("name", 13) > 10


def test_a_text_is_as_wide_as_its_font_says_to_the_next_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    font = type("Font", (), {"getlength": lambda self, text: 7.25 * len(text)})()
    monkeypatch.setattr(canvas, "font", lambda size, text: font)
    assert canvas.text_width("abc", 13) == 22 and canvas.text_width("abcd", 13) == 29


def test_a_cut_text_is_the_longest_that_fits() -> None:
    text = "a name"
    whole = canvas.text_width(text, 13)
    assert 20 < whole < 60
    for width in range(60):
        fits = [s for n in range(6) if canvas.text_width(s := text[:n] + "…", 13) <= width]
        assert canvas.shorten(text, width, 13) == (text if whole <= width else max([*fits, "…"], key=len))


@pytest.mark.parametrize(
    ("letter", "plain"), [(" ", 1), ("~", 1), ("…", 1), ("\x1f", 0), ("\x7f", 0), ("é", 0)]
)
def test_plain_letters_are_those_of_ascii_and_the_ellipsis(letter: str, plain: int) -> None:
    assert canvas._is_plain("a" + letter) == bool(plain)


def test_fonts_that_are_regular_come_first_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    files = ["/f/A-Bold.ttf", "/g/C-Regular.ttf", "/f/B-Italic.ttf", "/h/b-regular.ttf"]
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: files)
    names = [file.name for file in canvas._installed.__wrapped__()]
    assert names == ["C-Regular.ttf", "b-regular.ttf", "A-Bold.ttf", "B-Italic.ttf"]


def test_a_file_that_is_no_font_has_no_letters(tmp_path: Path) -> None:
    (tmp_path / "no.ttf").write_text("no font")
    assert canvas._letters(tmp_path / "no.ttf") == frozenset() == canvas._letters(tmp_path / "away.ttf")
    letters = canvas._letters(canvas._dejavu())
    assert {ord("a"), 0x3C1} < letters and ord("裂") not in letters  # a Greek letter, but no Chinese one


def test_letters_without_a_font_are_drawn_with_dejavu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "_file", lambda text: None)
    canvas.font.cache_clear()
    try:
        font = canvas.font(21, "裂")
    finally:
        canvas.font.cache_clear()
    assert isinstance(font, ImageFont.FreeTypeFont) and (font.getname()[0], font.size) == ("DejaVu Sans", 21)


def test_writing_is_what_pillow_draws() -> None:
    image, draw = canvas.canvas(90, 30)
    canvas.write(draw, (45, 15), "name", canvas.FAINT, 14, anchor="mm")
    again = Image.new("RGB", (90, 30), (250, 250, 248))
    ImageDraw.Draw(again).text((45, 15), "name", (120, 124, 130), ImageFont.load_default(14), anchor="mm")
    assert image.tobytes() == again.tobytes()
    assert Image.open(io.BytesIO(canvas.png(image))).tobytes() == image.tobytes()
