"""The mean entropy of right and wrong pixels, counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from stages.common.artifacts import grey_bytes, mask_bytes, write_atomic
from stages.evaluation import entropy
from stages.evaluation.rungs import Rung

TRUTH = np.array([[0, 1, 255], [2, 2, 1]], np.uint8)
RESULT = np.array([[0, 2, 0], [2, 255, 1]], np.uint8)
GREY = np.array([[10, 250, 99], [20, 100, 60]], np.uint8)


@pytest.fixture
def rung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rung:
    monkeypatch.chdir(tmp_path)
    for name, shift in (("a", 0), ("b", 4)):
        write_atomic(Path(f"masks/{name}.png"), mask_bytes(TRUTH))
        write_atomic(Path(f"out/{name}.png"), mask_bytes(RESULT))
        write_atomic(Path(f"out/entropy/{name}.png"), grey_bytes(GREY + shift))
    return Rung(Path("out"), maps=False)


def test_the_sums_by_hand() -> None:
    """Right: 10, 20, 60. Wrong: 250, 100. The void pixel's 99 is in neither."""
    assert entropy.Sums().of(TRUTH, RESULT, GREY) == [("entropy_right", 90, 3), ("entropy_wrong", 350, 2)]


def test_the_means_are_over_the_pixels_of_all_pictures(rung: Rung) -> None:
    found = entropy.means("predictions", rung, ["a", "b"], Path("masks"))
    right, wrong = (90 + 90 + 12) / 6, (350 + 350 + 8) / 4
    assert found == {
        "entropy_right": pytest.approx(100 * right / 255, abs=0.005),
        "entropy_wrong": pytest.approx(100 * wrong / 255, abs=0.005),
    }


def test_a_region_without_a_pixel_has_no_mean(rung: Rung) -> None:
    write_atomic(Path("out/a.png"), mask_bytes(np.where(TRUTH == 255, 0, TRUTH)))
    assert set(entropy.means("predictions", rung, ["a"], Path("masks"))) == {"entropy_right"}


def test_a_rung_without_has_none_and_a_part_of_it_is_an_error(rung: Rung) -> None:
    Path("out/entropy/b.png").unlink()
    with pytest.raises(ValueError, match=r"1 pictures of rung last have no entropy: out/entropy/b\.png"):
        entropy.means("last", rung, ["a", "b"], Path("masks"))
    Path("out/entropy/a.png").unlink()
    Path("out/entropy").rmdir()
    assert entropy.means("last", rung, ["a", "b"], Path("masks")) == {}
