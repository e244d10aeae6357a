"""Entropy by hand, against scipy, and of whole and tiled pictures."""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from stages.common.artifacts import read_mask
from stages.common.params import check
from stages.common.pictures import Loaded
from stages.predictions.entropy import as_bytes, entropy
from stages.predictions.labeller import Labeller
from stages.predictions.masks import PredictMasks
from stages.predictions.params import Predictions
from tests.predictions.test_main import CRF
from tests.segmenter.tiny import save_segmenter

VALUES = {
    "scales": [1.0, 0.5], "flip": True, "fuse": "mean", "tile": None, "overlap": 0, "merge": "ramp",
    "crf": False, "dense_crf": CRF.model_dump(), "entropy": True, "precision": "fp32",
}  # fmt: skip


def test_sure_is_0_and_all_alike_is_1_and_between_it_is_scipy_s():
    chances = np.array([[1, 1 / 3, 0.5], [0, 1 / 3, 0.25], [0, 1 / 3, 0.25]], np.float32)[:, None]
    np.testing.assert_allclose(entropy(chances), [[0, 1, 1.5 * np.log(2) / np.log(3)]], atol=1e-6)
    drawn = np.random.default_rng(0).dirichlet(np.full(7, 0.3), (5, 6)).transpose(2, 0, 1)
    np.testing.assert_allclose(entropy(drawn), scipy.stats.entropy(drawn, base=7, axis=0), rtol=1e-6)


def test_bytes_are_rounded():
    assert as_bytes(np.array([-1e-9, 0.4 / 255, 0.6 / 255, 0.5, 1, 1 + 1e-7])).tolist() == [
        0,
        0,
        1,
        128,
        255,
        255,
    ]


def labeller(folder: Path, **changes: object) -> Labeller:
    return Labeller(folder, check(Predictions, VALUES | changes, "test"), "cpu")


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (70, 90, 3)).astype(np.uint8)


@pytest.mark.parametrize("crf", [False, True])
def test_it_is_of_the_probabilities_before_the_crf(tmp_path: Path, picture: np.ndarray, crf: bool):
    save_segmenter(tmp_path)
    whole = labeller(tmp_path, crf=crf)
    chances = whole.chances([picture])[0].numpy()
    wanted = 255 * scipy.stats.entropy(chances, base=3, axis=0)
    found = whole.answers([picture])[0].entropy
    assert found is not None and np.abs(found - wanted).max() < 0.51 and np.ptp(found) > 10
    tiled = labeller(
        tmp_path, crf=crf, tile=64, overlap=0, merge="inner"
    )  # rows at 0 and 6, columns at 0 and 26
    answer = tiled.answers([picture])[0]
    corner = tiled.chances([picture[:64, :64]])[0].numpy()
    wanted = 255 * scipy.stats.entropy(corner, base=3, axis=0)
    assert answer.entropy is not None and np.abs(answer.entropy[:6, :26] - wanted[:6, :26]).max() < 0.51
    plain = labeller(tmp_path, crf=crf, tile=64, overlap=0, merge="inner", entropy=False).answers([picture])[
        0
    ]
    assert plain.entropy is None and np.array_equal(plain.labels, answer.labels)


@pytest.mark.parametrize("merge", ["ramp", "mean"])
def test_what_is_blended_sums_to_1_again(tmp_path: Path, picture: np.ndarray, merge: str):
    """Of a network that says the same everywhere, tiles change nothing."""
    save_segmenter(tmp_path)
    one = labeller(tmp_path, tile=64, overlap=16, merge=merge)
    object.__setattr__(one, "chances", lambda parts: _Same(len(parts), parts[0].shape[:2]))
    found = one.answers([picture])[0].entropy
    assert found is not None
    assert set(np.unique(found)) == {round(255 * scipy.stats.entropy([0.5, 0.3, 0.2], base=3))}


class _Same:
    """Stands for a tensor of equal probabilities of every pixel."""

    def __init__(self, number: int, size: tuple[int, ...]) -> None:
        self.values = np.ones((number, 3, *size), np.float32) * np.float32([0.5, 0.3, 0.2])[:, None, None]

    def cpu(self) -> "_Same":
        return self

    def numpy(self) -> np.ndarray:
        return self.values


def test_it_is_written_where_it_is_asked_for(tmp_path: Path, picture: np.ndarray):
    save_segmenter(tmp_path)
    read = [Loaded(None, picture)]  # type: ignore[arg-type]
    (files,), (without,) = (PredictMasks(labeller(tmp_path, entropy=asked))(read) for asked in (True, False))
    assert set(without) == {"*.png"} and set(files) == {"*.png", "entropy/*.png"}
    assert files["*.png"] == without["*.png"]
    (tmp_path / "entropy.png").write_bytes(files["entropy/*.png"])
    answer = labeller(tmp_path).answers([picture])[0]
    assert answer.entropy is not None and np.array_equal(read_mask(tmp_path / "entropy.png"), answer.entropy)


def test_a_picture_larger_than_a_tile_alone_is_cut(tmp_path: Path, picture: np.ndarray):
    save_segmenter(tmp_path)
    whole = labeller(tmp_path).answers([picture])[0]
    same = labeller(tmp_path, tile=90, overlap=45, merge="inner").answers([picture])[0]
    assert np.array_equal(same.labels, whole.labels) and np.array_equal(same.entropy, whole.entropy)  # type: ignore[arg-type]
    cut = labeller(tmp_path, tile=89, overlap=0, merge="inner").answers([picture])[0]
    assert not np.array_equal(cut.entropy, whole.entropy)  # type: ignore[arg-type]
