"""The step as a whole: what it writes, the sign, a kill and a resume, and the second training."""

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.classifier.network import build_classifier
from stages.common.artifacts import read_json, read_npz
from stages.common.networks import store
from stages.common.params import ParameterError, check, read_yaml
from stages.common.pictures import load_pictures
from stages.common.training import checkpoint
from stages.common.training.params import Encoder
from stages.evaluation.results import read_maps
from stages.evaluation.rungs import rung
from stages.saliency import __main__ as step
from stages.saliency import trained
from stages.saliency.params import C2amH, Saliency
from tests.params_file import write_params
from tests.saliency.tiny import NAMES, SIDE, project

OPTIONS = C2amH(delta_foreground=0.4, delta_background=0.05, weight=1.0)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "1")
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    monkeypatch.setattr("sys.argv", ["saliency", "c2am_h"])
    return tmp_path


def written() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(Path("data/saliency").iterdir())}


def test_a_map_for_each_training_picture_and_the_network_beside() -> None:
    project({})
    assert "6 pictures, 0 reused, 6 computed" in step.main()
    maps = {f"{name}.npz" for name in NAMES}
    assert set(written()) == maps | {"config.json", "weights.safetensors", "history.csv", "classes.json"}
    found = read_npz(Path("data/saliency/a.npz"))
    assert found["maps"].dtype == np.float16 and found["maps"].shape == (1, 6, 6)
    assert found["maps"].max() == 1 and found["maps"].min() >= 0 and found["classes"].tolist() == [1]
    large, present = read_maps(Path("data/saliency/a.npz"), (SIDE - 7, SIDE), 2)
    assert large.shape == (1, SIDE - 7, SIDE) and present.tolist() == [1]
    config = read_json(Path("data/saliency/config.json"))
    assert config["sign"] in (-1, 1) and config["margin"] > 0 and config["method"] == "c2am_h"
    history = Path("data/saliency/history.csv").read_text().splitlines()
    assert history[0] == "epoch,lr,loss,negative,positive,hint" and len(history) == 1 + 3
    assert rung("saliency").merged and rung("saliency").maps


def test_equal_inputs_give_equal_bytes_and_a_scale_costs_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    project({})
    step.main()
    before = written()
    again = step.main()
    assert "6 reused, 0 computed" in again and written() == before
    fitted = []
    monkeypatch.setattr(trained, "fit", lambda *a, **k: fitted.append(a[4]) or [{"loss": 1.0, "epoch": 1}])
    values = read_yaml(Path("params.yaml"))
    values["saliency"]["scales"] = [1.0]
    write_params(values)
    step.main()
    assert fitted == os.listdir(".scratch/training/saliency")  # the very training that was there


def test_a_seed_is_read_by_the_hint_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    project({})
    params = step.load("saliency", Saliency, item="c2am_h")
    other = step.load("saliency", Saliency, item="c2am")
    train = load_pictures().split("train")

    def keys() -> tuple[str, str]:
        assert params.c2am_h and other.c2am
        return (trained.training_key("c2am_h", params, params.c2am_h, train),
                trained.training_key("c2am", other, other.c2am, train))  # fmt: skip

    before = keys()
    Path("data/seeds/a.npz").write_bytes(Path("data/seeds/b.npz").read_bytes())
    after = keys()
    assert after[0] != before[0] and after[1] == before[1] and before[0] != before[1]


