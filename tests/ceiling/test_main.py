"""The ceiling on a handful of generated pictures: learned from masks, scored on val."""

import csv
from pathlib import Path

import numpy as np
import pytest

from stages.ceiling import __main__ as ceiling
from stages.common.artifacts import mask_bytes, read_json, read_mask, write_atomic
from stages.common.params import read_yaml
from stages.common.pictures import load_pictures
from tests.conftest import Project


@pytest.fixture
def project(recipe: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    copy = recipe.copy(tmp_path / "project")
    monkeypatch.chdir(copy.root)
    return copy


def test_it_learns_from_the_masks_and_is_there_only_if_asked_for(project: Project) -> None:
    assert "ceiling" not in project.run("dvc", "stage", "list").stdout
    before = set(read_yaml(project.root / "dvc.lock")["stages"])
    project.change(ceiling__of=["segmenter"], segmenter__epochs=8)
    said = project.run("dvc", "repro", "ceiling@segmenter").stdout
    assert project.stages_that_ran(said) == {"code", "parameters", "ceiling@segmenter"}
    values = read_json(Path("reports/ceiling/metrics.json"))
    assert (values["images"], values["split"]) == (4, "val")
    assert f"mIoU {values['miou']:.2f} % of val, 4 pictures, trained on 8 masks" in said
    assert values["miou"] > 15
    with Path("data/ceiling/history.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 8 and losses[-1] < 0.8 * losses[0]  # it learns
    table = [row.split(",") for row in Path("reports/ceiling/per_class.csv").read_text().splitlines()[1:]]
    true = np.stack([read_mask(Path(f"data/masks/{p.id}.png")) for p in load_pictures().split("val")])
    assert [int(row[-1]) for row in table] == [int((true == index).sum()) for index in range(len(table))]
    assert set(read_yaml(project.root / "dvc.lock")["stages"]) == {*before, "ceiling@segmenter"}


def test_its_key_is_of_the_masks(project: Project) -> None:
    pictures = load_pictures()
    params = ceiling.load("segmenter", ceiling.Segmenter)
    train = ceiling.with_masks(pictures, "train")
    key = ceiling.training_key(params, train)
    mask = Path(f"data/masks/{train[0].id}.png")
    changed = np.where(read_mask(mask) == 0, 1, 0)
    mask.unlink()
    write_atomic(mask, mask_bytes(changed))
    assert ceiling.training_key(params, train) != key


def test_without_a_mask_it_says_so(project: Project) -> None:
    Path("data/masks/index.csv").unlink()
    write_atomic(Path("data/masks/index.csv"), "id,split\n")
    with pytest.raises(ValueError, match=r"no picture of train has a mask, and ceiling\.of asks for"):
        ceiling.main()
