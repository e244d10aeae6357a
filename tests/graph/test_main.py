"""The step as a whole: what it writes, what makes a mask anew, processes, and kills."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stages.common.annotations import Box
from stages.common.artifacts import mask_bytes, read_mask, read_npz, write_atomic
from stages.common.params import read_yaml
from stages.common.pictures import load_pictures, loaded
from stages.evaluation.rungs import rung, split_of
from stages.graph import __main__ as step
from tests.graph.tiny import ROOT, TRAIN, change, network, params, project
from tests.one_step.tiny import SIDE

NODES = Path("data/affinity_labels/nodes")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "1")
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    return tmp_path


def written() -> dict[str, bytes]:
    return {file.stem: file.read_bytes() for file in sorted(Path("data/graph").iterdir())}


def clear() -> None:
    for name in ("data/graph", ".scratch"):
        shutil.rmtree(name)


def test_a_mask_for_every_picture_of_train() -> None:
    project()
    assert "4 pictures, 0 reused, 4 computed" in step.main()
    assert tuple(written()) == TRAIN
    labels = read_mask(Path("data/graph/c.png"))
    assert labels.shape == (SIDE - 7, SIDE) and set(np.unique(labels)) <= {0, 1, 2}
    assert not read_mask(Path("data/graph/d.png")).any()  # it shows no class
    assert split_of("graph", rung("graph"), load_pictures()) == "train"


@pytest.mark.parametrize("pool", [1, 2])
def test_equal_inputs_give_equal_bytes_in_any_number_of_processes(
    monkeypatch: pytest.MonkeyPatch, pool: int
) -> None:
    project(boxes=True, multi_point=1.0, consistent_above=0.98, pool=pool)
    step.main()
    before = written()
    assert "4 reused, 0 computed" in step.main() and written() == before
    clear()
    torch.rand(3)  # nothing is drawn but from the picture's own seed
    monkeypatch.setenv("WSSS_WORKERS", "2")
    step.main()
    assert written() == before


class KilledError(Exception):
    """As a kill, as far as the step is concerned."""


def test_a_killed_run_goes_on_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    project()
    step.main()
    whole = written()
    clear()
    mask, calls = step.PictureMasks.mask, []

    def killed(self, picture, pixels):
        calls.append(picture)
        if len(calls) == 3:
            raise KilledError
        return mask(self, picture, pixels)

    monkeypatch.setattr(step.PictureMasks, "mask", killed)
    with pytest.raises(KilledError):
        step.main()
    assert not Path("data/graph").exists()
    assert "2 reused, 2 computed" in step.main() and written() == whole


def test_new_pictures_cost_what_they_cost_and_change_no_other() -> None:
    """The seed is of the picture, not of its place in the list."""
    project()
    step.main()
    whole = written()
    clear()
    index = Path("data/dataset/index.csv")
    lines = index.read_text().splitlines(keepends=True)
    index.write_text("".join(line for line in lines if not line.startswith("a,")))
    step.main()
    index.write_text("".join(lines))
    assert "4 pictures, 3 reused, 1 computed" in step.main() and written() == whole


def computed() -> int:
    return int(step.main().split(" computed")[0].split(", ")[-1])


def test_what_makes_a_mask_anew() -> None:
    """All that is read, and nothing else: a key per picture."""
    project()
    assert computed() == 4
    write_atomic(NODES / "a.png", mask_bytes(np.zeros((SIDE - 7, SIDE), np.uint8)))
    assert computed() == 1
    for folder, name in (("seeds", "a"), ("affinity/maps", "c")):  # of the walk
        shutil.copy(f"data/{folder}/b.npz", f"data/{folder}/{name}.npz")
        assert computed() == 1
    change(walk__share=0)
    assert computed() == 4
    for folder, name in (("seeds", "c"), ("affinity/maps", "a")):
        shutil.copy(f"data/{folder}/b.npz", f"data/{folder}/{name}.npz")
    assert computed() == 0
    change(walk__share=0, seed=1)
    assert computed() == 4
    network(read_yaml(ROOT / "params.yaml")["affinity"], seed=1)
    assert computed() == 4


def test_boxes_are_read_where_a_loss_or_a_check_asks_for_them() -> None:
    alone: dict[str, Any] = {"walk__share": 0.0, "epochs": [15, 15], "crf__color_compat": 0.1}
    project(boxes=True, **alone)
    step.main()
    before, file = written(), Path("data/annotations/boxes.csv")
    file.write_text(file.read_text().replace("25,4,46,38", "25,5,46,38"))
    assert computed() == 0
    change(multi_point=1.0, **alone)
    assert computed() == 4
    assert written()["c"] != before["c"] and written()["b"] == before["b"]  # b has none
    file.write_text(file.read_text().replace("25,5,46,38", "25,6,46,38"))
    assert computed() == 1
    change(consistent_above=0.5, **alone)
    assert computed() == 4


def test_a_node_label_that_the_picture_does_not_show_is_told() -> None:
    project()
    wrong = np.full((SIDE - 7, SIDE), 255, np.uint8)
    wrong[0] = 2
    write_atomic(NODES / "a.png", mask_bytes(wrong))
    with pytest.raises(ValueError, match=r"nodes/a\.png: class 2 is not among the picture's labels"):
        step.main()


def test_what_is_known_of_a_picture() -> None:
    """Positions among its classes, boxes with theirs, and the mean colours of cut nodes, by loops."""
    project(boxes=True, multi_point=1.0)
    boxes = {"b": [Box(0, 2, 1, 1, 4, 3)]}
    compute = step.PictureMasks(params(multi_point=1.0), boxes, "cpu", "here")
    picture, pixels = loaded(load_pictures().split("train")[1])
    assert picture.labels == (2,)
    graph = compute._graph(pixels, read_npz(Path("data/affinity/maps/b.npz")))
    assert graph.grid == (6, 6) and graph.cell == 8
    known = compute._known(picture, pixels, graph)
    raw = read_mask(NODES / "b.png")
    assert known.classes == 2 and known.boxes == [(boxes["b"][0], 1)]
    np.testing.assert_array_equal(known.labels.numpy(), np.where(raw == 2, 1, raw))
    assert 2 in raw and 255 in raw
    for y in range(6):
        for x in range(6):
            part = pixels[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].reshape(-1, 3)
            np.testing.assert_allclose(known.colours[:, y, x].numpy(), part.mean(0), rtol=1e-5)
    assert replace(compute, params=params())._known(picture, pixels, graph).boxes == []
