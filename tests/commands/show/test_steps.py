"""One picture through the recipe: the steps on arrays, and on the small recipe."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from stages.commands.show.__main__ import main, read_case
from stages.commands.show.case import Case, Step
from stages.commands.show.steps import all_steps, powers, walked
from stages.common.artifacts import mask_bytes, npz_bytes, read_mask, read_npz, write_atomic
from stages.common.crf_params import Crf
from stages.common.pictures import Picture
from stages.pseudo_labels.params import RandomWalk
from stages.pseudo_labels.random_walk import labels
from tests.conftest import Project

CRF = Crf(iterations=3, smooth_sxy=3.0, smooth_compat=3.0, color_sxy=20.0, color_srgb=10.0, color_compat=5.0)


def test_powers_of_two_and_the_end():
    assert powers(1) == [1]
    assert powers(8) == [1, 2, 4, 8]
    assert powers(6) == [1, 2, 4, 6]


@pytest.mark.parametrize("background", ["alpha", "constant"])
def test_each_stop_of_the_walk_is_a_walk_of_so_many_steps(background: str):
    rng = np.random.default_rng(0)
    seeds = {"maps": rng.random((2, 6, 5)).astype(np.float16), "classes": np.array([3, 7], np.int16)}
    affinity = {
        "affinities": rng.random((2, 12, 10)).astype(np.float16),
        "offsets": np.array([[0, 1], [1, 0]], np.int8),
    }
    params = RandomWalk(beta=2.0, steps=6, background=background, alpha=2.0, threshold=0.6, crf=False)
    found = walked(seeds, affinity, (24, 20), params)
    assert list(found) == [1, 2, 4, 6]
    for steps, result in found.items():
        wanted = labels(
            seeds["maps"], seeds["classes"], (24, 20), params.model_copy(update={"steps": steps}), CRF,
            affinity=affinity,
        )  # fmt: skip
        assert np.array_equal(result, wanted)
    assert not np.array_equal(found[1], found[6])


def case(truth: np.ndarray | None, split: str = "train") -> Case:
    picture = Picture("a", Path("a.png"), split, 4, 1, (1,))
    return Case(picture, np.full((1, 4, 3), 100, np.uint8), truth, ("background", "cat"))


def test_iou_of_a_picture_by_hand():
    """Truth 0 0 1 void, result 0 1 1 1: background 1/2, cat 1/2. Unknown is wrong, not background."""
    one = case(np.array([[0, 0, 1, 255]], np.uint8))
    assert one.iou(np.array([[0, 1, 1, 1]], np.uint8)) == 50
    assert one.iou(np.array([[0, 255, 1, 1]], np.uint8)) == 75  # background 1/2, cat 1/1
    assert case(None).iou(np.zeros((1, 4), np.uint8)) is None
    assert case(np.full((1, 4), 255, np.uint8)).iou(np.zeros((1, 4), np.uint8)) is None


def test_why_a_result_is_missing(tmp_path: Path):
    file = tmp_path / "a.png"
    assert case(None).missing(file, "crf") == f"{file} is missing: `wsss run crf` makes it"
    assert case(None, "val").missing(file, "crf") == "made of the train split only, this picture is of val"
    file.touch()
    assert case(None).missing(file, "crf") == ""


@pytest.fixture
def small(recipe: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = recipe.copy(tmp_path / "project")
    monkeypatch.chdir(project.root)
    return project


def by_name(steps: list[Step]) -> dict[str, Step]:
    return {step.name: step for step in steps}


def test_a_training_picture_takes_part_in_every_step(small: Project):
    one = read_case("train_00001")
    steps = by_name(all_steps(one))
    assert list(steps) == [
        "seeds", "crf", "affinity_labels", "affinity", "random_walk", "pseudo_labels", "predictions", "truth",
    ]  # fmt: skip
    assert not any(step.absent for step in steps.values())
    maps = len(one.picture.labels)
    assert [len(step.tiles) for step in steps.values()] == [maps + 2, 2, 2, 2, 7, 2, 3, 1]
    assert all(tile.drawing.shape == one.rgb.shape for step in steps.values() for tile in step.tiles)
    assert one.truth is not None
    for name, folder in (("crf", "affinity_labels/crf"), ("pseudo_labels", "pseudo_labels")):
        result = read_mask(Path(f"data/{folder}/train_00001.png"))
        assert steps[name].iou == pytest.approx(mean_iou(one.truth, result))
    for name in ("seeds", "crf", "pseudo_labels"):  # as the evaluation has it
        with Path(f"reports/rungs/{name}/per_picture.csv").open(newline="") as file:
            (row,) = (row for row in csv.DictReader(file) if row["id"] == "train_00001")
        assert f"{steps[name].iou:.2f}" == row["miou"]


def mean_iou(truth: np.ndarray, result: np.ndarray) -> float:
    """Another way: sets of pixels, class by class."""
    seen = truth != 255
    found = []
    for label in range(4):
        a, b = (truth == label) & seen, (result == label) & seen
        if (a | b).any():
            found.append((a & b).sum() / (a | b).sum())
    return 100 * float(np.mean(found))


def test_a_val_picture_has_a_prediction_only(small: Project):
    absent, predictions, truth = all_steps(read_case("val_00002"))
    assert absent.name == "seeds, crf, affinity_labels, affinity, random_walk, pseudo_labels"
    assert absent.absent == "made of the train split only, this picture is of val"
    stored = Path("data/predictions/val_00002.png")
    assert predictions.about == "deeplabv3plus on small"
    stored.unlink()
    (again,) = (step for step in all_steps(read_case("val_00002")) if step.name == "predictions")
    assert again.about == f"deeplabv3plus on small; computed now, for {stored} is missing"
    assert again.iou == predictions.iou and not truth.absent


def test_what_is_missing_is_named_and_the_rest_shown(small: Project):
    small.change(pseudo_labels__method="threshold")
    Path("data/affinity_labels/crf/train_00001.png").unlink()
    Path("data/masks/train_00001.png").unlink()
    Path("data/segmenter/weights.safetensors").unlink()
    steps = by_name(all_steps(read_case("train_00001")))
    assert steps["crf"].absent.startswith("data/affinity_labels/crf/train_00001.png is missing: `wsss run")
    assert "random_walk" not in steps  # of another recipe
    assert steps["predictions"].absent.startswith("data/segmenter holds no trained segmenter")
    assert steps["truth"].absent == "data/masks has none of this picture"
    assert [tile.title for tile in steps["pseudo_labels"].tiles] == ["labels"]  # no errors without a truth
    assert all(step.iou is None for step in steps.values())


def test_a_step_that_the_recipe_does_without_is_not_shown(small: Project):
    small.change(pseudo_labels__method="crf", affinity__of=[], affinity_labels__of=[])
    steps = by_name(all_steps(read_case("train_00001")))
    assert list(steps) == ["seeds", "pseudo_labels", "predictions", "truth"]


def test_object_and_ground_stand_after_the_seeds_and_are_scored_as_two_classes(small: Project):
    small.change(saliency__of=["c2am"], evaluation__threshold=0.5)
    truth = read_mask(Path("data/masks/train_00001.png"))
    marked = np.zeros(truth.shape, np.float32)
    marked[: len(truth) // 2] = 1  # the upper half, whatever is there
    Path("data/saliency").mkdir()
    arrays = {"maps": marked[None], "classes": np.array([1], np.uint8), "size": np.array(truth.shape)}
    write_atomic(Path("data/saliency/train_00001.npz"), npz_bytes(**arrays))
    steps = by_name(all_steps(read_case("train_00001")))
    assert list(steps)[:3] == ["seeds", "saliency", "crf"]
    known, objects, upper = truth != 255, (truth > 0) & (truth != 255), marked == 1
    ious = [
        (a & b & known).sum() / ((a | b) & known).sum() for a, b in ((objects, upper), (~objects, ~upper))
    ]
    assert steps["saliency"].iou == pytest.approx(100 * np.mean(ious))
    assert [tile.title for tile in steps["saliency"].tiles] == [
        "map of foreground", "labels at threshold 0.5", "errors",
    ]  # fmt: skip
    Path("data/saliency/train_00001.npz").unlink()
    assert "`wsss run saliency` makes it" in by_name(all_steps(read_case("train_00001")))["saliency"].absent


def test_cues_stand_after_the_seeds_and_walk_where_labels_are_made_of_them(small: Project):
    """Maps that are 1 everywhere: labelled is the first class, by the cues and by their walk."""
    small.change(cues__of=["seeds"], cues__regions="felzenszwalb", affinity_labels__of=["cues"])
    seeds = read_npz(Path("data/seeds/train_00001.npz"))
    (height, width), classes = seeds["size"], seeds["classes"]
    arrays = seeds | {"maps": np.ones((len(classes), height, width), np.float16)}
    write_atomic(Path("data/cues/train_00001.npz"), npz_bytes(**arrays))
    before = by_name(all_steps(read_case("train_00001")))
    small.change(pseudo_labels__maps="cues")
    steps = by_name(all_steps(read_case("train_00001")))
    assert list(steps)[:3] == ["seeds", "cues", "crf"]
    case = read_case("train_00001")
    only = case.iou(np.full(case.size, classes[0], np.uint8))
    assert steps["cues"].iou == steps["random_walk"].iou == only != before["random_walk"].iou
    assert steps["cues"].about == "seeds, means of regions (felzenszwalb)"
    assert "dense CRF on the cues" in steps["crf"].about
    Path("data/cues/train_00001.npz").unlink()
    steps = by_name(all_steps(read_case("train_00001")))
    assert "`wsss run cues` makes it" in steps["cues"].absent
    assert "`wsss run cues` makes it" in steps["random_walk"].absent


@pytest.mark.parametrize(("identifier", "split"), [("train_00001", "train"), ("val_00001", "val")])
def test_the_one_step_network_s_mask_of_either_split(small: Project, identifier: str, split: str) -> None:
    assert "one_step" not in by_name(all_steps(read_case(identifier)))
    small.change(one_step__of=["rrm"])
    assert "`wsss run one_step` makes it" in by_name(all_steps(read_case(identifier)))["one_step"].absent
    truth = read_mask(Path(f"data/masks/{identifier}.png"))
    write_atomic(Path(f"data/one_step/{split}/{identifier}.png"), mask_bytes(truth))
    steps = by_name(all_steps(read_case(identifier)))
    assert steps["one_step"].iou == 100 and list(steps)[-3:] == ["one_step", "predictions", "truth"]
    assert ("trained on this picture" in steps["one_step"].about) == (split == "train")


def test_the_mask_of_a_graph_network_stands_before_the_walk(small: Project) -> None:
    assert "graph" not in by_name(all_steps(read_case("train_00001")))
    small.change(graph__of=["a2gnn"])
    assert "`wsss run graph` makes it" in by_name(all_steps(read_case("train_00001")))["graph"].absent
    truth = read_mask(Path("data/masks/train_00001.png"))
    write_atomic(Path("data/graph/train_00001.png"), mask_bytes(truth))
    steps = by_name(all_steps(read_case("train_00001")))
    assert steps["graph"].iou == 100 and "nodes of 2 x 2 cells" in steps["graph"].about
    assert list(steps)[3:6] == ["affinity", "graph", "random_walk"]


def test_an_unknown_id_names_the_nearest(small: Project):
    with pytest.raises(
        ValueError, match=r"no picture train_0001 in data/dataset; did you mean .*train_00001"
    ):
        main(["train_0001", "--tiles", "t"])
    with pytest.raises(ValueError, match=r"no picture zzz in data/dataset, which holds 12"):
        main(["zzz", "--tiles", "t"])
    assert not os.path.exists("t")


def test_files_of_the_door(small: Project):
    write_atomic(Path("data/masks/train_00001.png"), mask_bytes(np.full((64, 64), 255, np.uint8)))
    assert main(["train_00001", "--tiles", "tiles", "--png", "new/sheet.png"]) == 0
    shown = json.loads(Path("tiles/steps.json").read_text())
    named = {tile["file"] for step in shown["steps"] for tile in step["tiles"]} | {
        "picture.webp",
        "steps.json",
    }
    assert named == set(os.listdir("tiles"))
    assert shown["split"] == "train" and all(step["iou"] is None for step in shown["steps"])
    assert Path("new/sheet.png").read_bytes().startswith(b"\x89PNG")
