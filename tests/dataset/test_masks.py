"""Masks: found, read right, checked against the image labels and against each other, or refused in words."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.artifacts import mask_bytes, read_mask
from stages.common.pictures import load_pictures

ROWS = (("a.png", "train", "cat"), ("b.png", "train", "dog"), ("c.png", "train", "cat;dog"),
        ("d.png", "train", ""), ("e.png", "val", "dog"))  # fmt: skip
EXIF = 0x0112


def drawn(labels: str, names=("cat", "dog"), first: int = 1) -> np.ndarray:
    """A mask 6 x 8 with two rows of each class of the labels, and background."""
    mask = np.zeros((6, 8), np.uint8)
    for row, name in enumerate(label for label in labels.split(";") if label):
        mask[2 * row : 2 * row + 2, :5] = names.index(name) + first
    return mask


@pytest.fixture
def masked(make):
    """A folder set of two classes and a picture without any, with right masks."""
    found = make("folder")
    found.values["truth"] = "available"
    for name, split, labels in ROWS:
        found.picture(name, split, labels)
        found.mask(Path(name).stem, drawn(labels))
    (found.root / "classes.txt").write_text("cat\ndog\n")
    return found


@pytest.fixture
def one_class(make):
    found = make("folder")
    found.values["truth"] = "available"
    for name, split, labels in (("a.png", "train", "cat"), ("b.png", "train", ""), ("c.png", "val", "cat")):
        found.picture(name, split, labels)
        found.mask(Path(name).stem, drawn(labels))
    (found.root / "classes.txt").write_text("cat\n")
    return found


def change(found, how) -> None:
    """Every mask as `how` makes it: a function of its values."""
    for file in sorted((found.root / "masks").iterdir()):
        image = how(read_mask(file))
        image = image if isinstance(image, Image.Image) else Image.fromarray(image.astype(np.uint8))
        image.save(file)


def refused(found, *messages: str, **params: object) -> str:
    with pytest.raises(ValueError) as error:
        found.run(**params)
    assert all(message in str(error.value) for message in messages), str(error.value)
    assert sorted(path.name for path in Path("data").iterdir()) == ["raw"]
    return str(error.value)


def stored() -> dict[str, list[int]]:
    return {f.stem: np.unique(read_mask(f)).tolist() for f in sorted(Path("data/masks").glob("*.png"))}


RIGHT = {"a": [0, 1], "b": [0, 2], "c": [0, 1, 2], "d": [0], "e": [0, 2]}


def test_right_masks_and_a_picture_without_a_class(masked):
    text = masked.run()
    head, _, odd = text.partition("\n")
    assert head == "dataset: 4 train and 1 val pictures (1 and 0 without a class), 2 classes, 5 masks"
    assert "mask" not in odd
    assert stored() == RIGHT
    assert [picture.labels for picture in load_pictures().all] == [(1,), (2,), (1, 2), (), (2,)]
    assert not Path("data/masks/warnings.txt").read_text()


# --- 0 and 255


def test_0_and_255_of_one_class(one_class):
    change(one_class, lambda mask: np.where(mask, 255, 0))
    assert "masks hold 0 and 255 only: 255 is read as the class cat (13.9 % of the pixels)" in one_class.run()
    assert stored() == {"a": [0, 1], "b": [0], "c": [0, 1]}
    assert "255 is read as the class cat" in Path("data/masks/warnings.txt").read_text()


def test_white_of_1_bit_is_the_class(one_class):
    change(one_class, lambda mask: Image.fromarray(mask > 0))
    assert "255 is read as the class cat" in one_class.run()
    assert stored() == {"a": [0, 1], "b": [0], "c": [0, 1]}


def test_0_and_255_of_several_classes_is_the_one_of_the_label(masked):
    masked.rows[2] = ("c.png", "train", "cat")
    change(masked, lambda mask: np.where(mask, 255, 0))
    assert "255 is read as the one class of each picture's label" in masked.run()
    assert stored() == RIGHT | {"c": [0, 1]}


def test_0_and_255_of_a_picture_with_two_labels(masked):
    change(masked, lambda mask: np.where(mask, 255, 0))
    refused(masked, "4 of 4 masks", "cannot be told of c", "write the index of the class instead of 255")


def test_0_and_255_of_a_picture_without_label(masked):
    masked.rows[2] = ("c.png", "train", "cat")
    masked.mask("d", drawn("cat"))
    change(masked, lambda mask: np.where(mask, 255, 0))
    refused(masked, "cannot be told of d")


def test_void_beside_a_class_stays_void(one_class):
    for name in "ac":
        mask = drawn("cat")
        mask[5] = 255
        one_class.mask(name, mask)
    one_class.run()
    assert stored() == {"a": [0, 1, 255], "b": [0], "c": [0, 1, 255]}


def test_one_mask_with_void_in_place_of_the_class(masked):
    mask = drawn("cat")
    masked.mask("a", np.where(mask, 255, 0))
    assert "1 masks have void (255) in place of their picture's class: a" in masked.run()


def test_masks_that_are_void_everywhere_are_no_objects(one_class):
    change(one_class, lambda mask: np.full_like(mask, 255))
    one_class.run()
    assert stored() == {"a": [255], "b": [255], "c": [255]}


def test_smoothing_that_leaves_values_of_classes(make):
    found = make("folder")
    names = [f"{n}.png" for n in range(4)]
    for n, name in enumerate(names):
        found.picture(
            name, "val" if n else "train", "cat", Image.fromarray(np.full((30, 40, 3), n, np.uint8))
        )
        mask = np.zeros((30, 40), np.uint8)
        mask[5:25, 5:30], mask[4, 5:20], mask[25, 5:9] = 255, 1, 2
        found.mask(Path(name).stem, mask)
    found.rows.append(found.rows.pop(0))
    (found.root / "classes.txt").write_text("cat\ndog\n")
    refused(found, "single pixels of classes, as smoothing leaves", "nearest neighbour", truth="available")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [127, 254],
            "mask holds 127, 254: allowed are 0 to 2 (the classes) and 255 (void); write indices, not",
        ),
        ([3], "is a class not listed?"),
        ([50, 90, 130, 180, 220, 240], "as smoothing leaves: resize masks with nearest neighbour"),
    ],
)
def test_values_that_no_class_has(masked, values, message):
    mask = drawn("cat")
    mask[5, : len(values)] = values
    masked.mask("a", mask)
    refused(masked, f"masks/a.png: {message}" if "holds" in message else message)


# --- palettes, colours, depths, formats


def test_palettes_that_differ(masked):
    colours = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0)], np.uint8)
    change(masked, lambda mask: Image.fromarray(colours[mask]).quantize(8))
    refused(masked, "palettes differ: index", "a.png and another in b.png", "grey class indices")


def test_one_palette_of_any_colours(masked):
    def painted(mask: np.ndarray) -> Image.Image:
        image = Image.fromarray(mask, mode="P")
        image.putpalette([7, 7, 7, 200, 0, 90, 1, 2, 3])
        return image

    change(masked, painted)
    masked.run()
    assert stored() == RIGHT


def test_colours_are_refused(masked):
    colours = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0)], np.uint8)
    change(masked, lambda mask: Image.fromarray(colours[mask]))
    refused(masked, "mask is RGB of 2 colours", "Of a colour for each class make its index")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "16 bits", "32 bits"])
def test_modes_that_hold_indices(masked, mode):
    for file in sorted((masked.root / "masks").iterdir()):
        mask = read_mask(file)
        if mode in ("RGB", "RGBA", "LA"):
            Image.fromarray(mask).convert(mode).save(file)
        else:  # the content says what a file is
            wide = mask.astype(np.uint16 if mode == "16 bits" else np.int32)
            Image.fromarray(wide).save(file, "PNG" if mode == "16 bits" else "TIFF")
    masked.run()
    assert stored() == RIGHT


def test_modes_that_do_not(masked, png):
    folder = masked.root / "masks"
    Image.fromarray(np.full((6, 8), 300, np.uint16)).save(folder / "a.png")
    half = Image.new("RGBA", (8, 6), (1, 1, 1, 128))
    half.save(folder / "b.png")
    Image.new("F", (8, 6)).save(folder / "c.png", "TIFF")
    text = refused(masked, "mask holds 300 to 300", "mask is transparent in parts", "mask is F")
    assert text.startswith("data/raw/mine: 3 thing(s)")


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".PNG"])
def test_formats_without_loss(masked, suffix):
    for file in sorted((masked.root / "masks").iterdir()):
        mask = Image.fromarray(read_mask(file))
        file.unlink()
        mask.save(file.with_suffix(suffix))
    assert "5 masks found under another name" in masked.run()
    assert stored() == RIGHT


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif"])
def test_formats_that_change_values_are_refused(masked, name):
    (masked.root / "masks/a.png").unlink()
    kind = "GIF" if name.endswith("gif") else "JPEG"
    Image.fromarray(drawn("cat")).save(masked.root / "masks" / name, kind)
    refused(masked, f"masks/{name}: mask is stored as {kind} may be, which changes values")


# --- against the image labels


def test_indices_in_another_order(masked):
    masked.picture("f.png", "val", "cat")
    masked.mask("f", drawn("cat"))
    change(masked, lambda mask: np.array([0, 2, 1], np.uint8)[mask])
    shown = "a is labelled cat, its mask shows dog"
    refused(masked, f"masks: all 4 masks show other classes than their pictures' labels: {shown}")


def test_a_background_that_is_not_0(masked):
    change(masked, lambda mask: np.array([2, 1, 2], np.uint8)[mask])
    refused(masked, "no mask has index 0, the background, and all have 2: is that the background?")


def test_some_masks_against_their_labels(masked):
    masked.mask("a", drawn("cat;dog"))
    masked.mask("d", drawn("dog"))
    masked.mask("c", drawn("cat"))
    text = masked.run()
    assert "2 of 5 masks show a class that the picture is not labelled with (dog 2): a, d" in text
    assert "1 of 5 masks do not show a class that the picture is labelled with (dog 1): c" in text
    assert "1 of 5 masks show a class, though their picture is labelled as one without any: d" in text
    assert "none that their picture" not in text and "no class at all" not in text
    assert stored()["a"] == [0, 1, 2]


def test_masks_that_hold_none_of_their_pictures_labels(masked):
    masked.mask("a", drawn("dog"))
    masked.mask("c", drawn(""))
    text = masked.run()
    assert "1 of 5 masks show classes, but none that their picture is labelled with: a" in text
    assert "1 of 5 masks show no class at all, though their picture is labelled with one: c" in text
    assert "labelled as one without any" not in text
    assert "but none that their picture is labelled with: a\n" in Path("data/masks/warnings.txt").read_text()


def test_void_in_place_of_a_class_is_said_once(masked):
    masked.mask("c", np.where(drawn("cat;dog"), 255, 0).astype(np.uint8))
    text = masked.run()
    assert "1 masks have void (255) in place of their picture's class: c" in text
    assert "no class at all" not in text


def test_classes_of_which_some_have_no_picture_keep_their_indices(masked):
    (masked.root / "classes.txt").write_text("bird\ncat\nbus\ndog\n")
    change(masked, lambda mask: np.array([0, 2, 4], np.uint8)[mask])
    assert "2 of 4 classes are in no picture, so not learnt: bird, bus" in masked.run()
    assert stored()["c"] == [0, 2, 4]


def test_some_of_the_classes_of_voc(voc):
    (voc.root / "classes.txt").unlink()
    for name, index in (("a", 8), ("b", 12), ("c", 12)):
        mask = np.zeros((6, 8), np.uint8)
        mask[2:4] = index
        voc.mask(name, mask)
    assert "18 of 20 classes are in no picture, so not learnt: aeroplane" in voc.run()


# --- names and folders


@pytest.mark.parametrize(
    "to", ["{}_mask.png", "mask_{}.png", "{}.PNG", "sub/{}.png", "{}.png.png", "{}-labels.tif"]
)
def test_masks_under_another_name(masked, to):
    folder = masked.root / "masks"
    for file in sorted(folder.glob("*.png")):
        there = folder / to.format(file.stem)
        there.parent.mkdir(exist_ok=True)
        Image.fromarray(read_mask(file)).save(there)
        if there != file:
            file.unlink()
    text = masked.run(truth="required")
    assert f"5 masks found under another name: {to.format('a')} of a" in text or "/" in to
    assert stored() == RIGHT


def test_a_mask_in_the_folders_of_its_picture(masked):
    masked.picture("trip/a.png", "train", "dog")
    (masked.root / "masks/trip").mkdir()
    (masked.root / "masks/trip/a.png").write_bytes(mask_bytes(drawn("dog")))
    masked.run()
    assert stored() == RIGHT | {"trip__a": [0, 2]}


def test_a_decomposed_name_of_a_mask(masked):
    masked.picture("\u00f6.png", "train", "cat")
    (masked.root / "masks" / unicodedata.normalize("NFD", "\u00f6.png")).write_bytes(mask_bytes(drawn("cat")))
    assert "6 masks" in masked.run()


def test_masks_of_no_picture(masked):
    for name in ("x", "y"):
        masked.mask(name, drawn("cat"))
    (masked.root / "masks/labelmap.txt").write_text("")
    Image.new("RGB", (8, 6)).save(masked.root / "images/y.png")  # in no list: the list may be a part of a set
    assert "1 files of masks belong to no picture, so are not used: x.png" in masked.run()


@pytest.mark.parametrize("spare", ["other/a.png", "other/a_mask.png"])
def test_the_mask_of_a_picture_that_no_list_names_is_no_other_s(masked, spare):
    """Two pictures of one name in two folders: the list has one of them, and the masks are the other's."""
    other = masked.root / "images" / "other" / "a.png"
    other.parent.mkdir()
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(other)
    (masked.root / "masks" / spare).parent.mkdir()
    (masked.root / "masks" / "a.png").rename(masked.root / "masks" / spare)
    assert "another name" not in masked.run()
    assert sorted(stored()) == ["b", "c", "d", "e"]


