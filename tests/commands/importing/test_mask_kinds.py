"""Masks as people store them, and what is said of those that cannot be told."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.commands.importing.__main__ import main
from stages.common.artifacts import palette, read_mask
from tests.commands.importing import made
from tests.commands.importing.made import CLASSES, Drawn
from tests.commands.importing.test_round_trip import rows

COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 200, 0), (0, 0, 250)], np.uint8)
TABLE = "class,colour\ncat,#ff0000\ndog,#00c800\nkäfer,#0000fa\n"


def grey(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(mask)


def deep(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint16))


def equal_channels(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(np.repeat(mask[..., None], 3, 2))


def coloured(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(COLOURS[mask])


def with_palette(mask: np.ndarray) -> Image.Image:
    image = Image.fromarray(mask, mode="P")
    image.putpalette(palette().tobytes())
    return image


def sorted_palette(mask: np.ndarray) -> Image.Image:
    """As writers that keep only the colours in use: an index is another colour in each file."""
    colours, inverse = np.unique(COLOURS[mask].reshape(-1, 3), axis=0, return_inverse=True)
    image = Image.fromarray(inverse.reshape(mask.shape).astype(np.uint8), mode="P")
    image.putpalette(colours.tobytes())
    return image


def masked(
    root: Path, pictures: list[Drawn], image: Callable[[np.ndarray], Image.Image], names: bool = True
) -> Path:
    made.masks(root, pictures)
    for picture in pictures:
        image(picture.mask).save((root / "masks" / picture.name).with_suffix(".png"))
    if not names:
        (root / "classes.txt").unlink()
    return root


def check(out: Path, pictures: list[Drawn], labels: bool = True) -> None:
    found = {row["file"]: row["labels"] for row in rows(out / "labels.csv")}
    for picture in pictures:
        name = picture.name.rpartition(".")[0].replace("/", "__")
        assert np.array_equal(read_mask(out / f"masks/{name}.png"), picture.mask), picture.name
        assert not labels or {each for each in found[picture.name].split(";") if each} == picture.labels


@pytest.fixture
def pictures() -> list[Drawn]:
    return made.drawn_set()


@pytest.mark.parametrize("image", [grey, deep, equal_channels, with_palette])
def test_indices(tmp_path, pictures, image) -> None:
    source = masked(tmp_path / "source", pictures, image)
    main(["masks", str(source), f"--out={tmp_path / 'out'}"])
    check(tmp_path / "out", pictures)


@pytest.mark.parametrize("image", [coloured, sorted_palette])
def test_colours_by_a_table(tmp_path, pictures, image, capsys) -> None:
    source = masked(tmp_path / "source", pictures, image, names=False)
    with pytest.raises(ValueError) as refused:
        main(["masks", str(source), f"--out={tmp_path / 'out'}"])
    said = str(refused.value)
    assert "RGB of several colours" in said if image is coloured else "palettes differ: index 1 is" in said
    proposed = [line.strip() for line in said.partition("    class,colour\n")[2].splitlines()]
    assert proposed[0] == "background,#000000"
    assert {line.partition(",")[2] for line in proposed[1:]} == {"#ff0000", "#00c800", "#0000fa"}
    assert not (tmp_path / "out").exists()
    (tmp_path / "colours.csv").write_text(TABLE, encoding="utf-8")
    main(["masks", str(source), f"--out={tmp_path / 'out'}", f"--colours={tmp_path / 'colours.csv'}"])
    check(tmp_path / "out", pictures)


def test_a_table_of_values_with_void(tmp_path, pictures) -> None:
    values = np.array([10, 70, 80, 90], np.uint8)

    def image(mask: np.ndarray) -> Image.Image:
        made_of = values[mask]
        made_of[0, 0] = 200
        return Image.fromarray(made_of)

    source = masked(tmp_path / "source", pictures, image, names=False)
    table = "class,colour\nbackground,10\ncat,70\ndog,80\nkäfer,90\nVoid,200\n"
    (tmp_path / "t.csv").write_text(table, encoding="utf-8")
    main(["masks", str(source), f"--out={tmp_path / 'out'}", f"--colours={tmp_path / 't.csv'}"])
    for picture in pictures:
        name = picture.name.rpartition(".")[0].replace("/", "__")
        expected = picture.mask.copy()
        expected[0, 0] = 255
        assert np.array_equal(read_mask(tmp_path / f"out/masks/{name}.png"), expected)
    (tmp_path / "t.csv").write_text(table.replace("dog,80\n", ""), encoding="utf-8")
    with pytest.raises(ValueError, match=r"holds 80, which .*t\.csv does not name"):
        main(["masks", str(source), f"--out={tmp_path / 'two'}", f"--colours={tmp_path / 't.csv'}"])


def white(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))


def one_bit(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(mask > 0)


def smoothed(mask: np.ndarray) -> Image.Image:
    noise = np.random.default_rng(int(mask.sum())).integers(0, 100, mask.shape)
    return Image.fromarray(np.where(mask, 255 - noise, noise).astype(np.uint8))


@pytest.mark.parametrize("image", [white, one_bit])
def test_white_of_one_class(tmp_path, pictures, image, capsys) -> None:
    source = masked(tmp_path / "source", pictures, image, names=False)
    with pytest.raises(ValueError, match="0 and 255 only, and which class 255 is stands nowhere"):
        main(["masks", str(source), f"--out={tmp_path / 'out'}"])
    (tmp_path / "names").write_text("defect\n")
    main(["masks", str(source), f"--out={tmp_path / 'out'}", f"--classes={tmp_path / 'names'}"])
    assert "255 is defect, the one class" in capsys.readouterr().out
    binary = [Drawn(p.name, p.width, p.height, [*p.things]) for p in pictures]
    for picture, row in zip(binary, pictures, strict=True):
        name = picture.name.rpartition(".")[0].replace("/", "__")
        assert np.array_equal(read_mask(tmp_path / f"out/masks/{name}.png"), row.mask > 0)


def test_white_is_the_class_of_labels_csv(tmp_path, pictures, capsys) -> None:
    alone = [picture for picture in pictures if len(picture.labels) < 2]
    alone += [Drawn(f"more/{p.name}", p.width, p.height, p.things) for p in alone]
    source = masked(tmp_path / "source", alone, smoothed, names=False)
    lines = [f"{p.name},{''.join(p.labels)}\n" for p in alone]
    (source / "labels.csv").write_text("file,labels\n" + "".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match="if they are 0 and 255, smoothed: --threshold 127"):
        main(["masks", str(source), f"--out={tmp_path / 'out'}"])
    main(["masks", str(source), f"--out={tmp_path / 'out'}", "--threshold=127"])
    assert "255 is the one class that labels.csv names" in capsys.readouterr().out
    check(tmp_path / "out", alone)
    assert not (tmp_path / "out/about.txt").exists()  # the labels are not read off the masks
    (source / "labels.csv").write_text(("file,labels\n" + "".join(lines)).replace(",cat", ",cat;dog"))
    with pytest.raises(ValueError, match="its mask holds 255, and its picture has 2 labels"):
        main(["masks", str(source), f"--out={tmp_path / 'two'}", "--threshold=127"])


def test_indices_without_names(tmp_path, pictures) -> None:
    source = masked(tmp_path / "source", pictures, grey, names=False)
    with pytest.raises(ValueError, match=r"masks hold 1, 2, 3: (?s:.*)class,colour\n    background,0\n"):
        main(["masks", str(source), f"--out={tmp_path / 'out'}"])


def test_small_depths_of_grey(tmp_path, png) -> None:
    """Pillow gives the indices 0 to 3 of 2 bits as 0, 85, 170, 255."""
    source = made.masks(tmp_path / "source", [Drawn("a.png", 4, 1), Drawn("b.png", 4, 1)])
    for name in "ab":
        (source / f"masks/{name}.png").write_bytes(png(bytes([0b00011011]), 4, 2, 0))
    main(["masks", str(source), f"--out={tmp_path / 'out'}"])
    assert read_mask(tmp_path / "out/masks/a.png").tolist() == [[0, 1, 2, 3]]
    (source / "masks/a.png").write_bytes(png(bytes(24), 4, 16, 2))
    with pytest.raises(ValueError, match="is RGB of 16 bits: save it with 8"):
        main(["masks", str(source), f"--out={tmp_path / 'two'}"])


def test_every_bad_mask_is_named_at_once(tmp_path, pictures) -> None:
    source = made.masks(tmp_path / "source", pictures)
    (source / "masks/a.png").unlink()
    (source / "masks/d.png").write_bytes(b"no picture")
    Image.new("L", (3, 3)).save(source / "masks/e.png")
    Image.fromarray(pictures[1].mask).save(source / "masks/b c.jpg")
    (source / "masks/b c.png").unlink()
    Image.new("LA", (3, 3)).save(source / "masks/f.png")
    with pytest.raises(ValueError) as refused:
        main(["masks", str(source), f"--out={tmp_path / 'out'}"])
    lines = str(refused.value).splitlines()
    assert len(lines) == 6 and "5 thing(s) to mend" in lines[0]
    for says in (
        "images/a.png: has no mask", "masks/d.png: unreadable", "masks/b c.jpg: is stored as JPEG",
        "images/e.png: its mask is 3x3, it is", "masks/f.png: is transparent",
    ):  # fmt: skip
        assert sum(says in line for line in lines) == 1, says


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("cat,1\n", "its first line is 'cat,1', needed is class,colour"),
        ("class,colour\ncat,red\n", r":2: 'cat,red': write NAME,#rrggbb or NAME,VALUE"),
        ("class,colour\ncat,#ff0000\ndog,2\n", "has #rrggbb and values: use one of both"),
        ("class,colour\ncat,1\ndog,1\n", ":3: 1 is there twice"),
        ("class,colour\n", "names no class"),
    ],
)
def test_bad_tables(tmp_path, pictures, table, says) -> None:
    source = masked(tmp_path / "source", pictures, grey, names=False)
    (tmp_path / "t.csv").write_text(table)
    with pytest.raises(ValueError, match=says):
        main(["masks", str(source), f"--out={tmp_path / 'out'}", f"--colours={tmp_path / 't.csv'}"])


def test_splits_of_labels_csv(tmp_path, pictures) -> None:
    """Pictures of test, and those that it does not name, need no masks."""
    source = made.masks(tmp_path / "source", pictures)
    lines = ["a.png,train,cat", "trip/a.png,Valid,dog", "d.jpg,train,dog;käfer", "f.bmp,test,"]
    (source / "labels.csv").write_text("file,split,labels\n" + "\n".join(lines), encoding="utf-8-sig")
    for name in ("f.png", "e.png", "free.png"):
        (source / "masks" / name).unlink()
    main(["masks", str(source), f"--out={tmp_path / 'out'}"])
    found = [(r["file"], r["split"], r["labels"]) for r in rows(tmp_path / "out/labels.csv")]
    assert found == [("a.png", "train", "cat"), ("d.jpg", "train", "dog;käfer"), ("trip/a.png", "val", "dog")]
    lines[0] = "a.png,vl,cow"
    (source / "labels.csv").write_text("file,split,labels\n" + "\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=r"labels\.csv:2: split is 'vl', neither train nor val"):
        main(["masks", str(source), f"--out={tmp_path / 'two'}"])


def test_masks_elsewhere(tmp_path, pictures) -> None:
    source = made.masks(tmp_path / "source", pictures)
    (source / "masks").rename(tmp_path / "drawn")
    (tmp_path / "names").write_text("\n".join(CLASSES), encoding="utf-8")
    with pytest.raises(ValueError, match="has no folder masks"):
        main(["masks", str(source), f"--out={tmp_path / 'out'}"])
    options = [f"--pictures={source / 'images'}", f"--classes={tmp_path / 'names'}"]
    main(["masks", str(tmp_path / "drawn"), f"--out={tmp_path / 'out'}", *options])
    check(tmp_path / "out", pictures)
