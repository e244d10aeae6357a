"""The classifier's curve on val: one row an epoch, and nothing else changes."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML

from stages.classifier import __main__ as classifier
from stages.classifier import training
from stages.classifier.network import rebuild_classifier
from stages.common.networks import store
from stages.seeds import __main__ as seeds
from tests.classifier import tiny_clip

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Four pictures of train and two of val, and the shipped classifier made small."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    monkeypatch.delenv("WSSS_DEVICES", raising=False)
    yaml = YAML(typ="safe")
    (tmp_path / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    params = yaml.load(ROOT / "params.yaml")
    params["classifier"] |= {"batch": 2, "epochs": 2, "threads": 1, "precision": "fp32"}
    params["classifier"]["augment"]["crop"] = 32
    yaml.dump(params, tmp_path / "params.yaml")
    write_set(tmp_path)
    return tmp_path


def write_set(root, val_labels=("cat", "dog"), train_labels=("cat", "dog", "cat", "dog")):
    folder = root / "data/dataset"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "classes.json").write_text(json.dumps(["background", "cat", "dog"]))
    rows = []
    for split, labels in (("train", train_labels), ("val", val_labels)):
        for number, label in enumerate(labels):
            name = f"{split}{number}"
            colours = np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(colours).save(folder / "images" / f"{name}.png")
            rows.append([name, f"{name}.png", split, label, 32, 32])
    with (folder / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "file", "split", "labels", "width", "height"], *rows])


def choose(root, **changes):
    """Other keys of the section in params.yaml."""
    yaml = YAML(typ="safe")
    params = yaml.load(root / "params.yaml")
    params["classifier"] |= changes
    yaml.dump(params, root / "params.yaml")


def history(root):
    with (root / "data/classifier/history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_epoch_has_its_loss_and_map_on_val_and_the_weights_are_those_without(project, monkeypatch):
    classifier.main()
    rows = history(project)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert list(rows[0])[-2:] == ["val_loss", "val_map"]
    metrics = json.loads((project / "reports/classifier/metrics.json").read_text())
    assert float(rows[-1]["val_map"]) == pytest.approx(metrics["map"], abs=0.01)  # of the same network
    assert all(0 < float(row["val_loss"]) < 5 for row in rows)
    weights = (project / "data/classifier/weights.safetensors").read_bytes()

    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *args: fit(*args[:4], "another key"))  # nobody watches
    classifier.main()
    assert list(history(project)[0]) == ["epoch", "lr", "loss"]
    assert (project / "data/classifier/weights.safetensors").read_bytes() == weights


def test_of_regularised_kernel_usage_a_checkpoint_keeps_w_and_the_step_keeps_the_folded_head(project, capsys):
    """What is saved is a linear head of W o (2 softmax W), and its map is the one that is told."""
    choose(project, head="kernel_usage")
    line = classifier.main()
    (checkpoint,) = (project / ".scratch/training/classifier").glob("*/last.pt")
    inner = torch.load(checkpoint, weights_only=True)["networks"]["main"]
    (w,) = (tensor for name, tensor in inner.items() if name.startswith("head."))
    assert w.abs().min() > 0
    model = store.load_into(
        rebuild_classifier(store.read_config(Path("data/classifier"))), Path("data/classifier")
    )
    torch.testing.assert_close(model.head.weight, w * 2 * w.exp() / w.exp().sum(0))
    a, b = model.head.weight.double().flatten(1)
    assert line.endswith(f"mean cosine {float(a @ b / a.norm() / b.norm()):.2f}")
    metrics = json.loads((project / "reports/classifier/metrics.json").read_text())
    assert float(history(project)[-1]["val_map"]) == pytest.approx(metrics["map"], abs=0.01)

    saved = (project / "data/classifier/weights.safetensors").read_bytes()
    classifier.main()
    assert "resumed from step 4" in capsys.readouterr().out  # from W, which is folded again
    assert (project / "data/classifier/weights.safetensors").read_bytes() == saved


def test_regularised_kernel_usage_resumes_in_the_middle_with_the_same_bytes(project, monkeypatch, capsys):
    choose(project, head="kernel_usage")
    classifier.main()
    saved = (project / "data/classifier/weights.safetensors").read_bytes()
    shutil.rmtree(project / ".scratch")

    def killed(*_):
        raise KeyboardInterrupt

    curve = training.curve
    monkeypatch.setattr(training, "curve", killed)  # at the end of the first epoch, before its checkpoint
    with monkeypatch.context() as soon, pytest.raises(KeyboardInterrupt):
        soon.setattr("stages.common.training.checkpoint.CHECKPOINT_SECONDS", -1.0)  # one after each step
        classifier.main()
    monkeypatch.setattr(training, "curve", curve)
    classifier.main()
    assert "resumed from step 1" in capsys.readouterr().out
    assert (project / "data/classifier/weights.safetensors").read_bytes() == saved


def test_clip_is_asked_and_not_trained_and_the_seeds_read_it(project):
    """From the step's door to the maps, twice with the same bytes."""
    tiny_clip.install(project)
    choose(project, method="clip_text", encoder=tiny_clip.ENCODER)
    yaml = YAML(typ="safe")
    params = yaml.load(project / "params.yaml")
    params["classifier"]["clip_text"]["names"] = {"cat": ["cat", "kitten"]}
    params["seeds"] |= {"method": "clip_text", "scales": [1.0, 0.5]}
    yaml.dump(params, project / "params.yaml")
    line = classifier.main()
    assert line.startswith("classifier: mAP ")
    assert [row["epoch"] for row in history(project)] == ["0"]
    config = store.read_config(Path("data/classifier"))
    assert config["prompts"] == [
        ["a clean origami cat.", "a clean origami kitten."],
        ["a clean origami dog."],
    ]
    assert config["background"][:2] == [["a clean origami ground."], ["a clean origami land."]]
    assert (project / "reports/classifier/inputs.png").stat().st_size > 1000
    weights = (project / "data/classifier/weights.safetensors").read_bytes()
    classifier.main()
    assert (project / "data/classifier/weights.safetensors").read_bytes() == weights
    seeds._classifier.cache_clear()
    seeds._grids.cache_clear()
    seeds.main()
    with np.load(project / "data/seeds/train0.npz") as found:
        assert found["maps"].shape == (1, 4, 4) and found["classes"].tolist() == [1]
        assert 0 < found["maps"].max() <= 1


