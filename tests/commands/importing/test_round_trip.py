"""What comes out of each format is what the set was made of, pixel by pixel."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.commands.importing import many
from stages.commands.importing.__main__ import FORMATS, main
from stages.common.artifacts import read_mask
from stages.dataset.sources.folder import read
from tests.commands.importing import made
from tests.commands.importing.made import CLASSES, Drawn
from tests.dataset.conftest import Set
from tests.dataset.test_layouts import PARAMS


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def pictures() -> list[Drawn]:
    return made.drawn_set()


def test_every_format_has_its_test() -> None:
    assert set(FORMATS) == {*made.LABELS, "imagefolder"}


@pytest.mark.parametrize("kind", made.LABELS)
def test_masks_and_labels_are_the_sources(tmp_path, pictures, kind, capsys) -> None:
    source = made.LABELS[kind](tmp_path / "source", pictures)
    options = []
    if kind in ("labelme", "label-studio", "voc"):
        (tmp_path / "names").write_text("\n".join(CLASSES), encoding="utf-8")
        options = [f"--classes={tmp_path / 'names'}"]
    assert main([kind, str(source), f"--out={tmp_path / 'out'}", *options]) == 0
    assert (tmp_path / "out/classes.txt").read_text(encoding="utf-8").split() == (
        ["käfer", "dog", "cat"] if kind == "coco" else list(CLASSES)
    )
    known = read(tmp_path / "out", PARAMS)
    assert known.problems == []
    found = {row["file"]: row for row in rows(tmp_path / "out/labels.csv")}
    assert set(found) == {picture.name for picture in pictures}
    for picture in pictures:
        row = found[picture.name]
        assert {label for label in row["labels"].split(";") if label} == picture.labels
        assert linked(tmp_path / "out", source, picture.name)
        if kind in made.PIXELS:
            name = picture.name.rpartition(".")[0].replace("/", "__")
            mask = read_mask(tmp_path / f"out/masks/{name}.png")
            order = np.array([0, 3, 2, 1]) if kind == "coco" else np.arange(4)
            assert np.array_equal(mask, order[picture.mask])
    assert {row["split"] for row in found.values()} == {"train", "val"}
    said = capsys.readouterr().out
    assert "6 train and 2 val pictures, 3 classes" in said or "7 train and 1 val" in said or "5 train" in said
    assert f"wsss link out {tmp_path / 'out'}\n  wsss preset voc-mobilenet" in said
    assert ("read off the masks" in said) == (kind == "masks") == bool(known.warnings)


def linked(out: Path, source: Path, name: str) -> bool:
    """Whether a picture is a hard link of the source's, and not of a mask or of its namesake in a folder."""
    found = [file for file in source.rglob(name) if os.path.samefile(file, out / "images" / name)]
    return bool(found) and "masks" not in found[0].relative_to(source).parts


@pytest.mark.parametrize("kind", ["coco", "masks"])
def test_again_gives_the_same_bytes_in_processes_or_not(tmp_path, pictures, kind, monkeypatch) -> None:
    source = made.LABELS[kind](tmp_path / "source", pictures)
    main([kind, str(source), f"--out={tmp_path / 'one'}"])
    monkeypatch.setattr(many, "FEW", 0)
    monkeypatch.setenv("WSSS_WORKERS", "2")
    main([kind, str(source), f"--out={tmp_path / 'two'}", "--copy"])
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert linked(tmp_path / "one", source, "a.png") and not linked(tmp_path / "two", source, "a.png")


def test_an_image_folder_with_a_picture_in_several(tmp_path, pictures, capsys) -> None:
    source = made.imagefolder(tmp_path / "source", pictures)
    main(["imagefolder", str(source), f"--out={tmp_path / 'out'}", "--none=good"])
    found = sorted(sorted(row["labels"].split(";")) for row in rows(tmp_path / "out/labels.csv"))
    assert found == sorted(sorted(picture.labels) or [""] for picture in pictures)
    assert "has the bytes of a picture before it: they are one" in capsys.readouterr().out
    main(["imagefolder", str(source), f"--out={tmp_path / 'four'}"])
    assert (tmp_path / "four/classes.txt").read_text(encoding="utf-8") == "cat\ndog\ngood\nkäfer\n"


def test_splits_of_an_image_folder_are_kept(tmp_path) -> None:
    for number, place in enumerate(("train/cat", "train/dog", "val/cat", "test/dog")):
        (tmp_path / "source" / place / "deep").mkdir(parents=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / "source" / place / "deep/0.png")
    main(["imagefolder", str(tmp_path / "source"), f"--out={tmp_path / 'out'}"])
    assert [(r["file"], r["split"], r["labels"]) for r in rows(tmp_path / "out/labels.csv")] == [
        ("train/cat/deep/0.png", "train", "cat"),
        ("train/dog/deep/0.png", "train", "dog"),
        ("val/cat/deep/0.png", "val", "cat"),
    ]


@pytest.mark.parametrize("kind", ["coco", "voc"])
def test_the_step_reads_what_was_made(tmp_path, pictures, monkeypatch, kind) -> None:
    """The step `dataset`, with boxes: nothing is refused, nothing differs."""
    monkeypatch.chdir(tmp_path)
    main([kind, str(made.LABELS[kind](tmp_path / "source", pictures)), f"--out={tmp_path / 'out'}"])
    good = Set("folder")
    good.root.parent.mkdir(parents=True)
    good.root.symlink_to(tmp_path / "out")
    good.rows = [(r["file"], r["split"], r["labels"]) for r in rows(tmp_path / "out/labels.csv")]
    said = good.run(truth="available", annotations="boxes")
    assert ("8 masks" in said) == (kind == "coco") and "boxes" in said
    train = {r[0].rpartition(".")[0].replace("/", "__"): r[0] for r in good.rows if r[1] == "train"}
    boxes = rows(Path("data/annotations/boxes.csv"))
    assert {train[row["id"]] for row in boxes} == {r[0] for r in good.rows if r[1] == "train" and r[2]}
    for row in boxes:
        thing = next(p for p in pictures if p.name == train[row["id"]])
        mask = thing.mask == CLASSES.index(row["class"]) + 1
        x, y = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        assert [int(row[s]) for s in ("left", "top", "right", "bottom")] == [x[0], y[0], x[-1] + 1, y[-1] + 1]
