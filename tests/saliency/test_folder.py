"""The step on maps that somebody made: what it writes, what it computes again, and what it refuses."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.common.artifacts import read_npz
from stages.evaluation.results import read_maps
from stages.evaluation.rungs import rung
from stages.saliency import __main__ as step
from tests.saliency.tiny import NAMES, SIDE, project

SIZE = (SIDE - 7, SIDE)
MAPS = Path("data/raw/eps")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "1")
    monkeypatch.setattr("sys.argv", ["saliency", "folder"])
    project({"saliency.maps": "raw/eps"})
    shutil.rmtree("data/seeds")  # nothing is trained, and no seed is read
    MAPS.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        cv2.imwrite(str(MAPS / f"{name}.png"), values(number))


def values(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, SIZE, np.uint8)


def test_the_maps_lie_as_those_of_the_other_methods() -> None:
    """And there is nothing of a network."""
    line = step.main()
    assert "6 pictures, 0 reused, 6 computed" in line and line.endswith("of maps in data/raw/eps")
    files = {file.name for file in Path("data/saliency").iterdir()}
    assert files == {*(f"{name}.npz" for name in NAMES), "classes.json"}
    assert Path("data/saliency/classes.json").read_text() == '[\n  "background",\n  "foreground"\n]\n'
    for number, name in enumerate(NAMES):
        found = read_npz(Path(f"data/saliency/{name}.npz"))
        assert {key: array.dtype for key, array in found.items()} == {
            "maps": np.float16, "classes": np.int16, "size": np.int32
        }  # fmt: skip
        assert found["maps"].shape == (1, *SIZE) and found["classes"].tolist() == [1]
        assert found["size"].tolist() == list(SIZE)
        np.testing.assert_allclose(found["maps"][0], values(number) / 255, atol=5e-4)
        maps, present = read_maps(Path(f"data/saliency/{name}.npz"), SIZE, 2)
        np.testing.assert_allclose(maps[0], values(number) / 255, atol=5e-4)
        assert present.tolist() == [1]
    assert rung("saliency").merged and rung("saliency").maps


def test_a_new_map_costs_one_picture_and_equal_ones_give_equal_bytes() -> None:
    step.main()
    before = {file.name: file.read_bytes() for file in Path("data/saliency").iterdir()}
    assert "6 reused, 0 computed" in step.main()
    assert before == {file.name: file.read_bytes() for file in Path("data/saliency").iterdir()}
    cv2.imwrite(str(MAPS / "b.png"), values(9))
    assert "5 reused, 1 computed" in step.main()
    (MAPS / "c.png").rename(MAPS / "c.PNG")  # a suffix in capitals is one, too
    (MAPS / "notes.txt").write_text("of whom these maps are")
    assert "6 reused, 0 computed" in step.main()


def test_maps_of_the_ground_are_inverted() -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace('"invert": false', '"invert": true'))
    step.main()
    found = read_npz(Path("data/saliency/a.npz"))["maps"][0]
    np.testing.assert_allclose(found, 1 - values(0) / 255, atol=5e-4)


def test_a_smaller_map_is_brought_to_the_picture() -> None:
    (MAPS / "a.png").unlink()
    np.save(MAPS / "a.npy", np.full((20, 24), 0.25))
    step.main()
    found = read_npz(Path("data/saliency/a.npz"))["maps"]
    assert found.shape == (1, *SIZE) and (found == 0.25).all()


def test_pictures_without_a_map_or_with_two_are_named() -> None:
    for name in "abd":
        (MAPS / f"{name}.png").unlink()
    with pytest.raises(
        ValueError, match=r"^data/raw/eps: 3 of 6 pictures of train have no map: a, b, d; a map"
    ):
        step.main()
    (MAPS / "e.png").unlink()
    with pytest.raises(
        ValueError, match=r"^data/raw/eps: 4 of 6 pictures of train have no map: a, b, d and 1 more; a map is"
    ):
        step.main()
    for name in "abde":
        shutil.copy(MAPS / "c.png", MAPS / f"{name}.png")
    shutil.copy(MAPS / "c.png", MAPS / "f.jpg")
    with pytest.raises(ValueError, match=r"^data/raw/eps: a picture has several maps: f\.jpg, f\.png; leave"):
        step.main()
    assert not Path("data/saliency").exists()


def test_a_map_of_another_picture_is_named() -> None:
    cv2.imwrite(str(MAPS / "d.png"), values(0).T)
    with pytest.raises(
        ValueError, match=r"^data/raw/eps/d\.png: is 41x48, which is not the shape of the picture, 48x41$"
    ):
        step.main()
    (MAPS / "d.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"^data/raw/eps/d\.png: is no readable PNG or JPEG"):
        step.main()
