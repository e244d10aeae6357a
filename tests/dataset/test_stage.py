"""What people drew, through DVC: who runs again for it, who learns from it, and who says so."""

import numpy as np
import pytest
import torch

from pipeline.results import data_set, ladder
from pipeline.results.report import protocol
from stages.commands.show.__main__ import read_case
from stages.commands.show.steps import annotations
from stages.common.annotations import load_annotations
from stages.common.params import load
from stages.common.pictures import load_pictures
from stages.common.training.samples import MaskedSamples
from stages.segmenter.__main__ import DATA
from stages.segmenter.params import Segmenter

TRAINED = "classifier, affinity@affinity_labels, segmenter"
GATED = {"weight": 0.1, "cell": 4, "radius": 2, "sigma_xy": 3, "sigma_rgb": 29}


@pytest.fixture
def project(recipe, tmp_path, monkeypatch):
    copy = recipe.copy(tmp_path / "project")
    monkeypatch.chdir(copy.root)
    return copy


def said(project) -> dict[str, str]:
    found = ladder.read(project.root)
    return dict(protocol.card(project.root, found, data_set.read(project.root)))


def test_scribbles_rerun_what_reads_them_alone(project) -> None:
    before = project.hashes("data/dataset"), project.hashes("data/masks")
    assert said(project)["supervision"].startswith(
        f"image labels alone: {TRAINED} stem from data/dataset, none"
    )
    assert "annotations" not in said(project)["supervision"] + said(project)["fingerprint"]
    project.change(dataset__annotations="scribbles")
    ran = project.stages_that_ran(project.run("dvc", "repro", "report").stdout)
    assert ran == {"code", "parameters", "dataset"}
    assert (project.hashes("data/dataset"), project.hashes("data/masks")) == before
    assert said(project)["supervision"].startswith("image labels alone, the scribbles unread: classifier,")
    assert protocol.learnt_from(ladder.read(project.root)) == "image-level labels"

    project.change(segmenter__labels="annotations", segmenter__terms={"gated_crf": GATED})
    ran = project.stages_that_ran(project.run("dvc", "repro", "predictions").stdout)
    assert ran == {"code", "parameters", "segmenter", "predictions"}
    assert protocol.learnt_from(ladder.read(project.root)) == "image-level labels and scribbles"
    card = said(project)
    assert card["supervision"].startswith(
        f"image labels, and scribbles for segmenter: {TRAINED} stem from data/annotations, data/dataset, none"
    )
    assert ", annotations " in card["fingerprint"] and "gated_crf" in card["loss"]

    drawn, pictures = load_annotations(load_pictures().classes), load_pictures().split("train")
    marks = drawn.marks("train_00001")
    step = annotations(read_case("train_00001"))
    assert step.about == f"scribbles on {100 * (marks != 255).mean():.1f} % of the pixels"
    assert not np.array_equal(step.tiles[0].drawing[marks != 255], read_case("train_00001").rgb[marks != 255])
    params = load("segmenter", Segmenter)
    seen = MaskedSamples(pictures, params, DATA / str(params.labels)).sample(0, np.random.default_rng(0))[1]
    assert {255, 0} < set(torch.unique(seen).tolist()) and (seen == 255).float().mean() > 0.8


@pytest.mark.parametrize(("kind", "words"), [("boxes", "boxes"), ("points", "points, 0.0")])
def test_the_generated_set_has_the_others_too(project, capsys, kind: str, words: str) -> None:
    project.change(dataset__annotations=kind)
    project.run("dvc", "repro", "dataset")
    data = data_set.read(project.root)
    data_set.show(data)
    assert f"supervision: image labels and {data.drawn}" in capsys.readouterr().out and words in data.drawn
    drawn = load_annotations(load_pictures().classes)
    (step, absent) = (annotations(read_case(name)) for name in ("train_00001", "val_00001"))
    number = len({"boxes": drawn.boxes, "points": drawn.points}[kind]["train_00001"])
    assert step.about == f"{number} {kind}" and data.drawn.startswith(
        str(sum(map(len, drawn.boxes.values())) or "")
    )
    assert absent.absent == "made of the train split only, this picture is of val"
