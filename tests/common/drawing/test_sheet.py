import io
import itertools
import math

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stages.common.drawing import canvas, sheet
from stages.common.drawing.colours import HATCH, class_colours

CLASSES = ("background", "cat", "dog")


def _row(name, size=(48, 64), scored=True):
    rng = np.random.default_rng(len(name))
    picture = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    result, truth = (rng.choice([0, 1, 2, 255], size).astype(np.uint8) for _ in range(2))
    return sheet.Row(name, picture, result, truth if scored else None)


def _open(png):
    return Image.open(io.BytesIO(png))


def test_choice_is_even_sorted_and_within_the_set():
    ids = [f"{i:03d}" for i in range(100)]
    assert sheet.choose(ids[::-1], 4) == ["012", "037", "062", "087"]
    assert sheet.choose(ids[:3], 8) == ids[:3]
    assert sheet.choose([], 8) == []
    for number in range(1, 101):
        assert len(set(sheet.choose(ids, number))) == number


def test_error_colours():
    truth = np.array([[0, 1, 1, 1, 0, 255, 1]], np.uint8)
    result = np.array([[1, 0, 2, 255, 255, 2, 1]], np.uint8)
    shown = sheet.errors(np.zeros((1, 7, 3), np.uint8), truth, result)[0]
    colours = [sheet.OVER, sheet.MISSED, sheet.WRONG, sheet.UNDECIDED, sheet.UNDECIDED]
    np.testing.assert_array_equal(shown[:5], (0.8 * np.array(colours)).astype(np.uint8))
    assert tuple(shown[5].tolist()) in (sheet.VOID, HATCH)
    np.testing.assert_array_equal(shown[6], 0)  # right: the (black) picture


def test_labels_have_an_outline_and_unknown_ones_are_hatched():
    labels = np.zeros((12, 12), np.uint8)
    labels[:, 6:], labels[:6, :3] = 2, 255
    shown = sheet.overlay(np.full((12, 12, 3), 100, np.uint8), labels)
    assert shown[:, 5].min() == 255  # where the background meets class 2
    np.testing.assert_array_equal(shown[8, 9], 20 + (0.8 * class_colours()[2]).astype(int))
    assert {tuple(pixel) for pixel in shown[:5, :2].reshape(-1, 3).tolist()} == {sheet.VOID, HATCH}
    np.testing.assert_array_equal(shown[8, 2], 45)  # the background is the picture


@pytest.mark.parametrize("size", [(10, 100), (100, 10)])
def test_a_small_picture_is_enlarged_smoothly(size):
    row = _row("a", size)
    fitted = sheet._cell_size(row.picture)
    assert sorted(fitted) == [24, 240]
    wanted = cv2.resize(row.picture, fitted, interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(sheet._cell(row, "picture", fitted), wanted)


def test_right_pixels_are_the_grey_picture():
    picture = np.full((2, 2, 3), 200, np.uint8)
    labels = np.array([[0, 0], [1, 1]], np.uint8)
    np.testing.assert_array_equal(sheet.errors(picture, labels, labels)[..., 0], [[80, 80], [150, 150]])


def test_an_error_lets_a_fifth_of_the_dim_picture_through():
    grey = np.full((1, 3, 3), 200, np.uint8)  # dim: 80, a fifth of it 16
    shown = sheet.errors(grey, np.uint8([[1, 2, 0]]), np.uint8([[2, 1, 1]]))[0]
    wanted = 16 + 0.8 * np.array([sheet.WRONG, sheet.WRONG, sheet.OVER])
    np.testing.assert_array_equal(shown, wanted.astype(np.uint8))


def test_void_is_hatched_along_diagonals():
    labels = np.full((2, 7), 255, np.uint8)
    shown = sheet.errors(np.zeros((2, 7, 3), np.uint8), labels, labels)
    paper = [[True, True, False, False, False, False, True], [True, *[False] * 4, True, True]]
    np.testing.assert_array_equal(shown, np.where(np.array(paper)[..., None], sheet.VOID, HATCH))


def test_outlines_lie_above_and_left_of_a_change():
    labels = np.uint8([[1, 1, 2], [1, 1, 2], [3, 3, 3]])
    np.testing.assert_array_equal(sheet.outlines(labels), [[0, 1, 0], [1, 1, 1], [0, 0, 0]])


def test_sheet_has_a_row_per_picture_and_four_columns():
    one = _open(sheet.sheet("seeds", [_row("a")], CLASSES))
    three = _open(sheet.sheet("seeds", [_row("a"), _row("b"), _row("c")], CLASSES))
    assert one.mode == "RGB"
    assert one.width == three.width == 2 * sheet.MARGIN + 4 * sheet.CELL + 3 * sheet.GAP
    high = sheet.CELL * 48 // 64
    assert three.height - one.height == 2 * (high + sheet.CAPTION + sheet.GAP)


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (500, 20)])
def test_no_cell_is_larger_than_allowed(size):
    made = _open(sheet.sheet("seeds", [_row("a", size)], CLASSES))
    assert made.width <= 2 * sheet.MARGIN + 4 * sheet.CELL + 3 * sheet.GAP