def test_a_mask_that_fits_a_picture_with_one_of_its_own_is_no_other_s(masked):
    """By its name without folders it is that of `a`, which has its mask."""
    (masked.root / "masks" / "deep").mkdir()
    (masked.root / "masks" / "deep" / "a.png").write_bytes((masked.root / "masks" / "b.png").read_bytes())
    assert "1 files of masks belong to no picture" in masked.run()
    assert stored() == RIGHT


def test_a_negative_picture_whose_mask_has_the_only_class(one_class):
    change(one_class, lambda mask: 255 * (mask > 0))
    blob = np.zeros((6, 8), np.uint8)
    blob[:2] = 255
    Image.fromarray(blob).save(one_class.root / "masks" / "b.png")
    refused(one_class, "which class 255 is, cannot be told of b")


def test_a_class_that_is_not_listed_beside_void(masked):
    values = drawn("cat")
    values[3:] = 255
    values[0, 7] = 3
    Image.fromarray(values).save(masked.root / "masks" / "a.png")
    refused(masked, "mask holds 3: allowed are 0 to 2", "is a class not listed?")


def test_a_mask_whose_number_of_pictures_is_damaged(masked):
    path = masked.root / "masks" / "a.tif"
    Image.fromarray(drawn("cat")).save(path)
    (masked.root / "masks" / "a.png").unlink()
    content = bytearray(path.read_bytes())
    start = int.from_bytes(content[4:8], "little")
    count = int.from_bytes(content[start : start + 2], "little")
    at = start + 2 + 12 * count
    content[at : at + 4] = (len(content) - 6).to_bytes(4, "little")
    path.write_bytes(content)
    refused(masked, "a.tif: unreadable or truncated")


