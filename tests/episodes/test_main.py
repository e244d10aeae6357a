"""The step as a whole: numbers against a plain loop, processes, kills, other shots."""

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from stages.common.artifacts import read_mask, read_picture
from stages.episodes import __main__ as step
from stages.episodes import reading
from stages.few_shot import __main__ as few_shot
from stages.few_shot.segment import FewShotSegmenter
from stages.fold_masks import __main__ as fold_masks
from tests.conftest import once
from tests.few_shot import tiny

OUT = Path("reports/few_shot/0")


@pytest.fixture
def trained(tmp_path_factory, tmp_path, monkeypatch):
    """A project with a trained network, whose scores are shifted so that it finds something."""
    monkeypatch.setenv("WSSS_WORKERS", "1")
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    monkeypatch.setattr(sys, "argv", ["step", "0"])

    def make(place: Path) -> None:
        place.mkdir(parents=True)
        monkeypatch.chdir(place)
        tiny.project(epochs=12)
        fold_masks.main()
        few_shot.main()
        shifted(Path("data/few_shot/0"))

    shutil.copytree(once(tmp_path_factory, "few-shot", make), tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")


def shifted(folder: Path) -> None:
    """Give the object so much that most of a query's pixels are of it."""
    net = FewShotSegmenter.load(folder, "cpu", False)
    pictures = [read_picture(Path(f"data/dataset/images/val{at}.png")) for at in (0, 1)]
    mask = (read_mask(Path("data/masks/val0.png")) == 1).astype(np.uint8)
    scores = net.by_each(pictures[1], net.guides(pictures[:1], [mask]))[0]
    tensors = load_file(folder / "weights.safetensors")
    (name,) = (name for name in tensors if name.startswith("decoder.whole") and name.endswith("bias"))
    tensors[name][1] += (scores[0] - scores[1]).quantile(0.8)
    save_file(tensors, folder / "weights.safetensors")


def rows(name: str) -> list[dict[str, str]]:
    with (OUT / name).open(newline="") as lines:
        return list(csv.DictReader(lines))


def files() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(OUT.iterdir())}


@pytest.mark.usefixtures("trained")
def test_numbers_are_those_of_a_plain_loop():
    assert "episodes@0: 8 episodes, 8 computed; mIoU " in step.main()
    values = json.loads((OUT / "metrics.json").read_text())
    found = {"1": [], "2": [], "2_average": [], "any": []}
    net = FewShotSegmenter.load(Path("data/few_shot/0"), "cpu", False)
    for row in rows("per_episode.csv"):
        label = tiny.CLASSES.index(row["class"])
        names = row["supports"].split(";")
        pictures = [read_picture(Path(f"data/dataset/images/{name}.png")) for name in names]
        masks = [(read_mask(Path(f"data/masks/{name}.png"))) for name in names]
        masks = [np.where(mask == 255, 255, mask == label).astype(np.uint8) for mask in masks]
        query = read_picture(Path(f"data/dataset/images/{row['query']}.png"))
        truth = read_mask(Path(f"data/masks/{row['query']}.png"))
        one = [net.guides([picture], [mask]) for picture, mask in zip(pictures, masks, strict=True)]
        by = [net.by_each(query, guide)[0] for guide in one]
        weights = []
        for guide in one:
            ious = []
            for picture, mask in zip(pictures, masks, strict=True):
                seen = net.by_each(picture, guide)[0]
                guess = np.where(mask == 255, 255, seen.argmax(0).numpy())
                both, either = (guess == 1) & (mask == 1), (guess == 1) | (mask == 1)
                ious.append(both.sum() / max(1, either.sum()))
            weights.append(np.mean(ious))
        weighed = by[0] * weights[0] + by[1] * weights[1] if any(weights) else by[0] + by[1]
        by_kind = {"1": by[0], "2_average": by[0] + by[1], "2": weighed}
        guesses = {kind: scores.argmax(0).numpy() for kind, scores in by_kind.items()} | {"any": truth > 0}
        for kind, guess in guesses.items():
            guess = np.where(truth == 255, 0, guess)
            there = truth == label
            both, either = (guess == 1) & there, (guess == 1) | there
            found[kind].append((int(row["run"]), label, both.sum(), either.sum()))
            if kind != "2":  # weights are of the square's masks, which differ from these by a pixel's edge
                assert float(row[f"iou_{kind}"]) == pytest.approx(100 * both.sum() / either.sum(), abs=0.006)
    for kind in ("1", "2_average", "any"):
        of_runs = []
        for run in (0, 1):
            of_classes = []
            for label in {one[1] for one in found[kind]}:
                own = [one for one in found[kind] if one[:2] == (run, label)]
                if own:
                    of_classes.append(sum(one[2] for one in own) / sum(one[3] for one in own))
            of_runs.append(np.mean(of_classes))
        assert values[f"miou_{kind}"] == pytest.approx(100 * np.mean(of_runs), abs=0.006)
        assert values[f"miou_{kind}_std"] == pytest.approx(100 * np.std(of_runs, ddof=1), abs=0.006)
    assert values["miou_1"] > 5  # it finds something, or nothing is compared
    assert (values["fold"], values["episodes"], values["runs"], values["split"]) == (0, 8, 2, "val")
    assert values["classes"] == ["red", "green"] == [row["class"] for row in rows("per_class.csv")]


