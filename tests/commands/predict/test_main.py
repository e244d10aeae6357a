"""`wsss predict` with a small segmenter that nobody trained, and against the step `predictions`."""

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from stages.commands.predict import overlays
from stages.commands.predict.__main__ import main
from stages.commands.predict.batch import LabelPictures, in_words, shares
from stages.commands.predict.label import tiled
from stages.common.artifacts import read_mask
from stages.common.items import Item
from stages.common.params import load
from stages.dataset.decode import ORIENTATION
from stages.predictions.any_labeller import Answer, rough
from stages.predictions.labeller import Labeller
from stages.predictions.params import Predictions
from tests.conftest import ROOT, Project
from tests.segmenter.tiny import save_segmenter


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "1")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, name)
    save_segmenter(Path("data/segmenter"))
    return tmp_path


def blobs(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth random picture, RGB uint8 [H, W, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def rows(file: str) -> list[dict[str, str]]:
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def test_any_format_and_what_cannot_be_read(project: Path, capsys: pytest.CaptureFixture[str]):
    rgb = blobs(40, 60)
    Path("in").mkdir()
    plain = Image.fromarray(rgb)
    plain.save("in/plain.png")
    plain.convert("L").save("in/grey.png")
    grey = np.asarray(plain.convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save("in/sixteen.png")
    alpha = np.full((40, 60, 1), 255, np.uint8)
    alpha[:, :20] = 0
    Image.fromarray(np.concatenate([rgb, alpha], 2)).save("in/rgba.png")
    white = rgb.copy()
    white[:, :20] = 255
    Image.fromarray(white).save("in/white.png")
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # shown turned to the right by a quarter
    plain.save("in/turned.png", exif=exif)
    plain.rotate(-90, expand=True).save("in/upright.png")
    pair = [plain.quantize(16), Image.fromarray(blobs(40, 60, 1)).quantize(16)]
    pair[0].save("in/moving.gif", save_all=True, append_images=pair[1:])
    pair[0].save("in/palette.png")
    plain.save("in/whole.jpg")
    Path("in/broken.jpg").write_bytes(Path("in/whole.jpg").read_bytes()[:300])
    Path("in/empty.png").touch()
    Path("in/labels.csv").write_text("not a picture, so not asked for\n")

    assert main(["in", "missing.png", "--out", "out"]) == 1

    masks = {path.stem: read_mask(path) for path in Path("out/masks").iterdir()}
    assert len(masks) == 10 and masks["plain"].shape == (40, 60) and masks["turned"].shape == (60, 40)
    for one, other in (("grey", "sixteen"), ("rgba", "white"), ("turned", "upright"), ("moving", "palette")):
        assert np.array_equal(masks[one], masks[other]), (one, other)
    assert not np.array_equal(masks["rgba"], masks["plain"])
    assert {path.stem for path in Path("out/overlays").iterdir()} == set(masks)
    assert Image.open("out/overlays/turned.jpg").width == 40

    problems = {row["picture"]: row["problem"] for row in rows("out/pictures.csv") if row["problem"]}
    assert set(problems) == {"broken", "empty", "missing"}
    assert problems["missing"] == "No such file or directory"
    printed = capsys.readouterr().out
    assert "skipped, no pictures by their names: 1 (in/labels.csv)" in printed
    assert "12 pictures to label" in printed and "10 of 13 pictures are labelled; " in printed
    assert Path("out/.gitignore").read_text().endswith("\n*\n")
    assert "3 of 13 could not be labelled:" in printed and f"{project}/in/broken.jpg: unread" in printed


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("https://example.org/a.jpg", "an address: download"),
        ("nothing/*.jpg", "no file fits the pattern"),
        ("film.mp4", "a video: take pictures from it first"),
        ("wrong/path.png", "No such file or directory"),
        ("fifo", "a FIFO, a device or a socket, no picture"),
    ],
)
def test_what_is_no_picture_is_told_at_once(project: Path, asked: str, says: str):
    """Before torch is loaded: a child that may not load it says the same."""
    Path("film.mp4").touch()
    os.mkfifo("fifo")
    program = (
        "import sys; sys.modules['torch'] = None; "
        "from stages.commands.predict.__main__ import main; main(sys.argv[1:])"
    )
    words = [sys.executable, "-c", program, "--out=out", "--", asked]
    done = subprocess.run(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert f"ValueError: no picture in {asked}" in done.stderr and says in done.stderr
    assert not Path("out").exists()


def test_a_quoted_pattern_is_filled_in(project: Path):
    Path("in").mkdir()
    for name in ("a1.png", "a2.png", "b1.png"):
        Image.fromarray(blobs(30, 50)).save(f"in/{name}")
    assert main(["in/a*.png", "--out", "out"]) == 0
    assert {path.name for path in Path("out/masks").iterdir()} == {"a1.png", "a2.png"}


def test_areas_are_the_counts_of_the_masks(project: Path):
    Path("in").mkdir()
    for seed in range(2):
        Image.fromarray(blobs(30, 50, seed)).save(f"in/{seed}.png")
    assert main(["in", "--out", "out"]) == 0
    names = ["background", "cat", "dog"]
    found = {(row["picture"], row["class"]): (row["pixels"], row["percent"]) for row in rows("out/areas.csv")}
    wanted = {}
    for seed in range(2):
        mask = read_mask(Path(f"out/masks/{seed}.png"))
        for index in np.unique(mask):
            pixels = int((mask == index).sum())
            wanted[str(seed), names[index]] = (str(pixels), f"{pixels / 15:.2f}")
    assert found == wanted and len(found) > 2


def test_equal_names_in_two_folders(project: Path):
    for folder, seed in (("cats", 0), ("dogs", 1)):
        Path(folder).mkdir()
        Image.fromarray(blobs(30, 50, seed)).save(f"{folder}/1.png")
    main(["cats", "dogs", "--out", "out"])
    assert {path.name for path in Path("out/masks").iterdir()} == {"cats-1.png", "dogs-1.png"}
    assert [row["file"] for row in rows("out/pictures.csv")] == [
        f"{project}/{d}/1.png" for d in ("cats", "dogs")
    ]


def test_results_are_never_mixed_and_a_second_run_computes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    Image.fromarray(blobs(30, 50)).save("a.png")
    main(["a.png", "--out", "out"])
    assert "0 reused, 1 computed" in capsys.readouterr().out
    with pytest.raises(ValueError, match="out is there already: name a new folder"):
        main(["a.png", "--out", "out"])
    main(["a.png", "--out", "again"])
    assert "1 reused, 0 computed" in capsys.readouterr().out
    main(["a.png", "--out", "tiles", "--tile", "64", "--overlap", "5"])
    assert "0 reused, 1 computed" in capsys.readouterr().out


def test_a_large_picture_in_tiles(project: Path):
    """Where no other tile lies over the first one, its labels are those of the first."""
    Image.fromarray(blobs(2000, 3000)).save("large.png", compress_level=1)
    assert main(["large.png", "--out", "out", "--tile", "512", "--overlap", "128"]) == 0
    mask = read_mask(Path("out/masks/large.png"))
    assert mask.shape == (2000, 3000) and np.bincount(mask.ravel()).min() > 1e5
    first = labeller(tile=512, overlap=0).labels([blobs(2000, 3000)[:512, :512]])[0]
    height, width = round(1488 / 4), round(2488 / 7)  # where the second of 5 and the second of 8 tiles begin
    assert np.array_equal(mask[:height, :width], first[:height, :width])


def test_overlap_brings_tiles_nearer_to_the_whole(project: Path):
    picture = blobs(500, 750)
    whole = labeller(750, 0).labels([picture])[0]
    found = {overlap: labeller(128, overlap).labels([picture])[0] for overlap in (0, 32)}
    differs = {overlap: (labels != whole).mean() for overlap, labels in found.items()}
    assert 0 < differs[32] < differs[0] / 2


def labeller(tile: int, overlap: int, batch: int = 1, **changes: object) -> Labeller:
    params = load("predictions", Predictions).model_copy(update={"tile": tile, "overlap": overlap} | changes)
    return Labeller(Path("data/segmenter"), params, "cpu", batch)


def test_batches_of_one_size(project: Path):
    sizes = {"a": (50, 30), "b": (30, 50), "c": (50, 30), "d": (50, 30), "big": (90, 20), "big2": (90, 20)}
    for name, (width, height) in sizes.items():
        Image.fromarray(blobs(height, width)).save(f"{name}.png")
    exif = Image.Exif()
    exif[ORIENTATION] = 8
    Image.fromarray(blobs(30, 50)).save("turned.png", exif=exif)
    work = [Item(name, "", Path(f"{name}.png")) for name in [*sizes, "turned", "missing"]]

    def grouped(batch: int) -> list[list[str]]:
        compute = LabelPictures(labeller(64, 16, batch), ("background",), 100)
        return [[item.id for item in group] for group in compute.batches(work)]

    assert grouped(2) == [["a", "c"], ["d"], ["b", "turned"], ["big"], ["big2"], ["missing"]]
    assert grouped(1) == [[item.id] for item in work]

    pictures = [blobs(30, 50, seed) for seed in range(3)]
    together = labeller(64, 16, 3).labels(pictures)
    for picture, found in zip(pictures, together, strict=True):
        assert (labeller(64, 16).labels([picture])[0] == found).mean() > 0.999


def test_dense_crf_whole_and_in_a_tile(project: Path):
    """The CRF of a tile keeps probabilities, to be blended; their argmax is the step's result."""
    one = labeller(64, 16, crf=True)
    picture = blobs(40, 50)
    chances = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(0)).numpy()
    chances[1] = 0
    labels = chances.argmax(0).astype(np.uint8)
    wanted = one.refined(rough(picture, chances, Answer(labels))).labels
    assert np.array_equal(one._posterior(picture, chances).argmax(0), wanted)
    assert not np.array_equal(wanted, labels)
    raw = one.chances([picture])[0].numpy()
    whole = one.refined(rough(picture, raw, Answer(raw.argmax(0).astype(np.uint8)))).labels
    assert np.array_equal(one.labels([picture])[0], whole)


def test_what_is_asked_for_must_fit(project: Path):
    whole = load("predictions", Predictions)
    cut = whole.model_copy(update={"tile": 96, "overlap": 10})

    def tiling(params: Predictions, tile: int | None, overlap: int | None) -> tuple[int | None, int]:
        found = tiled(params, tile, overlap)
        return found.tile, found.overlap

    assert tiling(whole, None, None) == (256, 64)  # the demo trains on crops of 128
    assert tiling(whole, 100, None) == (100, 25) and tiling(whole, None, 0) == (256, 0)
    assert tiling(cut, None, None) == (96, 10)  # as the step `predictions` cuts them
    assert tiling(cut, None, 5) == (96, 5) and tiling(cut, 80, None) == (80, 20)
    for tile, overlap, says in (
        (63, 1, "--tile: must be 64"), (64, 33, "--overlap: must be 0 to 32"), (64, -1, "--overlap")
    ):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            tiled(whole, tile, overlap)
    Path("empty").mkdir()
    with pytest.raises(ValueError, match="no picture in empty"):
        main(["empty", "--out", "out"])


def test_words_of_small_areas():
    assert shares([9990, 0, 9, 1]) == [(0, 9990, "99.90"), (2, 9, "0.09"), (3, 1, "0.01")]
    assert in_words([9980, 0, 19, 1]) == [(0, "99.8 %"), (2, "0.2 %"), (3, "< 0.1 %")]


def test_val_pictures_come_out_as_the_step_left_them(recipe: Project, tmp_path: Path):
    """By the command, from a folder below the project's root."""
    project = recipe.copy(tmp_path / "project")
    project.run("bash", "-c", "cd reports && wsss predict ../data/dataset/images --out ../labelled")
    stored = sorted((project.root / "data/predictions").iterdir())
    assert len(stored) == 4
    for mask in stored:
        assert (project.root / "labelled/masks" / mask.name).read_bytes() == mask.read_bytes()


def test_what_is_odd_is_told(project: Path, capsys: pytest.CaptureFixture[str]):
    """Deeper than the data set: nobody knows its white. And one longer than a JPEG may be."""
    Path("data/dataset").mkdir(parents=True, exist_ok=True)
    Path("data/dataset/white.json").write_text('{"whole": 4095, "real": null}')
    bright = np.full((40, 60), 60000, np.uint16)
    Image.fromarray(bright).save("bright.png")
    Image.fromarray((bright // 16).astype(np.uint16)).save("fits.png")
    assert main(["bright.png", "fits.png", "--out", "out"]) == 0
    printed = capsys.readouterr().out
    assert "1 of 2 are odd" in printed and "is brighter than the data set: it goes up to 60000" in printed
    notes = {row["picture"]: row["note"] for row in rows("out/pictures.csv")}
    assert notes["fits"] == "" and "4095 is white" in notes["bright"]


def test_an_overlay_is_never_larger_than_a_jpeg_may_be(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(overlays, "LONGEST", 100)
    picture = np.zeros((20, 400, 3), np.uint8)
    content = overlays.overlay_jpeg(picture, np.zeros((20, 400), np.uint8), [(1, "cat")])
    assert max(Image.open(io.BytesIO(content)).size) == 100


def test_a_name_that_no_file_can_have(project: Path):
    with pytest.raises(ValueError, match="No such file"):
        main(["a" * 300, "--out", "out"])
