"""The step as a whole: what a training may see, and what it is asked."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.common.artifacts import read_mask
from stages.fold_masks import __main__ as step
from tests.few_shot import tiny
from tests.few_shot.conftest import place  # noqa: F401

pytestmark = pytest.mark.usefixtures("place")
BASE, NOVEL = Path("data/fold_masks/0/base"), Path("data/fold_masks/0/novel")


def run(monkeypatch: pytest.MonkeyPatch, fold: int = 0) -> str:
    monkeypatch.setattr(sys, "argv", ["fold_masks", str(fold)])
    return step.main()


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize("novel", ["background", "drop"])
def test_no_pixel_of_a_novel_class_is_in_base(monkeypatch, fold, novel):
    tiny.project(fold_masks={"novel": novel})
    assert "8 episodes of" in run(monkeypatch, fold)
    base, classes = Path(f"data/fold_masks/{fold}/base"), {2 * fold + 1, 2 * fold + 2}
    shown = {row["id"]: set(map(int, row["classes"].split(";"))) for row in rows(base / "index.csv")}
    assert shown and {file.stem for file in base.glob("*.png")} == set(shown)
    for name, own in shown.items():
        mask, truth = read_mask(base / f"{name}.png"), read_mask(Path(f"data/masks/{name}.png"))
        there = set(np.unique(truth).tolist())
        assert not set(np.unique(mask).tolist()) & classes and own <= there - classes
        np.testing.assert_array_equal(mask, np.where(np.isin(truth, list(classes)), 0, truth))
        assert novel == "background" or not there & classes
        assert name.startswith("train")
    if novel == "background":
        found = [read_mask(Path(f"data/masks/{name}.png")) for name in shown]
        assert any(
            set(np.unique(mask).tolist()) & classes for mask in found
        )  # as published: there, unlabelled


def test_an_episode_asks_for_a_novel_class_of_val(monkeypatch):
    tiny.project()
    run(monkeypatch)
    episodes = rows(NOVEL / "episodes.csv")
    assert len(episodes) == 8 and list(episodes[0]) == [
        "run",
        "number",
        "class",
        "query",
        "support1",
        "support2",
    ]
    for one in episodes:
        label = int(one["class"])
        assert label in (1, 2)
        for name in (one["query"], one["support1"], one["support2"]):
            truth = read_mask(Path(f"data/masks/{name}.png"))
            assert name.startswith("val") and (truth == label).sum() >= 20
            if name != one["query"]:
                mask = read_mask(NOVEL / str(label) / f"{name}.png")
                np.testing.assert_array_equal(mask, np.where(truth == 255, 255, truth == label))
    files = {file.stem for file in NOVEL.glob("*/*.png")}
    assert files <= {one[f"support{at}"] for one in episodes for at in (1, 2)}


def test_pictures_without_a_mask_are_left_out(monkeypatch):
    tiny.project()
    index = Path("data/masks/index.csv")
    gone = ("train2", "val0")
    index.write_text("".join(line for line in index.open() if line.split(",")[0] not in gone))
    run(monkeypatch)
    assert "train2" not in {row["id"] for row in rows(BASE / "index.csv")}
    used = {one[key] for one in rows(NOVEL / "episodes.csv") for key in ("query", "support1", "support2")}
    assert used and not used & set(gone)


def test_a_base_class_that_one_picture_shows_is_refused_and_the_old_result_stays(monkeypatch):
    tiny.project()
    run(monkeypatch)
    before = (BASE / "index.csv").read_bytes()
    tiny.change(fold_masks={"min_area": 200})
    with pytest.raises(ValueError, match=r"two pictures of train .* show blue \(\d\), .* min_area 200"):
        run(monkeypatch)
    assert (BASE / "index.csv").read_bytes() == before


def test_too_few_pictures_that_may_be_supports(monkeypatch):
    tiny.project(fold_masks={"supports": 9})
    match = r"9 and a query need 10 pictures of val .* show red \(\d\), green \(\d\): lower supports or min"
    with pytest.raises(ValueError, match=match):
        run(monkeypatch)
    assert not NOVEL.exists()


def test_a_split_without_any_mask(monkeypatch):
    tiny.project()
    index = Path("data/masks/index.csv")
    index.write_text("".join(line for line in index.open() if ",val" not in line))
    with pytest.raises(ValueError, match=r"no picture of val has a mask, and few_shot\.folds asks"):
        run(monkeypatch)
