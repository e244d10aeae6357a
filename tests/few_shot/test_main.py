"""The step as a whole: what it reads, what it leaves, and a kill on the way."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from stages.common.networks import store
from stages.few_shot import __main__ as step
from stages.few_shot.network import rebuild_few_shot
from stages.fold_masks import __main__ as fold_masks
from tests.few_shot import tiny

pytestmark = pytest.mark.usefixtures("place")
OUT = Path("data/few_shot/0")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["few_shot", "0"])


def prepared(**changes) -> None:
    tiny.project(**changes)
    fold_masks.main()


def test_it_trains_on_base_alone_and_says_what_it_learnt():
    prepared()
    for name in ("data/masks", "data/fold_masks/0/novel"):
        shutil.rmtree(name)
    assert "few_shot@0: 12 pictures of 2 classes, loss" in step.main()
    config = json.loads((OUT / "config.json").read_text())
    assert config["classes"] == ["blue", "grey"] and config["vectors"] == ["primary", "auxiliary"]
    store.load_into(rebuild_few_shot(config), OUT)
    header = (OUT / "history.csv").read_text().splitlines()[0]
    assert header == "epoch,lr,loss,query,query_levels,support1,support1_levels,support2,support2_levels"


class KilledError(Exception):
    """As a kill, as far as the step is concerned."""


def test_killed_in_the_middle_it_ends_with_the_same_bytes(monkeypatch: pytest.MonkeyPatch):
    prepared()
    step.main()
    whole = {file.name: file.read_bytes() for file in OUT.iterdir()}
    for name in ("data/few_shot", ".scratch"):
        shutil.rmtree(name)
    sample, drawn = step.PairSamples.sample, []

    def killed(self, index, rng):
        drawn.append(index)
        if len(drawn) == 19:  # in the second epoch
            raise KilledError
        return sample(self, index, rng)

    monkeypatch.setattr(step.PairSamples, "sample", killed)
    with pytest.raises(KilledError):
        step.main()
    assert not OUT.exists()
    drawn.extend(range(100))
    before = len(drawn)
    step.main()
    assert len(drawn) - before < 24  # not from the start
    assert {file.name: file.read_bytes() for file in OUT.iterdir()} == whole


def test_another_mask_or_picture_is_another_training():
    prepared()
    step.main()
    params, pictures = step.load("few_shot", step.FewShot), step.load_pictures()
    base = Path("data/fold_masks/0/base")
    train, _ = step.read_base(base, pictures.split("train"))
    keys = [step.training_key(params, train, base)]
    shutil.copy(base / f"{train[0].id}.png", base / f"{train[1].id}.png")
    keys.append(step.training_key(params, train, base))
    (base / "index.csv").write_text((base / "index.csv").read_text() + "x,1\n")
    keys.append(step.training_key(params, train, base))
    with train[0].path.open("ab") as file:
        file.write(b"\0")
    keys.append(step.training_key(params, train, base))
    assert len(set(keys)) == 4
    assert step.training_key(params.model_copy(update={"folds": [0, 1]}), train, base) == keys[-1]