def test_the_inverted_network_gives_the_same_maps(tmp_path: Path) -> None:
    """C2AM may find the ground: the seeds turn it."""
    project({})
    step.main()
    config, maps = read_json(Path("data/saliency/config.json")), written()
    model = store.load_into(trained.rebuild_saliency_net(config), Path("data/saliency"))
    with torch.no_grad():
        model.head.weight.neg_()
        model.norm.running_mean.neg_()
    turned = tmp_path / "turned"
    turned.mkdir()
    store.write_network(turned, model, config, [{"epoch": 1, "loss": 1.0}])
    train = load_pictures().split("train")
    found = trained.settle(OPTIONS, train, "turned", str(turned))
    assert found.sign == -config["sign"] and found.margin == pytest.approx(config["margin"], rel=1e-5)
    params = step.load("saliency", Saliency, item="c2am_h")
    trained.save_maps(params, found.sign, train, "turned", turned)
    for name in NAMES:
        one, other = (arrays(files[f"{name}.npz"]) for files in (maps, written()))
        np.testing.assert_allclose(one, other, atol=2e-3)
        assert one.std() > 0.01


def arrays(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content))["maps"].astype(float)


def test_a_margin_of_luck_is_told(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    project({})
    step.main()
    assert "warning" not in capsys.readouterr().err
    monkeypatch.setattr(trained.sign, "NEAR", 1e9)
    trained.settle(OPTIONS, load_pictures().split("train"), "again", "data/saliency")
    assert "hardly more than luck" in capsys.readouterr().err


def test_the_object_is_found() -> None:
    """Six discs, trained for a moment: object and ground as the seeds have them, or better."""
    project({"saliency.epochs": 15})
    step.main()
    found = read_npz(Path("data/saliency/a.npz"))["maps"][0].astype(float)
    seeds = read_npz(Path("data/seeds/a.npz"))["maps"][0].astype(float)
    assert found[seeds > 0.5].mean() > found[seeds < 0.05].mean() + 0.3


def test_a_killed_training_goes_on_with_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    project({})
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0.0)
    step.main()
    whole = written()
    project_again()
    sample, calls = trained.SureSamples.sample, []

    def killed(self, index, rng):
        calls.append(index)
        if len(calls) == 11:
            raise KeyboardInterrupt
        return sample(self, index, rng)

    monkeypatch.setattr(trained.SureSamples, "sample", killed)
    with pytest.raises(KeyboardInterrupt):
        step.main()
    assert list(Path(".scratch/training/saliency").rglob("last.pt")) and not Path("data/saliency").exists()
    step.main()
    assert 11 < len(calls) < 11 + 18 and written() == whole


def project_again() -> None:
    for name in ("data/saliency", ".scratch"):
        shutil.rmtree(name)


def test_a_second_network_learns_from_the_maps() -> None:
    project({"saliency.refine": "network"})
    step.main()
    found = read_npz(Path("data/saliency/a.npz"))
    assert found["maps"].shape == (1, 11, 12)  # ceil(side / 4)
    files = written()
    assert {"network_config.json", "network_weights.safetensors", "network_history.csv"} <= set(files)
    assert json.loads(files["classes.json"]) == ["background", "foreground"]
    config = json.loads(files["network_config.json"])
    assert config["network"] == "unet" and config["encoder"]["output_stride"] == 32
    assert step.main() and written() == files


def test_the_encoder_may_start_from_the_classifiers() -> None:
    project({"saliency.start": "classifier"})
    encoder = Encoder.model_validate(section()["encoder"])
    torch.manual_seed(7)
    classifier = build_classifier(encoder, 2)
    config = {"encoder": encoder.model_dump(), "classes": ["background", "cat", "dog"]}
    store.save_network(Path("data/classifier"), classifier, config, [{"loss": 1.0}])
    model = trained.new_network(step.load("saliency", Saliency, item="c2am_h"))
    wanted = classifier.encoder.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in model.encoder.state_dict().items())
    assert all(weight.requires_grad for weight in model.parameters())


def section() -> dict:
    return read_yaml(Path("params.yaml"))["saliency"]


def test_a_single_picture_is_refused() -> None:
    project({})
    index = Path("data/dataset/index.csv")
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(ValueError, match="fewer than 2"):
        step.main()
    with pytest.raises(ParameterError, match="batch: must be 2 or more"):
        check(Saliency, section() | {"batch": 1}, "test")
