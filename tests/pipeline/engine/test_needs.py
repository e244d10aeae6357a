"""What is said before a run, and what is not."""

import shutil
from pathlib import Path

import pytest

from pipeline.engine import needs
from pipeline.project import presets, processor

ROOT = Path(__file__).parents[3]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    monkeypatch.delenv("WSSS_WEIGHTS", raising=False)
    monkeypatch.setattr(needs.gpus, "devices", list)
    monkeypatch.setattr(processor, "bf16_units", list)
    return tmp_path


def test_the_demo_needs_nothing(root: Path) -> None:
    assert needs.of(root) == []


def test_a_preset_says_what_it_needs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presets.apply(root, "voc-mobilenet")
    weights, bf16 = needs.of(root)
    assert weights.startswith("classifier, affinity, segmenter: weights mobilenet_v2_imagenet_qat_fp16.pth")
    assert "WSSS_WEIGHTS=(not set): docs/weights.md" in weights
    assert bf16.startswith("classifier, seeds, affinity, segmenter, predictions: precision bf16")
    assert "a tenth" in bf16 and "fp32" in bf16
    assert needs.of(root, ["seeds"]) == [
        bf16.replace("classifier, seeds, affinity, segmenter, predictions", "seeds")
    ]
    (root / "mobilenet_v2_imagenet_qat_fp16.pth").touch()
    monkeypatch.setenv("WSSS_WEIGHTS", str(root))
    assert needs.of(root) == [bf16]


@pytest.mark.parametrize("units", [["amx_bf16"], None])
def test_bf16_where_it_is_fast_or_cannot_be_seen(
    root: Path, monkeypatch: pytest.MonkeyPatch, units: list[str] | None
) -> None:
    presets.set_values(root, {"seeds.precision": "bf16"})
    assert len(needs.of(root)) == 1
    monkeypatch.setattr(processor, "bf16_units", lambda: units)
    assert needs.of(root) == []


