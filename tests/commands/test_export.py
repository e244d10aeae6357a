"""The exported network on a tiny one of our own: ONNX Runtime, and a user who knows the metadata only."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from stages.commands import export
from stages.common.artifacts import csv_text, write_json
from stages.common.networks import store
from stages.common.networks.padding import scores
from stages.common.training.augment import normalise
from stages.segmenter.network import rebuild_segmenter
from tests.segmenter.tiny import CONFIG, MEAN, STD, save_segmenter


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An untrained segmenter and two val pictures, of two sizes."""
    import cv2

    monkeypatch.chdir(tmp_path)
    save_segmenter(Path("data/segmenter"))
    rows = [("id", "file", "split", "width", "height", "labels")]
    rng = np.random.default_rng(0)
    Path("data/dataset/images").mkdir(parents=True)
    for name, width, height in (("a", 50, 70), ("b", 64, 40)):
        cv2.imwrite(f"data/dataset/images/{name}.png", rng.integers(0, 256, (height, width, 3), np.uint8))
        rows.append((name, f"{name}.png", "val", str(width), str(height), "cat"))
    Path("data/dataset/index.csv").write_text(csv_text(rows))
    write_json(Path("data/dataset/classes.json"), CONFIG["classes"])
    return tmp_path


def test_export(project: Path, capsys: pytest.CaptureFixture[str]):
    assert export.main(["--onnx", "out/net.onnx"]) == 0
    # 50x70, 64x40, and their cuts of 28x53 and 40x30, and the first one twice
    pixels = 50 * 70 + 64 * 40 + 28 * 53 + 40 * 30 + 2 * 50 * 70
    assert f"argmax equal at {pixels} of {pixels} pixels, 0 ties" in capsys.readouterr().out

    metadata = {entry.key: entry.value for entry in onnx.load("out/net.onnx").metadata_props}
    assert json.loads(metadata["classes"]) == ["background", "cat", "dog"]
    assert (json.loads(metadata["mean"]), json.loads(metadata["std"])) == (MEAN, STD)
    session = onnxruntime.InferenceSession("out/net.onnx", providers=["CPUExecutionProvider"])
    assert [i.shape for i in session.get_inputs()] == [["batch", 3, "height", "width"]]

    # the way of the step `predictions`, on a size that the check did not see
    picture = np.random.default_rng(1).integers(0, 256, (45, 33, 3), np.uint8)
    network = store.load_into(rebuild_segmenter(CONFIG), Path("data/segmenter"))
    with torch.inference_mode():
        wanted = scores(network, torch.from_numpy(normalise(picture, MEAN, STD))[None]).numpy()
    given = (picture.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {"pictures": given})[0], wanted, atol=1e-4)


def test_a_file_that_gives_something_else_is_not_written(project: Path, monkeypatch: pytest.MonkeyPatch):
    """A valid one of three classes, too, but whose scores are the picture's colours."""
    places = [onnx.helper.make_tensor_value_info(n, 1, ["b", 3, "h", "w"]) for n in ("pictures", "scores")]
    node = onnx.helper.make_node("Identity", ["pictures"], ["scores"])
    graph = onnx.helper.make_graph([node], "colours", places[:1], places[1:])
    opset = [onnx.helper.make_opsetid("", 18)]
    content = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    monkeypatch.setattr(export, "exported", lambda model, metadata, size: content)
    with pytest.raises(ValueError, match=r"ONNX Runtime does not give what torch gives: net\.onnx is not"):
        export.main(["--onnx", "net.onnx"])
    assert not Path("net.onnx").exists()