def test_operations_that_are_asked_for_are_drawn(project):
    classifier.main()
    plain = history(project)
    augment = YAML(typ="safe").load(project / "params.yaml")["classifier"]["augment"]
    choose(project, augment=augment | {"rand_augment": {"n": 2, "m": 10}})
    classifier.main()
    assert [row["loss"] for row in history(project)] != [row["loss"] for row in plain]


@pytest.mark.parametrize(
    ("labels", "rows"),
    [(("", "dog", "", "cat"), ["train1: dog", "train3: cat"]), (("",) * 4, ["train0: no class"])],
)
def test_the_sheet_of_inputs_names_the_class_of_each_picture(project, monkeypatch, labels, rows):
    seen = []
    monkeypatch.setattr(classifier.inputs, "sheet", lambda title, names, *_: seen.append(names) or b"")
    write_set(project, train_labels=labels)
    classifier.main()
    assert seen == [rows]


def test_another_val_is_another_training(project, capsys):
    """Its scores are in the history: a checkpoint of before must not bring them back."""
    classifier.main()
    old = history(project)
    write_set(project, val_labels=("dog", "cat"))
    classifier.main()
    assert "resumed" not in capsys.readouterr().out
    assert history(project) != old


def test_without_a_label_in_val_there_is_no_curve():
    class Empty:
        def split(self, name):
            return []

    assert training.curve(Empty(), None, torch.nn.Linear(1, 1)) == {}
