"""Reliable regions, by hand on 5 x 5 pixels with a CRF that says what it is told, and with the true one."""

import numpy as np
import pytest

from stages.common import reliable
from stages.common.crf_params import Crf
from stages.common.params import ParameterError, check
from stages.common.reliable import View, combined, confident, labels
from stages.common.reliable_params import Reliable

CRF = {"iterations": 5, "smooth_sxy": 3.0, "smooth_compat": 3.0, "color_sxy": 80.0, "color_srgb": 13.0,
       "color_compat": 10.0}  # fmt: skip
RULES = {
    "two_alphas": {"alpha_foreground": 4.0, "alpha_background": 32.0, "probability": 0.8},
    "agreement": {"alpha": 4.0},
    "cam": {"alpha": 4.0},
}
U = 255
MAP = np.array([
    [1.0, 0.9, 0.8, 0.7, 0.6],
    [0.5, 0.4, 0.3, 0.2, 0.1],
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [0.005, 0.006, 0.007, 0.01, 0.05],
    [0.0, -3.0, 0.0, 0.0, 0.0],
], np.float32)  # fmt: skip


def params(rule: str = "two_alphas", **changes) -> Reliable:
    values = {"rule": rule, "share": 0.4, "floor": 0.1, "crf": CRF, rule: RULES[rule]}
    return check(Reliable, {**values, **changes}, "test")


def view(maps: np.ndarray = MAP[None], classes=(3,), **changes) -> View:
    size = changes.pop("size", (5, 5))
    picture = np.zeros((*size, 3), np.uint8)
    return View(maps, np.array(classes), picture, np.ones(size, bool))._replace(**changes)


def told(monkeypatch: pytest.MonkeyPatch, *runs: np.ndarray) -> None:
    """What each run of the CRF answers, of one class: its probability [H, W]."""
    answers = [np.stack([1 - run, run]).astype(np.float32) for run in runs]

    def infer(picture: np.ndarray, unaries: list[np.ndarray], crf: Crf) -> list[np.ndarray]:
        assert len(unaries) == len(answers) and crf.color_sxy == 80
        costs = [float(unary[0].sum()) for unary in unaries]
        assert costs == sorted(costs)  # of the background: much comes first
        return answers

    monkeypatch.setattr(reliable, "infer", infer)


def test_what_the_maps_are_sure_of() -> None:
    """(1 - 0.006)^32 = 0.825 and (1 - 0.007)^32 = 0.799; of nine above 0.1 the four highest are kept."""
    found = labels(view(), params("cam", cam={"alpha": 32.0}))
    wanted = [[3, 3, 3, 3, U], [U, U, U, U, U], [0, 0, 0, 0, 0], [U, U, U, U, U], [0, 0, 0, 0, 0]]
    assert found.tolist() == wanted and found.dtype == np.uint8


def test_two_alphas_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    much = np.where(MAP > 0.75, 0.9, 0.05)  # the class in the first three pixels
    much[0, 0] = 0.7  # it wins, and not by enough
    much[2, 0] = 0.95  # the CRF alone
    little = np.where(MAP > 0.3, 0.95, 0.1)
    little[2, 0] = 0.9
    little[0, 2] = 0.1  # it is background in spite of little
    little[2, 4] = 0.3  # and this one not by enough
    told(monkeypatch, much, little)
    wanted = [[3, 3, U, U, U], [U, U, U, U, U], [U, 0, 0, 0, U], [0, 0, U, U, U], [0, 0, 0, 0, 0]]
    wanted[0][0] = U  # 0.7 of the class, 0.05 of the background
    assert labels(view(), params()).tolist() == wanted
    sure = params(two_alphas={**RULES["two_alphas"], "probability": 0.65})  # (1 - 0.01)^32 = 0.725
    wanted[0][0], wanted[2][4] = 3, 0
    wanted[3] = [0, 0, 0, 0, U]
    assert labels(view(), sure).tolist() == wanted
    hole = np.ones((5, 5), bool)
    hole[2, 1], wanted[2][1] = False, U
    assert labels(view(inside=hole), sure).tolist() == wanted


def test_much_background_beats_little_where_only_both_are_sure() -> None:
    """Of two classes, four pixels: class 2 in spite of much; background in spite of little; both; neither."""
    much = np.array([[0.1, 0.9, 0.1, 0.8], [0.1, 0.05, 0.0, 0.1], [0.8, 0.05, 0.9, 0.1]])[:, None]
    little = np.array([[0.1, 0.9, 0.9, 0.4], [0.1, 0.05, 0.05, 0.3], [0.8, 0.05, 0.05, 0.3]])[:, None]
    assert combined(much, little, 0.8).tolist() == [[2, 0, 0, U]]
    assert combined(much, little, 0.4).tolist() == [[2, 0, 0, 0]]  # little background wins with 0.4
    assert combined(much, little, 0.901).tolist() == [[U, U, U, U]]


def test_agreement_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """(1 - m)^4 > m below 0.2755: 14 pixels are background, of which the 9 of score 1 are more than 40 %."""
    crf = np.where(MAP > 0.25, 0.6, 0.4)
    crf[0, 1], crf[2, 2] = 0.4, 0.6  # of another mind than the maps
    told(monkeypatch, crf)
    found = labels(view(), params("agreement"))
    wanted = [[3, U, 3, 3, U], [U, U, U, U, U], [0, 0, U, 0, 0], [U, U, U, U, U], [0, 0, 0, 0, 0]]
    assert found.tolist() == wanted


