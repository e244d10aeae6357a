from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from stages.common import pool
from stages.common.crf import infer, unary_from_scores
from stages.common.crf_params import Crf
from stages.common.items import Item, compute_items, groups_of
from stages.common.params import check
from stages.common.pictures import Loaded
from stages.predictions.any_labeller import Answer, rough
from stages.predictions.labeller import Labeller
from stages.predictions.masks import PredictMasks
from stages.predictions.params import Predictions
from tests.segmenter.tiny import save_segmenter

CRF = Crf(iterations=3, smooth_sxy=3.0, smooth_compat=3.0, color_sxy=20.0, color_srgb=10.0, color_compat=5.0)


def labeller(folder: Path, **changes: Any) -> Labeller:
    values = {
        "scales": [1.0, 1.5],
        "flip": True,
        "fuse": "mean",
        "tile": None,
        "overlap": 0,
        "merge": "ramp",
        "crf": True,
        "dense_crf": CRF.model_dump(),
        "entropy": False,
        "precision": "fp32",
    }
    return Labeller(folder, check(Predictions, values | changes, "test"), "cpu")


def test_crf_runs_over_the_labels_that_win_somewhere():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (12, 10, 3)).astype(np.uint8)
    chances = rng.random((5, 12, 10)).astype(np.float32)
    chances[[0, 3]] = 0  # never win
    chances /= chances.sum(0)
    unsure = np.zeros((12, 10), np.uint8)
    live = np.array([1, 2, 4], np.uint8)
    wanted = live[infer(picture, [unary_from_scores(chances[live])], CRF)[0].argmax(0)]
    found = labeller(Path()).refined(
        rough(picture, chances, Answer(chances.argmax(0).astype(np.uint8), unsure))
    )
    assert np.array_equal(found.labels, wanted)
    assert found.labels.dtype == np.uint8
    assert found.entropy is unsure


def test_one_label_needs_no_crf():
    answer = Answer(np.full((4, 4), 2, np.uint8))
    assert rough(np.zeros((4, 4, 3), np.uint8), np.ones((3, 4, 4)) / 3, answer) is answer


@pytest.mark.parametrize("crf", [True, False])
def test_on_a_gpu_processes_run_the_crf(crf, tmp_path, monkeypatch):
    """The files are those of one process; where no CRF is asked for, it stays at one."""
    monkeypatch.chdir(tmp_path)
    save_segmenter(tmp_path / "network")
    compute = PredictMasks(labeller(tmp_path / "network", crf=crf, entropy=True))
    pictures = np.random.default_rng(0).integers(0, 255, (5, 40, 50, 3)).astype(np.uint8)
    work = [Item(str(number), str(number), Loaded(None, pixels)) for number, pixels in enumerate(pictures)]
    with mock.patch.object(pool, "in_halves", wraps=pool.in_halves) as in_halves:
        found = compute_items("predictions", work, compute, batches=groups_of(2), processes=0)
    assert in_halves.called == crf
    wanted = compute([item.task for item in work])
    assert [{name: found.read(item, name) for name in wanted[0]} for item in work] == wanted


def test_a_batch_gives_what_single_pictures_give(tmp_path):
    """With all that inference can be asked for, the CRF included."""
    save_segmenter(tmp_path)
    compute = PredictMasks(labeller(tmp_path))
    pictures = np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3)).astype(np.uint8)
    read = [Loaded(None, pixels) for pixels in pictures]  # type: ignore[arg-type]
    together = compute(read)
    assert together == [compute([one])[0] for one in read]
    assert len({files["*.png"] for files in together}) == 3
