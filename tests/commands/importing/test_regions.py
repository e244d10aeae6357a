"""What SAM's scripts write becomes regions of a set: each form, and whatever is odd about it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.commands.importing.__main__ import main
from stages.pseudo_labels import region_file
from tests.commands.importing.made import compressed, run_lengths
from tests.commands.importing.test_bad_input import refused

SIZES = {"a": (20, 30), "b": (17, 9), "käfer 1": (12, 12)}
Regions = dict[str, list[np.ndarray]]


def drawn(number: int = 4) -> Regions:
    rng = np.random.default_rng(3)
    found = {name: list(rng.random((number, *size)) < 0.3) for name, size in SIZES.items()}
    for masks in found.values():
        masks[0][:] = False
        masks[0][2:8, 3:7] = True
    return found


def amg(root: Path, regions: Regions) -> Path:
    """As scripts/amg.py writes: a folder a picture; twelve masks and more are not in the order of names."""
    for name, masks in regions.items():
        (root / name).mkdir(parents=True)
        for number, mask in enumerate(masks):
            Image.fromarray(mask.astype(np.uint8) * 255).save(root / name / f"{number}.png")
        rows = [f"{number},{mask.sum()},0,0" for number, mask in enumerate(masks)]
        (root / name / "metadata.csv").write_text("\n".join(["id,area,bbox_x0,bbox_y0", *rows]))
    return root


def rle(mask: np.ndarray, plain: bool = False) -> dict[str, object]:
    counts = run_lengths(mask.T.ravel())
    return {"size": list(mask.shape), "counts": counts if plain else compressed(counts)}


def amg_rle(root: Path, regions: Regions) -> Path:
    """With --convert-to-rle; SAM's own mask_to_rle has plain counts, pycocotools compressed ones."""
    root.mkdir(parents=True)
    for name, masks in regions.items():
        entries = [{"segmentation": rle(mask, n % 2 == 1), "area": 1} for n, mask in enumerate(masks)]
        (root / f"{name}.json").write_text(json.dumps(entries))
    return root


def sa_1b(root: Path, regions: Regions) -> Path:
    """A folder of it, the pictures beside."""
    place = root / "sa_000000"
    place.mkdir(parents=True)
    for name, masks in regions.items():
        height, width = SIZES[name]
        image = {"image_id": 1, "width": width, "height": height, "file_name": f"{name}.jpg"}
        entries = [{"id": n, "segmentation": rle(mask)} for n, mask in enumerate(masks)]
        (place / f"{name}.json").write_text(json.dumps({"image": image, "annotations": entries}))
        Image.new("RGB", (width, height)).save(place / f"{name}.jpg")
    return root


def pictures(root: Path, names: tuple[str, ...] = tuple(SIZES)) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        height, width = SIZES[name.rpartition("/")[2]]
        Image.new("RGB", (width, height)).save(root / f"{name}.png")
    return root


def made(out: Path) -> Regions:
    return {file.stem: region_file.pixels(region_file.read(file.read_bytes())) for file in out.iterdir()}


@pytest.mark.parametrize("form", [amg, amg_rle, sa_1b])
def test_every_form_gives_the_same_bytes(tmp_path: Path, form, capsys: pytest.CaptureFixture) -> None:
    regions = drawn(13)
    out = tmp_path / "sam-regions"
    assert main(["regions", str(form(tmp_path / "source", regions)), f"--out={out}"]) == 0
    found = made(out)
    assert found.keys() == regions.keys()
    for name, masks in regions.items():
        assert len(found[name]) == 13 and all(map(np.array_equal, found[name], masks)), name
        wanted = {"counts": [compressed(run_lengths(mask.T.ravel())) for mask in masks]}
        wanted["size"] = list(SIZES[name])
        assert (out / f"{name}.json").read_text() == json.dumps(wanted) + "\n"
    assert capsys.readouterr().out.splitlines() == [
        f"{out}: regions of 3 pictures, 39 masks, 13 to 13 of a picture",
        "next:",
        f"  wsss link sam-regions {out}",
        "and in params.yaml, pseudo_labels: merge: masks, regions: raw/sam-regions",
    ]


def test_one_file_is_a_source(tmp_path: Path) -> None:
    source = amg_rle(tmp_path / "source", drawn()) / "b.json"
    main(["regions", str(source), f"--out={tmp_path / 'out'}"])
    assert list(made(tmp_path / "out")) == ["b"]


def test_masks_without_a_pixel_are_none(tmp_path: Path) -> None:
    regions = {"a": [np.zeros((20, 30), bool), np.ones((20, 30), bool)]}
    main(["regions", str(amg(tmp_path / "source", regions)), f"--out={tmp_path / 'out'}"])
    [whole] = made(tmp_path / "out")["a"]
    assert whole.all()


