"""A picture without any class has no map: whatever turns maps into labels makes all of it background."""

import numpy as np
import pytest
from pydensecrf.densecrf import DenseCRF2D

from stages.affinity.offsets import forward_offsets
from stages.affinity_labels import irn, psa
from stages.affinity_labels.params import Irn, Psa
from stages.commands.show.case import Case
from stages.commands.show.sheet import sheet
from stages.commands.show.steps import walked
from stages.common.crf import infer
from stages.common.crf_params import Crf
from stages.common.labels import alpha_scores
from stages.common.pictures import Picture
from stages.evaluation import curve, metrics, tables
from stages.pseudo_labels import crf, random_walk, seed_rule, threshold
from stages.pseudo_labels.params import CrfMethod, RandomWalk, SeedRule, Threshold
from stages.pseudo_labels.random_walk import transition

MAPS, CLASSES, SIZE = np.zeros((0, 3, 4), np.float16), np.zeros(0, np.int16), (20, 30)
PICTURE = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
DENSE = Crf(iterations=2, smooth_sxy=3, smooth_compat=3, color_sxy=50, color_srgb=5, color_compat=10)
OFFSETS = forward_offsets(2)
AFFINITY = {"affinities": np.full((len(OFFSETS), 5, 8), 0.7, np.float16), "offsets": OFFSETS.astype(np.int8)}


def walk(background: str, crf: bool = True) -> RandomWalk:
    return RandomWalk(beta=8, steps=4, background=background, alpha=8, threshold=0.3, crf=crf)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (random_walk, walk("constant")),
        (random_walk, walk("alpha")),
        (random_walk, walk("constant", crf=False)),
        (crf, CrfMethod(threshold=0.25, gt_prob=0.7)),
        (threshold, Threshold(threshold=0.25)),
        (seed_rule, SeedRule(k=0.1)),
    ],
)
def test_pseudo_labels(method, options):
    labels = method.labels(MAPS, CLASSES, SIZE, options, DENSE, picture=PICTURE, affinity=AFFINITY)
    assert labels.shape == SIZE and labels.dtype == np.uint8 and not labels.any()


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (irn, Irn(threshold_foreground=0.3, threshold_plain=0.2, threshold_background=0.1, gt_prob=0.7)),
        (psa, Psa(alpha_foreground=4, alpha_plain=8, alpha_background=32)),
    ],
)
def test_affinity_labels(method, options):
    full = np.zeros((0, *SIZE), np.float32)
    for labels in method.labels(full, CLASSES, PICTURE, options, DENSE):
        assert labels.shape == SIZE and not labels.any()


def test_the_crf_of_one_label_is_what_the_library_gives():
    """It is not asked, for that takes as long as of two labels."""
    unary = np.random.default_rng(1).random((1, SIZE[0] * SIZE[1]), np.float32)
    model = DenseCRF2D(SIZE[1], SIZE[0], 1)
    model.addPairwiseGaussian(sxy=DENSE.smooth_sxy, compat=DENSE.smooth_compat)
    model.addPairwiseBilateral(
        sxy=DENSE.color_sxy, srgb=DENSE.color_srgb, rgbim=PICTURE, compat=DENSE.color_compat
    )
    model.setUnaryEnergy(unary)
    wanted = np.array(model.inference(DENSE.iterations), np.float32).reshape(1, *SIZE)
    first, second = infer(PICTURE, [unary, 2 * unary], DENSE)
    assert first.dtype == np.float32 and np.array_equal(first, wanted) and np.array_equal(second, wanted)


def test_nothing_walks():
    """The walk of the background alone ends as background, too."""
    matrix = transition(AFFINITY["affinities"], AFFINITY["offsets"], 8)
    walked = random_walk.walk(matrix, alpha_scores(np.zeros((0, 5, 8)), 8), 4)
    assert walked.shape == (1, 5, 8) and np.allclose(walked, 1) and not walked.argmax(0).any()


def test_scores_and_curve():
    truth = np.zeros(SIZE, np.uint8)
    truth[:2] = 255
    histogram = curve.empty_histogram(3, 10)
    histogram[:, curve.columns(CLASSES)] += curve.count(truth, np.zeros((0, *SIZE), np.float32), 3, 10)
    assert (curve.tables(histogram)[:, 0, 0] == 18 * 30).all() and histogram.sum() == 18 * 30
    table = metrics.confusion(truth, np.zeros(SIZE, np.uint8), 3)
    assert tables.picture("a", table)[1] == "100.00"
    assert tables.summary(table, ("background", "cat", "dog"))["iou"] == {"background": 100.0}


def test_every_step_of_it_is_drawn():
    seeds = {"maps": MAPS, "classes": CLASSES}
    assert not any(labels.any() for labels in walked(seeds, AFFINITY, SIZE, walk("constant")).values())
    picture = Picture("a", None, "train", SIZE[1], SIZE[0], ())  # type: ignore[arg-type]
    case = Case(picture, PICTURE, None, ("background", "cat"))
    assert sheet(case, [case.step("seeds", "", np.zeros(SIZE, np.uint8))]).startswith(b"\x89PNG")
