"""The benchmark of a GPU: what it counts, its plain loops, and that each stage runs on a CPU too."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from benchmarks import common, gpu, gpu_stages
from stages.common.artifacts import npz_bytes
from stages.pseudo_labels.random_walk import transition, walk

ROOT = Path(__file__).parents[2]
TINY = {
    "steps": 2, "pictures": 2, "width": 96, "height": 64, "crop": 64, "batch": 2, "classes": 3,
    "encoder": "small", "precision": "fp32",
}  # fmt: skip
EACH = """
import json, os, sys
from pathlib import Path
from benchmarks import gpu
root, folder, options = Path.cwd(), Path(sys.argv[1]), json.loads(sys.argv[2])
for stage in gpu.STAGES:
    for way in gpu.WAYS:
        os.chdir(root)
        print(json.dumps([stage, way, gpu.measure(stage, way, folder, options)]), flush=True)
"""


class Clock:
    """Times that are given."""

    def __init__(self, *times: float) -> None:
        self.times = list(times)

    def perf_counter(self) -> float:
        return self.times.pop(0)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """What is measured of all stages in both ways; one worker, so that a step computes in its own process."""
    options = json.dumps(gpu.OPTIONS | TINY)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "WSSS_WORKERS": "1", "WSSS_DEVICE": "cpu"}
    command = [sys.executable, "-c", EACH, str(tmp_path_factory.mktemp("gpu")), options]
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return {(stage, way): values for stage, way, values in map(json.loads, done.stdout.splitlines())}


def test_each_stage_is_measured_in_both_ways(found: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert set(found) == {(stage, way) for stage in gpu.STAGES for way in gpu.WAYS}
    for (stage, way), values in found.items():
        trains = stage in ("classifier", "classifier, kept", "segmenter")
        assert values["pictures"] == (TINY["steps"] * TINY["batch"] if trains else TINY["pictures"]), stage
        assert values["seconds"] > 0 and 1e8 < values["bytes"] < 4e9
        waits = way == "ours" and stage != "walk"
        assert 0 < values["waits"] < 1 if waits else values["waits"] is None, (stage, way)


def test_waits_are_those_of_the_steps_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked at 0, 10, 20 and 40, got at 1, 12, 25 and 46: from the second on 2 + 5 of 30 seconds."""
    monkeypatch.setattr(gpu_stages, "time", Clock(0, 1, 10, 12, 20, 25, 40, 46, 50))
    loader = gpu_stages.Loader(lambda *asked: iter_of(asked[0]))
    assert list(loader(4)) == [0, 1, 2, 3]
    assert loader.measured(1, 8) == (16, 30, 7 / 30)


def iter_of(count: int) -> Any:
    yield from range(count)


def test_time_in_compute_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_stages, "time", Clock(0, 3, 10, 14))
    timed = gpu_stages.Timed(lambda batch: [{str(task): b""} for task in batch])
    assert [timed([1]), timed([2, 3])] == [[{"1": b""}], [{"2": b""}, {"3": b""}]]
    assert timed.seconds == 7


def test_a_row_has_speeds_their_ratio_megabytes_and_waits() -> None:
    ours = {"pictures": 30, "seconds": 2.0, "bytes": 3_400_000, "waits": 0.126}
    plain = {"pictures": 30, "seconds": 10.0, "bytes": 1_200_000, "waits": None}
    assert gpu.row("seeds", ours, plain) == ("seeds", "15.00", "3.00", "5.00", "3", "1", "0.13")
    assert gpu.row("seeds", plain, ours)[3:] == ("0.20", "1", "3", "")


def test_made_pictures_show_their_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = gpu_stages.pictures_of(5, {"width": 30, "height": 20, "classes": 3})
    assert [picture.labels for picture in made] == [(1,), (1, 2), (2, 3), (1, 2), (2, 3)]
    for picture in made:
        mask = cv2.imread(f"masks/{picture.id}.png", cv2.IMREAD_UNCHANGED)
        assert mask.shape == (20, 30) and set(np.unique(mask)) <= {0, *picture.labels}
        assert cv2.imread(str(picture.path)).shape == (20, 30, 3)