def test_without_truth_there_are_two_columns():
    made = _open(sheet.sheet("crf", [_row("a", scored=False)], CLASSES))
    assert made.width == 2 * sheet.MARGIN + 2 * sheet.CELL + sheet.GAP
    row = sheet.Row("a", np.full((24, 24, 3), 100, np.uint8), np.ones((24, 24), np.uint8), None)
    pixels = np.asarray(_open(sheet.sheet("crf", [row], CLASSES)))
    assert (pixels[200, 20] == 100).all() and (pixels[200, 268] == 20 + 0.8 * class_colours()[1]).all()


def test_same_rows_same_bytes():
    rows = [_row("a"), _row("b", (70, 30))]
    assert sheet.sheet("t", rows, CLASSES) == sheet.sheet("t", rows, CLASSES)


def width(text, size=13):
    return math.ceil(ImageFont.load_default(size).getlength(text))


def _write(draw, x, y, text, colour, size=13):
    draw.text((x, y), text, colour, ImageFont.load_default(size))


def _key(draw, x, y, name, shade):
    draw.rectangle((x, y + 3, x + 9, y + 12), shade, outline=(120, 124, 130))
    _write(draw, x + 14, y, name, (40, 42, 46))
    return x + 14 + width(name, 13) + 14


def test_the_sheet_is_what_pillow_draws_at_places_worked_out_by_hand():
    """A picture that grows to 240 x 180, then one without truth that shrinks to 150 x 240."""
    small, large = _row("a small one"), _row("b", (400, 250), scored=False)
    large.result[large.result == 2] = 1
    image = Image.new("RGB", (32 + 4 * 240 + 3 * 8, 32 + 28 + 20 + (22 + 180 + 8) + (22 + 240 + 8) + 34))
    image.paste((250, 250, 248), (0, 0, *image.size))
    draw, ink, faint = ImageDraw.Draw(image), (40, 42, 46), (120, 124, 130)
    _write(draw, 16, 12, "crf, split train", ink, 18)
    for n, name in enumerate(("picture", "truth", "result", "errors")):
        _write(draw, 16 + 248 * n, 44, name, faint)
    for y, row, classes in ((64, small, (1, 2)), (274, large, (1,))):
        _write(draw, 16, y + 3, row.id, ink)
        x = 32 + width(row.id, 13)
        for index in classes:
            x = _key(draw, x, y + 3, CLASSES[index], tuple(class_colours()[index].tolist()))
    picture = cv2.resize(small.picture, (240, 180), interpolation=cv2.INTER_CUBIC)
    truth, result = (
        cv2.resize(a, (240, 180), interpolation=cv2.INTER_NEAREST) for a in (small.truth, small.result)
    )
    marked = sheet.overlay(picture, result)
    cells = [picture, sheet.overlay(picture, truth), marked, sheet.errors(picture, truth, result)]
    picture = cv2.resize(large.picture, (150, 240), interpolation=cv2.INTER_AREA)
    result = cv2.resize(large.result, (150, 240), interpolation=cv2.INTER_NEAREST)
    empty = np.full((240, 150, 3), 235, np.uint8)
    for n, cell in enumerate(cells):
        image.paste(Image.fromarray(cell), (16 + 248 * n, 86))
    for n, cell in enumerate([picture, empty, sheet.overlay(picture, result), empty]):
        image.paste(Image.fromarray(cell), (16 + 248 * n, 296))
    x = 16
    for name, shade in sheet.ERRORS.items():
        x = _key(draw, x, 274 + 270 + 6, name, shade)
    found = _open(sheet.sheet("crf, split train", [small, large], CLASSES))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(image))


def test_classes_that_do_not_fit_behind_the_name_are_dots():
    """Two columns are 520 pixels wide; the name has 260, of the classes as many as end before 504."""
    labels = np.arange(48, dtype=np.uint8).repeat(4).reshape(12, 16)
    classes = ["background", *(f"class {n}" for n in range(1, 48))]
    row = sheet.Row(
        "a name that is wider than 260 pixels in letters of 13", np.zeros((12, 16, 3), np.uint8), labels, None
    )
    found = np.asarray(_open(sheet.sheet("a long title " * 9, [row], classes)))[64:86]
    image = Image.new("RGB", (520, 22), (250, 250, 248))
    draw = ImageDraw.Draw(image)
    name = next(s for n in range(len(row.id), 0, -1) if width(s := row.id[:n] + "…") <= 260)
    _write(draw, 16, 3, name, (40, 42, 46))
    x, index = 32 + width(name), 1
    while x + 16 + width(classes[index]) <= 504:
        x = _key(draw, x, 3, classes[index], tuple(class_colours()[index].tolist()))
        index += 1
    _write(draw, x, 3, "…", (120, 124, 130))
    assert 2 < index < 8
    np.testing.assert_array_equal(found, np.asarray(image))