def test_two_masks_for_one_picture(masked):
    (masked.root / "masks/a.png").rename(masked.root / "masks/a_mask.png")
    masked.mask("a-gt", drawn("cat"))
    refused(masked, "a: a-gt.png, a_mask.png could all be its mask: keep a.png")


def test_no_file_fits(masked):
    for number, file in enumerate(sorted((masked.root / "masks").iterdir())):
        file.rename(file.with_name(f"frame{number}.png"))
    refused(masked, "masks: none of its 5 files belongs to a picture: frame0.png", "a right name is a.png")


def test_masks_that_are_not_asked_for(masked):
    text = masked.run(truth="none")
    assert "masks holds 5 files, and dataset.truth is none: they are not read" in text and not stored()


def test_another_name_of_the_folder_where_masks_are_required(masked):
    (masked.root / "masks").rename(masked.root / "my masks")
    refused(masked, "no masks: there is no folder masks, but my masks", truth="required")


def test_another_name_of_the_folder(masked):
    (masked.root / "masks").rename(masked.root / "labels")
    assert "no masks: there is no folder masks, but labels" in masked.run()


# --- EXIF


def turned(found, size: tuple[int, int], mask: np.ndarray, orientation: int = 6) -> None:
    exif = Image.Exif()
    exif[EXIF] = orientation
    found.picture("f.jpg", "train", "cat", Image.new("RGB", size), exif=exif)
    found.mask("f", mask)


def test_a_mask_of_the_picture_as_stored(masked):
    turned(masked, (8, 6), drawn("cat"))
    refused(
        masked, "f.png: mask is 8x6, its picture 6x8 once turned by its EXIF orientation (6)", "Turn the mask"
    )


@pytest.mark.parametrize(("orientation", "size"), [(6, (6, 6)), (3, (8, 6)), (2, (8, 6))])
def test_a_mask_that_fits_both_ways(masked, orientation, size):
    turned(masked, size, drawn("cat")[:, : size[0]], orientation)
    assert "1 masks may lie the wrong way: EXIF turns their pictures" in masked.run()


def test_a_mask_that_is_the_same_both_ways(masked):
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 2:4] = 1
    turned(masked, (6, 6), mask)
    assert "EXIF" not in masked.run()


def test_a_mask_with_an_orientation_of_its_own(masked):
    turned(masked, (8, 6), drawn("cat"))
    exif = Image.Exif()
    exif[EXIF] = 6
    Image.fromarray(drawn("cat")).save(masked.root / "masks/f.png", exif=exif)
    assert "EXIF" not in masked.run()
    assert np.array_equal(read_mask(Path("data/masks/f.png")), np.rot90(drawn("cat"), -1))
