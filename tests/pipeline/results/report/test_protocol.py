"""The protocol card's line of the segmenter's loss."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.results.report import protocol

FOCAL = {"loss": "focal", "focal": {"gamma": 2, "balance": "inverse"}, "labels": "pseudo_labels", "terms": {}}


def line(root: Any, section: dict[str, Any], why: str = "") -> list[tuple[str, str]]:
    run = SimpleNamespace(params={"segmenter": section}, root=root)
    return protocol._loss(SimpleNamespace(run=run, why_not=lambda stage: why))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (
            {"loss": "cross_entropy", "cross_entropy": {"balance": "none"}, "terms": {}},
            "cross_entropy; every known pixel weighs the same",
        ),
        (
            {"loss": "dice", "dice": {"form": "log", "ce": 1}, "terms": {"sobel": {"weight": 4}}},
            "dice (form log, ce 1) + sobel (weight 4); every known pixel weighs the same",
        ),
        (
            {"loss": "cross_entropy", "cross_entropy": {"balance": "sides"}},
            "cross_entropy; foreground and background are averaged apart in each batch",
        ),
        (
            FOCAL,
            "focal (gamma 2); classes weigh by inverse frequency of data/pseudo_labels: "
            "background 0.25, cat 3.33",
        ),
        (
            FOCAL | {"focal": {"gamma": 0, "balance": [0.25, 3.3333]}},
            "focal (gamma 0); classes weigh as given, the background first: 0.25, 3.33",
        ),
    ],
)
def test_the_loss_and_how_the_classes_weigh(tmp_path, section: dict[str, Any], says: str) -> None:
    (tmp_path / "data/segmenter").mkdir(parents=True)
    config = {"classes": ["background", "cat"], "class_weights": [0.25, 10 / 3]}
    (tmp_path / "data/segmenter/config.json").write_text(json.dumps(config))
    assert line(tmp_path, section) == [("loss", says)]


def test_weights_of_another_run_are_not_shown(tmp_path) -> None:
    [(_, said)] = line(tmp_path, FOCAL, "segmenter has not run")
    assert said.endswith("which weights these are is not known: segmenter has not run")
    [(_, said)] = line(tmp_path, FOCAL)
    assert said.endswith("which weights these are is not known: data/segmenter is not this run's")
    (tmp_path / "data/segmenter").mkdir(parents=True)
    (tmp_path / "data/segmenter/config.json").write_text('{"classes": ["background", "cat"]}')
    assert line(tmp_path, FOCAL) == [("loss", said)]


def test_a_run_of_an_older_version_says_nothing_of_it(tmp_path) -> None:
    assert line(tmp_path, {"seed": 0}) == []
