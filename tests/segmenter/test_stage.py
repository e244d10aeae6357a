"""The stage through DVC: what is chosen runs, is stamped and is kept, and nothing else is."""

import csv

import pytest
from safetensors.torch import load_file

from stages.common import stamps
from stages.common.artifacts import read_json, read_mask
from stages.common.params import declared_keys
from stages.segmenter.class_balance import class_weights, count
from tests.segmenter.scenes import DFR, ENERGY, SEMEDA


@pytest.fixture
def project(recipe, tmp_path, monkeypatch):
    copy = recipe.copy(tmp_path / "project")
    monkeypatch.chdir(copy.root)
    return copy


def stamp(project) -> set[str]:
    text = (project.root / "data/code/segmenter").read_text()
    return {path for path in stamps.files(text) if "/losses/" in path or "/terms/" in path}


def test_a_loss_with_weights_and_terms(project):
    folder = project.root / "data/segmenter"
    names = set(load_file(folder / "weights.safetensors"))
    assert stamp(project) >= {"stages/segmenter/losses/cross_entropy.py"}
    assert not any(name in path for path in stamp(project) for name in ("focal", "semeda", "sobel", "energy"))
    project.change(segmenter__focal={"gamma": 1.5, "balance": "inverse"})  # which nobody has chosen
    ran = project.stages_that_ran(project.run("dvc", "repro", "segmenter").stdout)
    assert ran == {"code", "parameters"}
    terms = {"semeda": SEMEDA | {"steps": 3}, "sobel": {"weight": 4}, "dense_energy": ENERGY, "dfr": DFR}
    project.change(segmenter__loss="focal", segmenter__terms=terms)
    said = project.run("dvc", "repro", "segmenter").stdout
    assert project.stages_that_ran(said) == {"code", "parameters", "segmenter"}
    files = {f"terms/{name}.py" for name in terms} | {"losses/focal.py"}
    assert stamp(project) >= {f"stages/segmenter/{file}" for file in files}
    masks = [read_mask(path) for path in sorted((project.root / "data/pseudo_labels").glob("*.png"))]
    wanted = class_weights("inverse", count(masks, 4))
    assert read_json(folder / "config.json")["class_weights"] == wanted
    assert {file.name for file in folder.iterdir()} == {
        "config.json", "edges.safetensors", "history.csv", "weights.safetensors",
    }  # fmt: skip
    with (folder / "history.csv").open() as file:
        told = ["semeda", "ground", "sobel", "dense_energy", "dfr", "pairs", "fd", "fr"]
        assert next(csv.reader(file)) == ["epoch", "lr", "loss", "pixel", *told]
    assert set(load_file(folder / "weights.safetensors")) == names  # no head
    project.change(segmenter__terms={}, segmenter__loss="cross_entropy")
    project.run("dvc", "repro", "segmenter")
    assert {file.name for file in folder.iterdir()} == {"config.json", "history.csv", "weights.safetensors"}


def test_the_ceiling_is_trained_as_the_segmenter(project):
    """It takes the loss and the terms, and nothing of the labels."""
    project.change(segmenter__loss="lovasz")
    segmenter, ceiling = (set(declared_keys(stage)) for stage in ("segmenter", "ceiling"))
    assert segmenter - ceiling == {"segmenter.labels"}
    assert {"segmenter.lovasz", "segmenter.terms"} <= ceiling
    assert {key.split(".")[0] for key in ceiling - segmenter} == {"predictions"}
