"""The protocol card: the segmenter's loss, and what was made elsewhere."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.results.report import protocol
from tests.pipeline.made_runs import entry

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


LOCK = {
    "dataset": entry({"data/raw/voc": "r"}, outs={"data/dataset": "d", "data/masks": "m"}),
    "saliency@folder": entry({"data/dataset": "d", "data/raw/eps": "e"}, outs={"data/saliency": "s"}),
    "affinity@affinity_labels": entry({"data/saliency": "s"}, outs={"data/affinity": "a"}),
    "pseudo_labels": entry({"data/affinity": "a", "data/raw/sam": "x"}, outs={"data/pseudo_labels": "p"}),
    "segmenter": entry({"data/pseudo_labels": "p"}, outs={"data/segmenter": "n"}),
}


def found_of(lock: dict[str, Any], above: dict[str, list[str]]) -> Any:
    known = {name.partition("@")[0]: name for name in lock}
    standings = SimpleNamespace(known=lambda name: known.get(name, name), above=above.__getitem__)
    run = SimpleNamespace(params={"dataset": {"annotations": "none"}}, lock=lock)
    return SimpleNamespace(run=run, standings=standings)


def test_what_was_made_elsewhere_is_told_and_trained_nothing_here() -> None:
    """Maps reach the affinity network, regions the segmenter alone; the data set's own folder is none."""
    first = ["affinity@affinity_labels", "saliency@folder", "dataset"]
    above = {"affinity@affinity_labels": first, "segmenter": ["segmenter", "pseudo_labels", *first]}
    found = found_of(LOCK, above)
    assert protocol.trainings(found) == ["affinity@affinity_labels", "segmenter"]
    assert protocol.given(found, ["affinity@affinity_labels"]) == ["data/raw/eps"]
    assert protocol.supervision(found) == (
        "image labels, and data/raw/eps, data/raw/sam, made elsewhere from what is not known here: "
        "affinity@affinity_labels, segmenter stem from data/dataset, none from masks"
    )
    assert protocol.learnt_from(found) == "image-level labels and data made elsewhere"


def test_without_anything_from_elsewhere_it_is_not_told() -> None:
    lock = {name: LOCK[name] for name in ("dataset",)} | {"segmenter": entry({"data/dataset": "d"})}
    found = found_of(lock, {"segmenter": ["segmenter", "dataset"]})
    said = "image labels alone: segmenter stem from data/dataset, none from masks"
    assert protocol.supervision(found) == said and protocol.learnt_from(found) == "image-level labels"