class Still(torch.nn.Module):
    """A classifier whose features are the picture's colours."""

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__()
        self.head = torch.nn.Conv2d(3, len(weights), 1, bias=False)
        self.head.weight.data = torch.from_numpy(weights)[..., None, None]

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Encoder:
    mean, std = (0.5, 0.25, 0.5), (0.5, 0.5, 0.25)


def test_plain_maps_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the picture's own size: each flip gives the same, and the maximum divides it away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpu_stages, "SCALES", [1.0])
    (picture,) = gpu_stages.pictures_of(1, {"width": 12, "height": 8, "classes": 3})
    weights = np.array([[1, -0.5, 0.5], [0, 1, 0], [0, 0, 1]], np.float32)
    maps = gpu_stages.plain_maps(Still(weights), Encoder, torch.device("cpu"), picture)
    colours = cv2.imread(str(picture.path))[..., ::-1] / 255.0
    x = (colours - Encoder.mean) / Encoder.std
    expected = np.maximum(x[..., 0] - 0.5 * x[..., 1] + 0.5 * x[..., 2], 0)
    assert 0.1 < (expected > 0).mean() < 0.9
    assert picture.labels == (1,) and maps.shape == (1, 8, 12)
    np.testing.assert_allclose(maps[0], expected / expected.max(), atol=1e-4)


def test_the_dense_walk_is_the_sparse_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpu_stages, "SQUARINGS", 3)
    rng, offsets = np.random.default_rng(0), np.array([[0, 1], [1, -1], [1, 0], [1, 1]], np.int8)
    near, maps = rng.random((4, 6, 7)).astype(np.float16), rng.random((2, 6, 7)).astype(np.float16)
    stored = {"seeds": {"maps": maps}, "affinity/maps": {"affinities": near, "offsets": offsets}}
    for place, arrays in stored.items():
        Path("data", place).mkdir(parents=True)
        Path("data", place, "0.npz").write_bytes(npz_bytes(**arrays))
    (picture,) = gpu_stages.pictures_of(1, {"width": 28, "height": 24, "classes": 3})
    walked = gpu_stages.dense_walk(torch.device("cpu"), picture)
    expected = walk(transition(near, offsets, gpu_stages.BETA), maps.astype(np.float32), 8)
    np.testing.assert_allclose(walked, expected, atol=1e-6)


def test_options_keep_their_types_and_unknown_ones_are_refused() -> None:
    assert gpu.given(["steps=7", "encoder=small"]) == gpu.OPTIONS | {"steps": 7, "encoder": "small"}
    with pytest.raises(ValueError, match=r"step=7: give KEY=VALUE, with one of steps, pictures, .*, out"):
        gpu.given(["step=7"])


def test_without_a_gpu_and_sizes_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu.gpus, "devices", list)
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    gpu.main([])
    assert capsys.readouterr().out == f"no GPU here: give sizes that a CPU can do, as {gpu.SMALL}\n"
    assert gpu.given(gpu.SMALL.split())["batch"] == 2
    assert list(tmp_path.iterdir()) == []


def test_the_table_names_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    monkeypatch.setattr(gpu.provenance, "machine", lambda: "a GPU")
    monkeypatch.setattr(gpu, "start", lambda *asked: asked)
    values = {"pictures": 4, "seconds": 2.0, "bytes": 5e6, "waits": None}
    monkeypatch.setattr(gpu, "said", lambda asked: values | {"seconds": 1.0 + (asked[2] == "plain")})
    gpu.main(["out=mine"])
    lines = (tmp_path / "mine.csv").read_text().splitlines()
    assert lines[0] == "stage,pictures_per_second,plain,times_as_fast,peak_mb,plain_peak_mb,waits,device"
    assert lines[1] == "classifier,4.00,2.00,2.00,5,5,,a GPU" and len(lines) == 1 + len(gpu.STAGES)
