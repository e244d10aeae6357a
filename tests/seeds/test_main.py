"""The step's batches: on a GPU pictures of one size go together, on a CPU one by one; the maps agree."""

import dataclasses
import io

import cv2
import numpy as np
import pytest
import torch

from stages.classifier.network import build_classifier
from stages.common.networks import store
from stages.common.params import check
from stages.common.pictures import Picture, loaded
from stages.common.training.params import Encoder
from stages.seeds import __main__ as step
from stages.seeds.params import Seeds

ENCODER = {
    "name": "small", "output_stride": 8, "weights": {"source": "none", "name": "", "sha256": ""},
    "mean": [0.5] * 3, "std": [0.25] * 3, "freeze": [], "batch_norm": "train",
}  # fmt: skip


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Three pictures of one size with one, two and three labels, and a classifier on disk."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = build_classifier(Encoder.model_validate(ENCODER), 3).eval()
    torch.nn.init.normal_(model.head.weight)
    config = {"classes": ["background", "a", "b", "c"], "encoder": ENCODER}
    store.save_network(step.CLASSIFIER, model, config, [{"epoch": 1, "loss": 0.0}])
    step._classifier.cache_clear()
    rng = np.random.default_rng(0)
    found = []
    for n in range(3):
        path = tmp_path / f"{n}.png"
        cv2.imwrite(str(path), rng.integers(0, 255, (33, 50, 3)).astype(np.uint8))
        found.append(Picture(str(n), path, "train", 50, 33, tuple(range(1, n + 2))))
    return found


MIDDLE = "encoder.levels.2"
CASES = [
    ("cam", "last", None), ("vgatt", MIDDLE, None), ("grad_cam", MIDDLE, None), ("grad_cam_pp", MIDDLE, None),
    ("score_cam", "last", {"weights": "softmax", "channels": 9}), ("gradient", "input", None),
    ("smooth_grad", "input", {"samples": 2, "noise": 0.1}), ("full_grad", "input", None),
    ("minmax_cam", "last", None), ("minmax_grad_cam", MIDDLE, None), ("d_minmax_grad_cam", MIDDLE, None),
]  # fmt: skip


def asked(method, layer, options, **others):
    values = {"method": method, "layer": layer, "flip": True, "normaliser": "max", "precision": "fp32"}
    return check(Seeds, {**values, **others, **({method: options} if options else {})}, "test")


@pytest.mark.parametrize(("method", "layer", "options"), CASES)
def test_pictures_without_a_class_have_no_map(pictures, method, layer, options):
    params = asked(method, layer, options, scales=[1.0], negatives="drop")
    negative = dataclasses.replace(pictures[0], labels=())
    compute = step.SeedMaps(params, "cpu")
    step.check_layer(params, "cpu")
    (alone,) = compute([loaded(negative)])
    _, together = compute([loaded(pictures[2]), loaded(negative)])
    assert alone == together  # to the byte, although no map is computed for it alone
    for found in (unpack(alone), unpack(together)):
        assert found["maps"].shape == (0, 5, 7) and found["classes"].shape == (0,)
        assert found["size"].tolist() == [33, 50]


@pytest.mark.parametrize(("method", "layer", "options"), CASES)
def test_a_batch_gives_what_single_pictures_give(pictures, method, layer, options):
    """Of one, two and three classes: the shorter rows are filled up with what must not count."""
    params = asked(method, layer, options, scales=[1.0, 1.5], negatives="drop")
    compute = step.SeedMaps(params, "cpu")
    read = [loaded(picture) for picture in pictures]
    together = [unpack(files) for files in compute(read)]
    alone = [unpack(compute([one])[0]) for one in read]
    again = [compute([one])[0] for one in read]
    assert [unpack(files)["maps"].tobytes() for files in again] == [one["maps"].tobytes() for one in alone]
    for picture, one, other in zip(pictures, together, alone, strict=True):
        assert one["classes"].tolist() == list(picture.labels) and one["size"].tolist() == [33, 50]
        assert one["maps"].shape == other["maps"].shape == (len(picture.labels), 5, 7)
        np.testing.assert_allclose(one["maps"].astype(float), other["maps"].astype(float), atol=2e-3)
        assert one["maps"].max() == 1 or "minmax" in method  # the others may be surer everywhere
    assert max(one["maps"].max() for one in together) == 1


@pytest.mark.parametrize(("method", "layer", "options"), CASES)
def test_a_mirrored_picture_has_the_mirrored_maps(pictures, method, layer, options):
    """Both orientations of a picture are summed, each with what the method makes of it alone."""
    params = asked(method, layer, options, scales=[0.5, 1.0], negatives="drop")
    compute = step.SeedMaps(params, "cpu")
    picture, pixels = loaded(pictures[2])
    maps, mirrored = (
        unpack(compute([(picture, np.ascontiguousarray(given))])[0])["maps"].astype(float)
        for given in (pixels, pixels[:, ::-1])
    )
    np.testing.assert_allclose(mirrored, maps[..., ::-1], atol=2e-3)
    assert np.abs(mirrored - maps).max() > 0.05


@pytest.mark.parametrize(("method", "layer", "options"), CASES)
def test_half_precision_gives_almost_the_same(pictures, method, layer, options):
    maps = {}
    for kind in ("fp32", "bf16"):
        params = asked(method, layer, options, scales=[1.0], negatives="drop", precision=kind)
        maps[kind] = unpack(step.SeedMaps(params, "cpu")([loaded(pictures[2])])[0])["maps"]
    assert max(one.max() for one in maps["bf16"]) == 1
    for one, other in zip(maps["fp32"], maps["bf16"], strict=True):
        if one.max() > 0:
            assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.97


def unpack(files: dict[str, bytes]) -> dict[str, np.ndarray]:
    (content,) = files.values()
    return dict(np.load(io.BytesIO(content)))