@pytest.mark.parametrize(("share", "kept"), [(1.0, 10), (0.9, 9), (0.45, 5), (0.4, 4), (0.1, 1), (1e-9, 1)])
def test_the_share_is_of_what_the_class_wins_above_the_floor(share: float, kept: int) -> None:
    score = np.linspace(0.11, 1, 10)
    scores = np.stack([np.full(12, 0.05), np.concatenate([[0.1, 0.02], score])])[:, None]
    found = confident(scores, np.ones((1, 12), bool), share, 0.1)
    assert found[0].tolist() == [U, U] + [U] * (10 - kept) + [1] * kept
    beside = confident(np.insert(scores, 2, 0.9, 2), np.arange(13)[None] != 2, share, 0.1)
    assert np.delete(beside, 2).tolist() == found[0].tolist() and beside[0, 2] == U  # it is no pixel of ours


def test_equal_scores_are_kept_together() -> None:
    scores = np.array([[0, 0, 0, 0, 0], [0.5, 0.5, 0.5, 0.4, 0.3]])[:, None]
    assert confident(scores, np.ones((1, 5), bool), 0.2, 0.1).tolist() == [[1, 1, 1, U, U]]


def scene(seed: int = 0) -> View:
    """Two squares on a noisy ground; the maps know them roughly."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(60, 80, (40, 50, 3))
    maps = np.zeros((2, 5, 7), np.float32)
    picture[4:20, 5:22], picture[18:36, 28:46] = (200, 50, 50), (50, 60, 210)
    maps[0, 0:3, 0:3], maps[1, 2:5, 4:7] = 2.0, 5.0
    maps += rng.uniform(-1, 0.3, maps.shape).astype(np.float32)
    return View(maps, np.array([2, 5]), picture.astype(np.uint8), np.ones((40, 50), bool))


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_what_is_left_both_parents_say(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    found = labels(scene(), params(share=share))
    said: list[np.ndarray] = []
    agreed = reliable.agreed
    monkeypatch.setattr(reliable, "agreed", lambda *both: said.extend(both) or agreed(*both))
    assert np.array_equal(labels(scene(), params(share=share)), found)
    kept = found != U
    for parent in said:
        assert np.array_equal(np.array([0, 2, 5, *[U] * 253])[parent][kept], found[kept])
    assert 0.3 < kept.mean() < 0.99 and set(np.unique(found)) == {0, 2, 5, U}
    assert set(np.unique(found[8:16, 8:16])) <= {2, U} and (found[8:16, 8:16] == 2).mean() > 0.2
    more = labels(scene(), params(share=1.0))
    assert np.array_equal(more[kept], found[kept])


@pytest.mark.parametrize("rule", list(RULES))
def test_what_lies_beside_the_picture_changes_nothing(rule: str) -> None:
    inner = scene()
    alone = labels(inner._replace(maps=at_full(inner)), params(rule))
    wide, place = np.zeros((60, 60, 3), np.uint8), np.s_[7:47, 3:53]
    inside, maps = np.zeros((60, 60), bool), np.full((2, 60, 60), 99, np.float32)
    wide[place], inside[place], maps[:, *place] = inner.picture, True, at_full(inner)
    found = labels(View(maps, inner.classes, wide, inside), params(rule))
    assert np.array_equal(found[place], alone)
    found[place] = U
    assert (found == U).all()


def at_full(view: View) -> np.ndarray:
    """The maps at the size of the picture."""
    return reliable.upsample(view.maps, view.inside.shape)


@pytest.mark.parametrize("rule", list(RULES))
def test_views_with_little_to_say(rule: str) -> None:
    none = labels(view(np.zeros((0, 2, 2), np.float32), ()), params(rule))
    assert (none == 0).all()  # a picture without classes is background
    nowhere = labels(view(inside=np.zeros((5, 5), bool)), params(rule))
    assert (nowhere == U).all()
    unseen = labels(view(np.full((1, 2, 2), -1, np.float32)), params(rule))
    assert (unseen == 0).all()  # its class is nowhere, and the code stops there


def test_a_map_is_divided_by_its_maximum_inside() -> None:
    maps = np.stack([MAP, -MAP - 1])
    maps[0, 4, 4] = 50
    inside = np.ones((5, 5), bool)
    inside[4, 4] = False
    found = reliable.normalised(2 * maps, inside)
    assert found[0].max() == 1 and found[0, 4, 4] == 0 and found[0, 4, 1] == 0
    np.testing.assert_allclose(found[0, :4], MAP[:4], rtol=1e-6)
    assert (found[1, :4] == 0).all() and found[1, 4, 1] == 1  # 2 of 2: its only positive pixel


def test_what_is_refused() -> None:
    for rule, own, says in (
        (
            "two_alphas",
            {**RULES["two_alphas"], "alpha_background": 4.0},
            "alpha_foreground < alpha_background",
        ),
        ("agreement", None, "agreement: missing, and rule chooses it"),
    ):
        with pytest.raises(ParameterError, match=says):
            params(rule, **{rule: own})
    with pytest.raises(ParameterError, match="share"):
        params(share=0.0)