def test_one_size_for_a_network_that_pools_to_a_fixed_grid(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    config = {**CONFIG, "network": "upernet", "options": {}}
    model = rebuild_segmenter(config)
    store.save_network(Path("data/segmenter"), model, config, [{"loss": 1.0}])
    assert export.main(["--onnx", "net.onnx", "--size", "48", "40"]) == 0
    printed = capsys.readouterr().out  # two pictures, their cuts, and a batch of two, all of 48x40
    assert f"argmax equal at {6 * 48 * 40} of" in printed and "[batch, 3, 48, 40]" in printed

    class Session:
        def __init__(self, content: bytes, providers: list[str]) -> None:
            pass

        def run(self, names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            raise RuntimeError("out of bounds")

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    with pytest.raises(ValueError, match=r"cannot run it on 1x3x2x4; try one --size: out of bounds"):
        export.compare(lambda batch: batch, b"", [torch.zeros(1, 3, 2, 4)])


def test_an_encoder_of_windows_says_at_once_that_it_needs_a_size(project: Path):
    encoder = {**CONFIG["encoder"], "name": "tu-swin_tiny_patch4_window7_224"}
    write_json(Path("data/segmenter/config.json"), {**CONFIG, "encoder": encoder})
    with pytest.raises(ValueError, match=r"cuts pictures into windows.*: add --size HEIGHT WIDTH"):
        export.main(["--onnx", "net.onnx"])
    export.check_size({"encoder": encoder}, (64, 64))
    export.check_size(CONFIG, None)


class Sum(torch.nn.Module):
    def __init__(self, networks: list[torch.nn.Module]) -> None:
        super().__init__()
        self.networks = torch.nn.ModuleList(networks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(x) for network in self.networks]).sum(0)


@pytest.mark.storm  # the exporter takes half a minute
def test_poolings_bins_and_scales_take_any_size():
    """The three networks of ours with something that an exporter may fix at the size it sees, at once."""
    chosen = [
        ("segnet", {"name": "small_pool"}, {}),
        ("pspnet", {"output_stride": 8}, {"bins": [1, 3], "aux": 0.4}),
        ("deeplabv2", {"output_stride": 8}, {"rates": [1, 2], "msc": [0.5]}),
    ]
    torch.manual_seed(0)
    networks, batches = [], [torch.rand(1, 3, 50, 71), torch.rand(2, 3, 96, 33)]
    for network, encoder, options in chosen:
        own = {"network": network, "options": options, "encoder": {**CONFIG["encoder"], **encoder}}
        networks.append(rebuild_segmenter({**CONFIG, **own}).eval())
        with torch.no_grad():  # of about the same size, so that none is lost in the sum
            last = [p for p in networks[-1].parameters() if p.ndim == 4][-1]
            last *= 1 / scores(networks[-1], batches[0]).std()
    model = export.Whole(Sum(networks), MEAN, STD).eval().requires_grad_(False)
    content = export.exported(model, {})
    found = export.compare(model, content, batches)
    assert found.pixels == 50 * 71 + 2 * 96 * 33 and found.different == 0 and found.largest < 1e-4
    assert model(batches[0]).std() > 0.5


def test_agreement_by_hand(monkeypatch: pytest.MonkeyPatch):
    """Four pixels, two classes: equal, another class, a tie, equal but for a little."""
    wanted = torch.tensor([[1.0, 2.0, 5.0, 7.0], [0.0, 1.5, 5.0004, 2.0]])[None, :, None]
    given = torch.tensor([[1.0, 2.0, 5.0005, 7.0], [0.0, 2.25, 5.0004, 2.25]])[None, :, None]

    class Session:
        def __init__(self, content: bytes, providers: list[str]) -> None:
            pass

        def run(self, names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [given.numpy()]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    found = export.compare(lambda batch: wanted, b"", [torch.zeros(1, 3, 1, 4)])
    assert found == export.Agreement(pixels=4, different=1, ties=1, largest=0.75)


def test_missing_packages_are_named_before_anything_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "NEEDED", ("onnx", "no_such_package"))
    with pytest.raises(ValueError, match=r"no no_such_package here: pip install .*\[onnx\]"):
        export.main(["--onnx", "net.onnx"])


def test_a_folder_without_a_segmenter(tmp_path: Path):
    with pytest.raises(ValueError, match=r"no trained segmenter \(no config\.json\): `wsss run segmenter`"):
        export.main(["--onnx", "net.onnx", "--model", str(tmp_path)])
    for name, content in (("config.json", "{}"), ("weights.safetensors", "")):
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match="of another network: it has no encoder, classes"):
        export.main(["--onnx", "net.onnx", "--model", str(tmp_path)])
    (tmp_path / "config.json").write_text('{"encoder": "small", "classes": []}')  # a classifier's
    with pytest.raises(ValueError, match=r"no trained segmenter \(another network\)"):
        export.main(["--onnx", "net.onnx", "--model", str(tmp_path)])
