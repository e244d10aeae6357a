"""The ceiling on a handful of generated pictures: learned from masks, scored on val."""

import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.ceiling import __main__ as ceiling
from stages.common.artifacts import mask_bytes, read_json, read_mask, read_picture, write_atomic
from stages.common.params import read_yaml
from stages.common.pictures import load_pictures
from stages.evaluation import metrics, tables
from stages.predictions.labeller import Labeller
from stages.predictions.params import Predictions
from tests.conftest import Project


@pytest.fixture
def project(recipe: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    copy = recipe.copy(tmp_path / "project")
    monkeypatch.chdir(copy.root)
    return copy


def test_it_learns_from_the_masks_and_is_there_only_if_asked_for(project: Project) -> None:
    assert "ceiling" not in project.run("dvc", "stage", "list").stdout
    before = set(read_yaml(project.root / "dvc.lock")["stages"])
    project.change(ceiling__of={"segmenter": "nothing"}, segmenter__epochs=8)
    said = project.run("dvc", "repro", "ceiling@segmenter").stdout
    assert project.stages_that_ran(said) == {"code", "parameters", "ceiling@segmenter"}
    values = read_json(Path("reports/ceiling/segmenter/metrics.json"))
    assert (values["images"], values["split"]) == (4, "val")
    assert f"mIoU {values['miou']:.2f} % of val, 4 pictures, trained on 8 masks" in said
    assert values["miou"] > 15
    with Path("data/ceiling/segmenter/history.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 8 and losses[-1] < 0.8 * losses[0]  # it learns
    table = [
        row.split(",") for row in Path("reports/ceiling/segmenter/per_class.csv").read_text().splitlines()[1:]
    ]
    val = load_pictures().split("val")
    true = np.stack([read_mask(Path(f"data/masks/{p.id}.png")) for p in val])
    assert [int(row[-1]) for row in table] == [int((true == index).sum()) for index in range(len(table))]
    labeller = Labeller(Path("data/ceiling/segmenter"), ceiling.load("predictions", Predictions), "cpu")
    found = np.stack([labeller.labels([read_picture(p.path)])[0] for p in val])
    both = metrics.confusion(true, found, len(table))
    assert values["miou"] == tables.summary(both, [row[0] for row in table])["miou"]
    assert set(read_yaml(project.root / "dvc.lock")["stages"]) == {*before, "ceiling@segmenter"}


def test_its_key_is_of_the_masks(project: Project) -> None:
    pictures = load_pictures()
    params = ceiling.load("segmenter", ceiling.Segmenter)
    train = ceiling.with_masks(pictures, "train", "x")
    labels = Path("data/pseudo_labels")
    key = ceiling.training_key("segmenter", params, train, None)
    oracle = ceiling.training_key("only_true", params, train, labels)
    assert len({key, oracle, ceiling.training_key("all_corrected", params, train, labels)}) == 3
    mask = Path(f"data/masks/{train[0].id}.png")
    changed = np.where(read_mask(mask) == 0, 1, 0)
    mask.unlink()
    write_atomic(mask, mask_bytes(changed))
    assert ceiling.training_key("segmenter", params, train, None) != key
    assert ceiling.training_key("only_true", params, train, labels) != oracle


def test_an_oracle_s_key_is_of_the_labels_too(project: Project) -> None:
    params, train = ceiling.load("segmenter", ceiling.Segmenter), load_pictures().split("train")
    labels = Path("data/pseudo_labels")
    key = ceiling.training_key("only_true", params, train, labels)
    full = ceiling.training_key("segmenter", params, train, None)
    file = labels / f"{train[0].id}.png"
    changed = np.where(read_mask(file) == 0, 1, 0)
    file.unlink()
    with pytest.raises(ValueError, match=r"1 files are missing, of which ceiling@only_true learns: data/pse"):
        ceiling.training_key("only_true", params, train, labels)
    write_atomic(file, mask_bytes(changed))
    assert ceiling.training_key("only_true", params, train, labels) != key
    assert ceiling.training_key("segmenter", params, train, None) == full


def test_of_perfect_labels_an_oracle_is_full_supervision(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights to the bit, since nothing but the labels differs; and of pseudo-labels others."""
    weights = {}
    shutil.copytree("data/masks", "data/perfect")
    for name, labels in (
        ("segmenter", "nothing"), ("only_true", "perfect"), ("all_corrected", "perfect"),
        ("only_true", "pseudo_labels"),
    ):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["ceiling", name, labels])
        assert ceiling.main().startswith(f"ceiling@{name}: mIoU ")
        weights[name, labels] = Path(f"data/ceiling/{name}/weights.safetensors").read_bytes()
        assert Path(f"reports/ceiling/{name}/metrics.json").is_file()
    *same, other = weights.values()
    assert same[0] == same[1] == same[2] != other


def test_what_is_asked_for_must_be_known() -> None:
    assert ceiling.asked(["segmenter", "nothing"]) == ("segmenter", None)
    assert ceiling.asked(["only_true", "a/b"]) == ("only_true", Path("data/a/b"))
    for wrong in ([], ["segmenter"], ["segmenter", "pseudo_labels"], ["all_true", "a"]):
        with pytest.raises(ValueError, match="segmenter nothing, or one of only_true, all_corrected"):
            ceiling.asked(wrong)


def test_without_a_mask_it_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data/masks/index.csv").unlink()
    write_atomic(Path("data/masks/index.csv"), "id,split\n")
    monkeypatch.setattr(sys, "argv", ["ceiling", "segmenter", "nothing"])
    with pytest.raises(ValueError, match=r"no picture of train has a mask, and ceiling\.of asks for"):
        ceiling.main()
