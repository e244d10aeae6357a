"""Rungs as params.yaml names them, and the split that each is of."""

from pathlib import Path

import numpy as np
import pytest

from stages.common.labels import as_objects
from stages.common.params import ParameterError
from stages.common.pictures import Picture, Pictures
from stages.evaluation.names import OBJECTS
from stages.evaluation.rungs import of_recipe, rung, split_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lay(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def pictures(**splits: str) -> Pictures:
    found = tuple(Picture(i, Path(f"{i}.jpg"), split, 4, 4, (1,)) for i, split in splits.items())
    return Pictures(("background", "cat"), found)


def test_a_rung_of_maps_and_one_of_labels(folder: Path) -> None:
    lay("data/seeds/a.npz", "data/affinity_labels/crf/a.png", "elsewhere/data/seeds/a.npz")
    assert rung("seeds").maps and rung("seeds").file("b") == Path("data/seeds/b.npz")
    labels = rung("affinity_labels/crf")
    assert not labels.maps and labels.file("b") == Path("data/affinity_labels/crf/b.png")
    assert rung("seeds", folder / "elsewhere").file("a") == folder / "elsewhere/data/seeds/a.npz"


def test_the_split_is_that_of_the_pictures_with_a_result(folder: Path) -> None:
    lay("data/one/a.png", "data/one/about.json", "data/both/a.png", "data/both/v.png", "data/none/x.png")
    known = pictures(a="train", b="train", v="val")
    assert split_of("one", rung("one"), known) == "train"
    with pytest.raises(ValueError, match="rung both: data/both holds results of train and val"):
        split_of("both", rung("both"), known)
    with pytest.raises(ValueError, match="rung none: data/none holds no result"):
        split_of("none", rung("none"), known)


def test_the_rungs_of_a_recipe_keep_their_order(folder: Path) -> None:
    Path("params.yaml").write_text(
        "evaluation: {rungs: {z: seeds, a: affinity_labels/crf}, threshold: 0.3}\n"
    )
    assert list(of_recipe().items()) == [("z", "seeds"), ("a", "affinity_labels/crf")]


@pytest.mark.parametrize(
    "text", ["{}", "evaluation: {}", "evaluation: {rungs: {}}", "evaluation: {rungs: {a: ../masks}}"]
)
def test_a_recipe_must_name_its_rungs(folder: Path, text: str) -> None:
    Path("params.yaml").write_text(text)
    with pytest.raises(ParameterError, match=r"params.yaml, section evaluation: 1 problem\(s\)\n  rungs"):
        of_recipe()


def test_a_folder_that_says_so_is_of_object_and_ground(folder: Path) -> None:
    lay("data/saliency/a.npz", "data/seeds/a.npz")
    Path("data/saliency/classes.json").write_text('["background", "foreground"]')
    assert rung("saliency").merged and rung("saliency").classes(("background", "cat", "dog")) == OBJECTS
    assert not rung("seeds").merged and rung("seeds").classes(("background", "cat")) == ("background", "cat")
    Path("data/saliency/classes.json").write_text('["background", "cat"]')
    with pytest.raises(ValueError, match="must hold background and foreground"):
        rung("saliency")


def test_all_classes_are_one_and_what_is_unknown_stays() -> None:
    labels = np.uint8([[0, 1, 7], [255, 2, 0]])
    assert as_objects(labels).tolist() == [[0, 1, 1], [255, 1, 0]]
    assert as_objects(labels, 254).tolist() == [[0, 254, 254], [255, 254, 0]]
    assert as_objects(labels).dtype == np.uint8