@pytest.mark.usefixtures("trained")
def test_equal_bytes_in_processes_and_after_a_kill(monkeypatch):
    step.main()
    before = files()
    assert sorted(before) == ["metrics.json", "per_class.csv", "per_episode.csv", "sheet.png"]
    assert "8 episodes, 0 computed" in step.main() and files() == before
    for name in ("reports", ".scratch"):
        shutil.rmtree(name)
    found, calls = step.Guesses.found, []

    def killed(self, one):
        calls.append(one)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return found(self, one)

    with monkeypatch.context() as patch:
        patch.setattr(step.Guesses, "found", killed)
        with pytest.raises(KeyboardInterrupt):
            step.main()
    monkeypatch.setenv("WSSS_WORKERS", "2")
    assert "8 episodes, 5 computed" in step.main() and files() == before


@pytest.mark.usefixtures("trained")
def test_what_makes_an_episode_anew():
    step.main()
    tiny.change(epochs=12, episodes={"shown": 1})
    assert "0 computed" in step.main()
    assert Image.open(OUT / "sheet.png").height < 250
    tiny.change(epochs=12, episodes={"shots": [1]})
    assert "8 computed" in step.main()
    assert list(rows("per_class.csv")[0]) == ["class", "episodes", "iou_1", "iou_any"]
    query = rows("per_episode.csv")[0]["query"]
    file = Path(f"data/masks/{query}.png")
    reading._hash.cache_clear()
    file.write_bytes(Path("data/masks/val0.png").read_bytes() + b"\0")
    again = step.main()
    assert "0 computed" not in again and "8 computed" not in again


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("what", ["network", "query", "support", "support's mask"])
def test_every_file_that_an_episode_reads_makes_it_anew(what):
    step.main()
    one = reading.read_episodes(0, 2)[0]
    images = Path("data/dataset/images")
    files = {
        "query": images / f"{one.query}.png",
        "support": images / f"{one.supports[1]}.png",
        "support's mask": Path(f"data/fold_masks/0/novel/{one.label}/{one.supports[1]}.png"),
    }
    if what == "network":
        shifted(Path("data/few_shot/0"))
    else:
        files[what].write_bytes(files[what].read_bytes() + b"\0")
    reading._hash.cache_clear()
    told = step.main()
    assert " 0 computed" not in told and (" 8 computed" in told or what != "network")


@pytest.mark.usefixtures("trained")
def test_more_shots_than_supports():
    tiny.change(episodes={"shots": [1, 3]})
    with pytest.raises(
        ValueError, match=r"episodes\.shots: 3 supports .* fold_masks\.supports is 2: raise it"
    ):
        step.main()


@pytest.mark.usefixtures("trained")
def test_one_support_is_enough_and_several_equal_ones_change_nothing():
    net = FewShotSegmenter.load(Path("data/few_shot/0"), "cpu", False)
    pictures = [read_picture(Path(f"data/dataset/images/val{at}.png")) for at in (0, 1)]
    mask = (read_mask(Path("data/masks/val0.png")) == 1).astype(np.uint8)
    shown = [net.guides(pictures[:1] * number, [mask] * number) for number in (1, 3)]
    alone, thrice = (net.segmented(pictures[1], one, net.weights(one)) for one in shown)
    assert alone.shape == pictures[1].shape[:2] and alone.any() and np.array_equal(alone, thrice)
    assert torch.equal(*(net.by_each(pictures[1], net.guides(pictures[:1], [mask])) for _ in range(2)))


@pytest.mark.usefixtures("trained")
def test_each_support_is_asked_of_each():
    """Eq. 5.15: row i is of support i as a query, column k by support k."""
    net = FewShotSegmenter.load(Path("data/few_shot/0"), "cpu", False)
    pictures = [read_picture(Path(f"data/dataset/images/val{at}.png")) for at in (0, 1, 4)]
    masks = [(read_mask(Path(f"data/masks/val{at}.png")) == 1).astype(np.uint8) for at in (0, 0, 4)]
    shown = [net.guides([one], [mask]) for one, mask in zip(pictures, masks, strict=True)]
    found = net.useful(net.guides(pictures, masks))
    for i, query in enumerate(shown):
        for k, guide in enumerate(shown):
            assert torch.equal(found[i, k], net.scores(query.features, guide.guide)[0].argmax(0) == 1)
    assert not torch.equal(found, found.transpose(0, 1))


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("best", [0, 1])
def test_the_support_that_finds_the_object_counts_more(monkeypatch, best):
    """Eq. 5.16, 5.17: one says object everywhere, the other nowhere and louder, so alike it wins."""
    says = torch.zeros(2, 2, 5, 6)
    says[best, 1], says[1 - best, 0] = 1.0, 2.0
    monkeypatch.setattr(FewShotSegmenter, "by_each", lambda *_: says)

    def useful(self, supports):
        found = (supports.labels == 1)[:, None].repeat(1, 2, 1, 1)
        found[:, 1 - best, :, ::2] = False  # about half of the object, and all of it by the best
        found[:, 1 - best, ::2] = False
        return found

    monkeypatch.setattr(FewShotSegmenter, "useful", useful)
    picture, mask = read_picture(Path("data/dataset/images/val0.png")), read_mask(Path("data/masks/val0.png"))
    own = (mask == 1).astype(np.uint8)
    guesses = step.Guesses(0, step.load("episodes", step.Episodes), "cpu", f"of {best}")
    found = guesses.found(reading.Asked(picture, [picture] * 2, [own] * 2, own, np.ones_like(own)))
    assert {name: bool(one.all()) for name, one in found.items()} == {
        "1": best == 0, "2": True, "2_average": False, "any": True
    }  # fmt: skip
    net = FewShotSegmenter.load(Path("data/few_shot/0"), "cpu", False)
    shown = net.guides([picture] * 2, [own] * 2)
    assert net.segmented(picture, shown, net.weights(shown)).all()
