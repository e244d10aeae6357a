import numpy as np

from stages.common.crf import infer, unary_from_scores
from stages.common.crf_params import Crf
from stages.common.params import check
from stages.common.pictures import Loaded
from stages.predictions.__main__ import PredictMasks
from stages.predictions.any_labeller import refined
from stages.predictions.labeller import Labeller
from stages.predictions.params import Predictions
from tests.segmenter.tiny import save_segmenter

CRF = Crf(iterations=3, smooth_sxy=3.0, smooth_compat=3.0, color_sxy=20.0, color_srgb=10.0, color_compat=5.0)


def test_crf_runs_over_the_labels_that_win_somewhere():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (12, 10, 3)).astype(np.uint8)
    chances = rng.random((5, 12, 10)).astype(np.float32)
    chances[[0, 3]] = 0  # never win
    chances /= chances.sum(0)
    labels = chances.argmax(0).astype(np.uint8)
    live = np.array([1, 2, 4], np.uint8)
    wanted = live[infer(picture, [unary_from_scores(chances[live])], CRF)[0].argmax(0)]
    assert np.array_equal(refined(picture, chances, labels, CRF), wanted)


def test_one_label_needs_no_crf():
    labels = np.full((4, 4), 2, np.uint8)
    assert refined(np.zeros((4, 4, 3), np.uint8), np.ones((3, 4, 4)) / 3, labels, CRF) is labels


def test_a_batch_gives_what_single_pictures_give(tmp_path):
    """With all that inference can be asked for, the CRF included."""
    save_segmenter(tmp_path)
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
    compute = PredictMasks(Labeller(tmp_path, check(Predictions, values, "test"), "cpu"))
    pictures = np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3)).astype(np.uint8)
    read = [Loaded(None, pixels) for pixels in pictures]  # type: ignore[arg-type]
    together = compute(read)
    assert together == [compute([one])[0] for one in read]
    assert len({files["*.png"] for files in together}) == 3