def test_bf16_on_a_gpu(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presets.set_values(root, {"seeds.precision": "bf16"})
    monkeypatch.setattr(needs.gpus, "devices", lambda: ["0"])
    assert needs.of(root) == []


def test_a_step_that_nobody_needs_is_named(root: Path) -> None:
    presets.set_values(root, {"dataset.name": "mine", "pseudo_labels.method": "crf"})
    generated, affinity = needs.of(root, ["generate@synthetic", "affinity@affinity_labels", "report"])
    assert generated == "generate: dataset.name is mine: generate.of: [] leaves out what nobody reads"
    assert affinity.startswith("affinity: pseudo_labels.method crf reads no affinities: affinity.of: []")
    presets.set_values(root, {"graph.of": ["a2gnn"]})  # which reads affinities
    assert needs.of(root, ["affinity@affinity_labels"]) == []
    presets.set_values(root, {"generate.of": [], "dataset.name": "synthetic"})
    assert needs.of(root, ["generate@synthetic", "report"]) == []


def test_library_weights_come_from_the_network(root: Path) -> None:
    presets.apply(root, "psa")
    assert [line.partition(" come")[0] for line in needs.of(root)] == [
        "classifier, affinity: weights imagenet of resnet50",
        "segmenter: weights imagenet of resnet101",
    ]


def test_a_network_inside_a_training_has_weights_too(root: Path) -> None:
    weights = {"source": "file", "name": "x.pth", "sha256": ""}
    presets.set_values(root, {"saliency.network.encoder.weights": weights})
    assert needs.of(root) == []
    presets.set_values(root, {"saliency.of": ["c2am"], "saliency.refine": "network"})
    (line,) = needs.of(root)
    assert line.startswith("saliency.network: weights x.pth are not in WSSS_WEIGHTS")
    presets.set_values(root, {"saliency.of": ["folder"], "saliency.epochs": 1, "saliency.batch": 300})
    assert needs.of(root) == []  # it trains none


def test_affinities_without_a_training_need_none_of_its_keys(root: Path) -> None:
    """Steps, bf16 and weights are a training's; a frozen network has weights alone."""
    weights = {"source": "file", "name": "x.pth", "sha256": ""}
    own = {"affinity.encoder.weights": weights, "affinity.precision": "bf16", "affinity.batch": 300}
    presets.set_values(root, own)
    assert len(needs.of(root, ["affinity@affinity_labels"])) == 3
    presets.set_values(root, {"affinity.method": "class_distribution", "affinity.of": ["classifier"]})
    assert needs.of(root, ["affinity@classifier"]) == []
    presets.set_values(root, {"affinity.method": "tokens", "affinity.of": ["dataset"]})
    (line,) = needs.of(root, ["affinity@dataset"])
    assert line.startswith("affinity: weights x.pth are not in WSSS_WEIGHTS")


def test_a_few_shot_network_has_needs_where_folds_ask_for_it(root: Path) -> None:
    weights = {"source": "library", "name": "imagenet", "sha256": ""}
    presets.set_values(
        root, {"few_shot.encoder.weights": weights, "few_shot.epochs": 1, "few_shot.batch": 100}
    )
    assert needs.of(root) == []
    presets.set_values(root, {"few_shot.folds": [0]})
    first, second = needs.of(root)
    assert first.startswith("few_shot: weights imagenet of small come")
    assert second.startswith("few_shot: only 6 steps (600 pictures, batch 100, 1 epochs)")


def test_epochs_do_not_carry_over_to_a_small_set(root: Path) -> None:
    folder = root / "data" / "raw" / "mine"
    folder.mkdir(parents=True)
    rows = [*(f"{n}.jpg,train,cat" for n in range(20)), *(f"v{n}.jpg,val,cat" for n in range(50))]
    (folder / "labels.csv").write_text("\n".join(["file,split,labels", *rows]))
    epochs = {"classifier.epochs": 18, "affinity.epochs": 4}
    presets.set_values(root, {"dataset.source": "folder", "dataset.name": "mine"} | epochs)
    assert needs.of(root, ["classifier", "affinity"]) == [
        f"{name}: only {steps} steps (20 pictures, batch 16, {steps} epochs): it learns little "
        "with so few; more epochs or a smaller batch give more"
        for name, steps in (("classifier", 18), ("affinity", 4))
    ]
    presets.set_values(root, {"classifier.epochs": 100})
    assert needs.of(root, ["classifier"]) == []


def test_the_list_of_a_voc_layout_is_counted(root: Path) -> None:
    lists = root / "data" / "raw" / "voc" / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\n")
    source = {"source": "voc", "name": "voc", "train": "train"}
    assert needs.training_pictures(root, source, None) == 2
    assert needs.training_pictures(root, source | {"train": "none"}, None) is None


def test_pictures_without_a_class_do_not_count_where_the_segmenter_skips_them(root: Path) -> None:
    """Counted as the step takes the cells apart: a list of nothing names none, as an empty cell."""
    folder = root / "data" / "raw" / "mine"
    folder.mkdir(parents=True)
    cells = ["cat"] * 15 + ['"cat,dog"', "cat;dog", "['cat']", "", " ", "[]", ";"] + [""] * 178
    rows = [
        *(f"{n}.jpg,train,{cell}" for n, cell in enumerate(cells)),
        *(f"v{n}.jpg,val,cat" for n in range(9)),
    ]
    (folder / "labels.csv").write_text("\n".join(["file,split,labels", *rows]))
    own = {"dataset.source": "folder", "dataset.name": "mine", "segmenter.batch": 9, "segmenter.epochs": 9}
    presets.set_values(root, own)
    assert needs.of(root, ["segmenter", "classifier"]) == []  # 200 pictures: 22 steps, 9 times
    presets.set_values(root, {"segmenter.without_class": "skip"})
    (line,) = needs.of(root, ["segmenter", "classifier"])  # 18 pictures: 2 steps, 9 times
    assert line.startswith("segmenter: only 18 steps (18 pictures with a class, batch 9, 9 epochs)")


def test_pictures_of_a_voc_layout_without_an_object(root: Path) -> None:
    base = root / "data" / "raw" / "voc"
    for place in ("JPEGImages", "Annotations", "ImageSets/Segmentation"):
        (base / place).mkdir(parents=True)
    (base / "ImageSets" / "Segmentation" / "train.txt").write_text("a\nb  1\nc\n\n")
    source = {"source": "voc", "name": "voc", "train": "train"}
    for name, inner in {
        "a": "<object><name>cat</name></object>",
        "b": "",
        "c": "<object><name>dog</name></object>",
    }.items():
        (base / "Annotations" / f"{name}.xml").write_text(f"<annotation>{inner}</annotation>")
    assert needs.training_pictures(root, source, None, with_class=True) == 2
    (base / "Annotations" / "b.xml").unlink()  # the step refuses it
    assert needs.training_pictures(root, source, None, with_class=True) is None
    generated = {"source": "voc", "name": "synthetic"}
    assert needs.training_pictures(root, generated, {"train": 7}, with_class=True) == 7


def test_what_cannot_be_read_is_told_by_others(root: Path) -> None:
    (root / "params.yaml").write_text("dataset: 3\nclassifier: {batch: x, encoder: [1]}\n")
    assert needs.of(root) == []
    (root / "params.yaml").write_text("{")
    assert needs.of(root) == []