def test_the_pictures_give_identifiers_and_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A picture in a folder is known by both of its names; what has no counterpart is said."""
    regions = drawn()
    regions["b"] = []
    source = amg(tmp_path / "source", regions)
    images = pictures(tmp_path / "images", ("trip/a", "b"))
    Image.new("RGB", (5, 5)).save(images / "other.png")
    main(["regions", str(source), f"--out={tmp_path / 'out'}", f"--pictures={images}"])
    found = made(tmp_path / "out")
    assert found.keys() == {"trip__a", "b"} and found["b"] == []  # SAM found nothing on it
    assert region_file.read((tmp_path / "out/b.json").read_bytes()).size == SIZES["b"]
    told = capsys.readouterr().out
    assert "regions of 2 pictures, 4 masks, 0 to 4 of a picture" in told
    assert f"note: {source}/käfer 1: is of no picture in --pictures: left out" in told
    assert "note: other.png: without regions" in told


def test_exif_turns_a_picture_as_sam_saw_it(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 30))  # stored so; upright it is 30 wide
    exif = image.getexif()
    exif[274] = 6
    (tmp_path / "images").mkdir()
    image.save(tmp_path / "images/a.jpg", exif=exif)
    source = amg(tmp_path / "source", {"a": drawn()["a"]})
    main(["regions", str(source), f"--out={tmp_path / 'out'}", f"--pictures={tmp_path / 'images'}"])
    assert made(tmp_path / "out")["a"][0].shape == (20, 30)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    regions = {name: drawn()["a"] for name in ("short", "no", "grey", "colours", "mixed")}
    source = amg(tmp_path / "source", regions)
    (source / "short/2.png").unlink()
    (source / "no/1.png").write_bytes(b"nothing")
    Image.fromarray(np.full((20, 30), 7, np.uint8)).save(source / "grey/1.png")
    Image.new("RGB", (30, 20)).save(source / "colours/1.png")
    Image.new("L", (20, 30)).save(source / "mixed/1.png")
    for name, text in {
        "counts": [{"segmentation": {"size": [2, 3], "counts": 7}}],
        "sides": [{"segmentation": rle(np.ones((2, 3)))}, {"segmentation": rle(np.ones((3, 2)))}],
        "fill": [{"segmentation": {"size": [2, 3], "counts": [1, 4]}}],
        "text": [{"segmentation": [[1, 2, 3, 4]]}],
        "empty": [],
        "image": {
            "image": {"width": 3, "height": 3},
            "annotations": [{"segmentation": rle(np.ones((2, 3)))}],
        },
        "number": 3,
    }.items():
        (source / f"{name}.json").write_text(json.dumps(text))
    (source / "broken.json").write_text('[{"segmentation": ')
    told = refused(tmp_path, "regions", source)
    assert told == [
        "broken.json: line 1 is no JSON: Expecting value",
        "colours, grey: 1.png is no mask of amg.py: a grey PNG of 0 and 255",
        "counts.json: mask 0: 'counts' is 7, neither a text nor a list",
        "empty.json: holds no mask that would tell the picture's size: name --pictures",
        "fill.json: mask 0: its RLE does not fill 3x2 pixels",
        "image.json: mask 0: is of 3x2, not 3x3",
        "mixed: 1.png is 20x30, those before it are 30x20",
        told[7],
        "number.json: is 3, not SAM's list of masks",
        "short: metadata.csv lists 4 masks, there are 3",
        "sides.json: mask 1: is of 2x3, not 3x2",
        "text.json: mask 0: 'segmentation' is [[1, 2, 3, 4]], not an object",
    ]
    assert told[7].startswith("no: 1.png is no readable PNG: ")


def test_names_and_sizes_that_do_not_fit_the_pictures(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", ("a", "b"))
    pictures(images, ("trip/b",))
    Image.new("RGB", (31, 20)).save(images / "a.png")
    source = amg(tmp_path / "source", {name: drawn()[name] for name in ("a", "b")})
    told = refused(tmp_path, "regions", source, f"--pictures={images}")
    assert told == [
        "b: is the name of several pictures: b.png and trip/b.png",
        "a: its masks are of 30x20 pixels, the picture has 31x20",
    ]


def test_a_picture_has_one_source(tmp_path: Path) -> None:
    source = amg(tmp_path / "source", {"a": drawn()["a"]})
    amg_rle(source / "more", {"a": drawn()["a"]})
    [told] = refused(tmp_path, "regions", source)
    assert told == f"more/a.json: is of the same picture as {source}/a"


@pytest.mark.parametrize("option", ["--val=0.5", "--none=good", "--copy", "--classes=names.txt"])
def test_options_of_data_sets_are_refused(tmp_path: Path, option: str) -> None:
    name = option.partition("=")[0]
    source = amg(tmp_path / "source", drawn())
    assert refused(tmp_path, "regions", source, option) == [
        f"{name} is of data sets, and regions are none: leave it out"
    ]
    with pytest.raises(ValueError, match="is of the format masks only"):
        main(["regions", str(source), f"--out={tmp_path / 'out'}", "--threshold=3"])


def test_places_that_cannot_be(tmp_path: Path) -> None:
    source = amg(tmp_path / "source", drawn())
    assert "is missing" in refused(tmp_path, "regions", tmp_path / "gone")[0]
    (tmp_path / "bare").mkdir()
    assert "neither a folder with metadata.csv or 0.png" in refused(tmp_path, "regions", tmp_path / "bare")[0]
    assert "is no folder" in refused(tmp_path, "regions", source, "--pictures=gone")[0]
    with pytest.raises(ValueError, match=r"lies in .*source: the next import would read it, too"):
        main(["regions", str(source), f"--out={source / 'out'}"])


def test_many_pictures_go_to_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSSS_WORKERS", "2")
    mask = np.eye(5, dtype=bool)
    source = amg_rle(tmp_path / "source", {f"p{n:02}": [mask] for n in range(70)})
    main(["regions", str(source), f"--out={tmp_path / 'out'}"])
    assert len(list((tmp_path / "out").iterdir())) == 70
    assert len({file.read_bytes() for file in (tmp_path / "out").iterdir()}) == 1
