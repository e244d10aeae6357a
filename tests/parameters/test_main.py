import re
import shutil
from pathlib import Path

import pytest

from stages.common.params import read_yaml
from stages.parameters import __main__ as step
from stages.parameters.params import Parameters

ROOT = Path(__file__).parents[2]


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path / "params.yaml"


def replace(params: Path, old: str, new: str) -> None:
    assert old in params.read_text()
    params.write_text(params.read_text().replace(old, new, 1))


def test_the_stamp_is_the_same_whatever_is_valid(params: Path) -> None:
    count = len(read_yaml(params))
    assert step.main() == f"parameters: {count} sections are valid" and count > 10
    assert step.STAMP.read_text() == "ok\n"
    replace(params, "seed: 0", "seed: 7")
    step.main()
    assert step.STAMP.read_text() == "ok\n"


def test_a_mistake_leaves_no_stamp(params: Path) -> None:
    replace(params, "method: cam", "method: camm")
    with pytest.raises(ValueError, match=r"seeds\.method"):
        step.main()
    assert not step.STAMP.exists()


def test_a_data_set_that_is_not_there_is_told_before_anything_else(params: Path) -> None:
    replace(params, "name: synthetic", "name: mini")
    with pytest.raises(ValueError, match=r"no folder data/raw/mini: `wsss link mini PATH` makes it"):
        step.main()
    (step.RAW / "mini").mkdir(parents=True)
    step.main()


def test_regions_and_maps_that_are_not_there_are_told(params: Path) -> None:
    replace(params, "merge: none", "merge: masks")
    replace(params, "regions: nothing", "regions: raw/sam")
    says = r"pseudo_labels\.regions is 'raw/sam', but there is no folder data/raw/sam: `wsss link sam PATH`"
    with pytest.raises(ValueError, match=says):
        step.main()
    (step.RAW / "sam").mkdir(parents=True)
    (step.RAW / "sam/a.png").touch()
    with pytest.raises(ValueError, match=r"but data/raw/sam has no file ID\.json: docs/given-data\.md"):
        step.main()
    (step.RAW / "sam/a.json").touch()
    step.main()


def test_given_maps_are_no_training(params: Path) -> None:
    """Its encoder and its batch are asked for nothing."""
    values = step.check(Parameters, read_yaml(params), "x")
    assert "saliency" not in step.trainings(values)
    for of, there in ((["c2am"], True), (["folder"], False)):
        saliency = values.saliency.model_copy(update={"of": of})
        assert ("saliency" in step.trainings(values.model_copy(update={"saliency": saliency}))) == there


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("16", "segmenter.batch: 16 is one picture on each of WSSS_DEVICES=16.*32 or more, or fewer devices"),
        ("3", "WSSS_DEVICES=3 must divide"),
        ("two", "WSSS_DEVICES=two: give a number of devices"),
    ],
)
def test_a_batch_that_the_devices_cannot_share_is_told_before_the_training(
    params: Path, monkeypatch: pytest.MonkeyPatch, devices: str, message: str
) -> None:
    text = re.sub(r"(\n  batch: )\d+", r"\g<1>16", params.read_text())
    params.write_text(text)
    monkeypatch.setenv("WSSS_DEVICES", devices)
    with pytest.raises(ValueError, match=message):
        step.main()
    assert not step.STAMP.exists()
    monkeypatch.setenv("WSSS_DEVICES", "8")
    step.main()


def test_in_a_copy_that_dvc_has_made_it_names_the_way(params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dvc exp run --temp`: no links to pictures there."""
    replace(params, "name: synthetic", "name: mine")
    copy = params.parent / ".dvc/tmp/exps/tmp123"
    copy.mkdir(parents=True)
    shutil.copy(params, copy)
    monkeypatch.chdir(copy)
    with pytest.raises(ValueError, match=r"no folder data/raw/mine.*`wsss sweep` runs beside the checkout"):
        step.main()


def test_a_resunet_is_its_own_encoder_and_nobody_else_s(params: Path) -> None:
    text = params.read_text()
    head, section = text.split("\nsegmenter:")
    section = section.replace("network: deeplabv3plus", "network: resunet", 1)
    section = section.replace("options: {decoder_channels: 48}", "options: {width: 64}", 1)
    params.write_text(f"{head}\nsegmenter:{section.replace('name: small', 'name: resunet', 1)}")
    step.look()
    params.write_text(text.replace("name: small", "name: resunet", 1))
    with pytest.raises(ValueError, match=r"classifier\.encoder: encoder\.name 'resunet' is unknown"):
        step.look()


def test_all_encoders_and_weights_are_looked_at(params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message, before a stage is run: weights say where to get them, an unknown name the nearest."""
    monkeypatch.delenv("WSSS_WEIGHTS", raising=False)
    file = '{source: file, name: w.pth, sha256: "' + 64 * "0" + '"}'
    replace(params, 'weights: {source: none, name: "", sha256: ""}', f"weights: {file}")
    head, section = params.read_text().split("\naffinity:")
    params.write_text(head + "\naffinity:" + section.replace("name: small", "name: resnet1", 1))
    with pytest.raises(ValueError) as error:
        step.look()
    assert "classifier.encoder: weights w.pth: no such file" in str(error.value)
    assert "WSSS_WEIGHTS=(not set): docs/weights.md" in str(error.value)
    assert "affinity.encoder: encoder.name 'resnet1' is unknown; did you mean resnet1" in str(error.value)
    assert not step.STAMP.exists()