def test_a_long_title_ends_before_the_margin():
    """In letters of 18, within 488 of 520 pixels."""
    title = "a long title " * 9
    found = np.asarray(_open(sheet.sheet(title, [], CLASSES)))[:44]
    image = Image.new("RGB", (520, 44), (250, 250, 248))
    short = next(s for n in range(len(title), 0, -1) if width(s := title[:n] + "…", 18) <= 488)
    _write(ImageDraw.Draw(image), 16, 12, short, (40, 42, 46), 18)
    np.testing.assert_array_equal(found, np.asarray(image))


def test_a_class_that_just_fits_is_named():
    """The last name ends at the margin, in a sheet as wide as it takes: one pixel less, and it is dots."""
    for more, wanted in ((0, True), (1, False)):
        picture, draw = canvas.canvas(16 + 16 + width("id") + 16 + 16 + width("cat") - more, 22)
        sheet._caption(
            draw, sheet.Row("id", np.zeros((1, 1, 3)), np.uint8([[1]]), None), 0, picture.width, CLASSES
        )
        square = picture.getpixel((32 + width("id") + 4, 10))
        assert (square == tuple(class_colours()[1].tolist())) == wanted


def test_classes_are_named_in_their_order_and_labels_that_are_none_not_at_all():
    names = [f"c{n}" for n in range(10)]
    again, pen = canvas.canvas(300, 22)
    _write(pen, 16, 3, "id", (40, 42, 46))
    x = 32 + width("id")
    for index in (1, 8):
        x = _key(pen, x, 3, names[index], tuple(class_colours()[index].tolist()))
    for labels in ([8, 1], [0, 255, 1, 10, 8]):
        image, draw = canvas.canvas(300, 22)
        row = sheet.Row("id", np.zeros((1, 1, 3)), np.uint8([labels]), None)
        sheet._caption(draw, row, 0, 300, names)
        assert image.tobytes() == again.tobytes()


@pytest.mark.parametrize("wide", [100, 272, 520, 760, 1016])
def test_the_legend_is_broken_where_the_next_name_would_not_fit(wide):
    lines = sheet._legend_lines(wide)
    assert [name for line in lines for name in line] == list(sheet.ERRORS)

    def end(names):
        return 16 + sum(28 + width(name) for name in names)

    assert all(end(line) <= wide - 16 or len(line) == 1 for line in lines)
    assert all(end([*line, after[0]]) > wide - 16 for line, after in itertools.pairwise(lines))


def test_a_legend_that_just_fits_has_one_line():
    needed = 32 + sum(28 + width(name) for name in sheet.ERRORS)
    assert [len(sheet._legend_lines(needed - more)) for more in (0, 1)] == [1, 2]


def test_a_sheet_that_is_just_wide_enough_has_a_legend_of_one_line():
    """Four columns of 240 pixels' height: their width decides; one pixel less each, and it takes two."""
    needed = 32 + sum(28 + width(name) for name in sheet.ERRORS)
    cell = -(-(needed - 32 - 3 * 8) // 4)
    for wide, lines in ((cell, 1), (cell - 1, 2)):
        made = _open(sheet.sheet("crf", [_row("a", (240, wide))], CLASSES))
        assert made.size == (32 + 4 * wide + 24, 32 + 28 + 20 + 22 + 240 + 8 + 34 * lines)


def test_a_legend_of_several_lines_has_room_for_each():
    """Of a picture 20 wide and 240 high the columns are narrow: the legend takes several lines."""
    made = _open(sheet.sheet("crf", [_row("a", (240, 20))], CLASSES))
    lines = sheet._legend_lines(made.width)
    assert made.width == 32 + 4 * 20 + 3 * 8 and len(lines) > 2
    assert made.height == 32 + 28 + 20 + 22 + 240 + 8 + 34 * len(lines)
    pixels = np.asarray(made)
    for n, line in enumerate(lines):  # inside the first square of each line
        y = 16 + 28 + 20 + 22 + 240 + 8 + 34 * n + 6 + 6
        assert tuple(pixels[y, 18].tolist()) == sheet.ERRORS[line[0]]


@pytest.mark.parametrize(
    ("size", "cell"),
    [((48, 64), (240, 180)), ((64, 48), (180, 240)), ((1, 900), (240, 1)), ((900, 1), (1, 240))],
)
def test_a_cell_has_the_shape_of_its_picture(size, cell):
    assert sheet._cell_size(np.zeros((*size, 3))) == cell


def test_an_empty_sheet_has_a_title_and_the_names_of_its_columns():
    made = _open(sheet.sheet("seeds", [], CLASSES))
    assert made.size == (32 + 2 * 240 + 8, 32 + 28 + 20)
    assert (np.asarray(made)[:30] != 250).any() and (np.asarray(made)[44:60, 264:] < 200).any()
