import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.project.links import link
from stages.pseudo_labels import region_file


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "pictures" / "JPEGImages").mkdir(parents=True)
    (tmp_path / "root").mkdir()
    return tmp_path / "pictures"


def test_a_link_is_absolute_and_twice_is_once(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "root")
    for _ in range(2):
        place = link(tmp_path / "root", "mini-2012", Path("../pictures"))
    assert place == tmp_path / "root" / "data" / "raw" / "mini-2012"
    assert place.readlink() == pictures
    assert (place / "JPEGImages").is_dir()


@pytest.mark.parametrize(
    ("name", "says"),
    [("../x", "no name"), ("", "no name"), ("a b", "no name"), (".x", "no name"), ("synthetic", "generated")],
)
def test_a_name_that_cannot_be(tmp_path: Path, pictures: Path, name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        link(tmp_path / "root", name, pictures)
    assert not (tmp_path / "root" / "data").exists()


def test_a_path_that_cannot_be(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        link(tmp_path / "root", "mini", tmp_path / "nothing")
    with pytest.raises(ValueError, match="contains this project"):
        link(tmp_path / "root", "mini", tmp_path)


def test_a_name_that_is_taken(tmp_path: Path, pictures: Path) -> None:
    root = tmp_path / "root"
    place = link(root, "mini", pictures)
    with pytest.raises(ValueError, match=r"data/raw/mini exists and points to .*pictures"):
        link(root, "mini", pictures / "JPEGImages")
    assert place.readlink() == pictures
    (root / "data" / "raw" / "own").mkdir()
    with pytest.raises(ValueError, match=r"data/raw/own exists and is a folder"):
        link(root, "own", pictures)


def test_wsss_link_says_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Path
) -> None:
    (pictures / "JPEGImages" / "a.png").touch()
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / "root" / name).touch()
    monkeypatch.chdir(tmp_path / "root")
    done = CliRunner().invoke(app, ["link", "mini", str(pictures)])
    assert done.exit_code == 0, done.output
    assert "set dataset.name to mini" in done.output
    assert "voc layout, 1 picture(s): set dataset.source to voc" in done.output


def test_wsss_link_tells_regions_and_maps_from_data_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Path
) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / "root" / name).touch()
    monkeypatch.chdir(tmp_path / "root")
    for folder in ("sam", "png", "npy"):
        (tmp_path / folder).mkdir()
    for name in "ab":
        (tmp_path / f"sam/{name}.json").write_bytes(region_file.write((2, 3), [[6], [1, 5]]))
        (tmp_path / f"png/{name}.png").touch()
        (tmp_path / f"npy/{name}.npy").touch()
    told = CliRunner().invoke(app, ["link", "sam", str(tmp_path / "sam")]).output
    assert told == (
        f"data/raw/sam -> {tmp_path / 'sam'}\n"
        "regions of 2 picture(s): set pseudo_labels.merge to masks, pseudo_labels.regions to raw/sam\n"
    )
    for folder in ("png", "npy"):
        told = CliRunner().invoke(app, ["link", folder, str(tmp_path / folder)]).output
        assert "needed is images/ and labels.csv" in told
        maps = "if these are maps of saliency, set saliency.of to [folder], saliency.maps to raw/"
        assert told.endswith(f"; {maps}{folder}\n")
    (tmp_path / "npy/a.json").write_text('{"counts": 3}')
    assert "regions of" not in CliRunner().invoke(app, ["link", "npy", str(tmp_path / "npy")]).output


def test_a_folder_with_what_has_no_end(tmp_path: Path, pictures: Path) -> None:
    os.mkfifo(pictures / "JPEGImages" / "a.jpg")
    with pytest.raises(ValueError, match=r"JPEGImages/a\.jpg is a FIFO, which has no end: remove it"):
        link(tmp_path / "root", "mini", pictures)
    assert not (tmp_path / "root" / "data").exists()
