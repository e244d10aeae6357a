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


@pytest.mark.parametrize(
    ("method", "layer"), [("cam", "last"), ("vgatt", "encoder.levels.2"), ("grad_cam", "encoder.levels.2")]
)
def test_pictures_without_a_class_have_no_map(pictures, method, layer):
    params = check(
        Seeds,
        {"method": method, "layer": layer, "scales": [1.0], "flip": True, "negatives": "keep",
         "normaliser": "max", "precision": "fp32"},
        "test",
    )  # fmt: skip
    negative = dataclasses.replace(pictures[0], labels=())
    compute = step.SeedMaps(params, "cpu")
    (alone,) = compute([loaded(negative)])
    _, together = compute([loaded(pictures[2]), loaded(negative)])
    for found in (unpack(alone), unpack(together)):
        assert found["maps"].shape == (0, 5, 7) and found["classes"].shape == (0,)
        assert found["size"].tolist() == [33, 50]


@pytest.mark.parametrize(("method", "layer"), [("cam", "last"), ("vgatt", "encoder.levels.2")])
def test_a_batch_gives_what_single_pictures_give(pictures, method, layer):
    params = check(
        Seeds,
        {"method": method, "layer": layer, "scales": [1.0, 1.5], "flip": True, "negatives": "drop",
         "normaliser": "max", "precision": "fp32"},
        "test",
    )  # fmt: skip
    compute = step.SeedMaps(params, "cpu")
    read = [loaded(picture) for picture in pictures]
    together = [unpack(files) for files in compute(read)]
    alone = [unpack(compute([one])[0]) for one in read]
    for picture, one, other in zip(pictures, together, alone, strict=True):
        assert one["classes"].tolist() == list(picture.labels) and one["size"].tolist() == [33, 50]
        assert one["maps"].shape == other["maps"].shape == (len(picture.labels), 5, 7)
        np.testing.assert_allclose(one["maps"].astype(float), other["maps"].astype(float), atol=2e-3)
        assert one["maps"].max() == 1


def unpack(files: dict[str, bytes]) -> dict[str, np.ndarray]:
    (content,) = files.values()
    return dict(np.load(io.BytesIO(content)))
