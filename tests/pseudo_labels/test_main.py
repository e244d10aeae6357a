"""The step as a whole: every method, and what a change computes again."""

from pathlib import Path

import numpy as np
import pytest

from stages.affinity.offsets import forward_offsets
from stages.common.artifacts import npz_bytes, read_mask, write_atomic, write_json
from stages.pseudo_labels import __main__ as stage

GRAPH = """
stages:
  pseudo_labels:
    params: [pseudo_labels.method, "pseudo_labels.${pseudo_labels.method}", pseudo_labels.dense_crf]
"""
PARAMS = """
pseudo_labels:
  method: random_walk
  random_walk: {beta: 8, steps: 16, background: constant, alpha: 8, threshold: 0.25, crf: true}
  crf: {threshold: 0.25, gt_prob: 0.7}
  threshold: {threshold: 0.25}
  dense_crf: {iterations: 2, smooth_sxy: 3, smooth_compat: 3, color_sxy: 50, color_srgb: 5, color_compat: 10}
"""
SIZES = {"a": (12, 20), "b": (1, 17)}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two training pictures and one of the other split, which has neither seeds nor affinities."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "1")
    Path("dvc.yaml").write_text(GRAPH)
    configure()
    rows = "id,file,split,width,height,labels\na,a.png,train,20,12,dog\nb,b.png,train,17,1,cat;dog\n"
    write_atomic(Path("data/dataset/index.csv"), rows + "c,c.png,val,9,9,cat\n")
    write_json(Path("data/dataset/classes.json"), ["background", "cat", "dog"])
    Path("data/dataset/images").mkdir()
    for name, classes in (("a", [2]), ("b", [1, 2])):
        write_picture(name, seed=0)
        write_seeds(name, classes)
        write_affinity(name, seed=0)
    return tmp_path


def configure(*changes: tuple[str, str]) -> None:
    text = PARAMS
    for old, new in changes:
        text = text.replace(old, new, 1)
    Path("params.yaml").write_text(text)


def write_picture(name, seed):
    import cv2

    pixels = np.random.default_rng(seed).integers(0, 256, (*SIZES[name], 3), np.uint8)
    cv2.imwrite(f"data/dataset/images/{name}.png", pixels)


def write_seeds(name, classes):
    height, width = SIZES[name]
    shape = (len(classes), -(-height // 8), -(-width // 8))
    maps = np.random.default_rng(1).uniform(-0.2, 1, shape).astype(np.float16)
    seeds = npz_bytes(maps=maps, classes=np.int16(classes), size=np.int32([height, width]))
    write_atomic(Path(f"data/seeds/{name}.npz"), seeds)


def write_affinity(name, seed):
    height, width = SIZES[name]
    offsets = forward_offsets(3)
    shape = (len(offsets), -(-height // 4), -(-width // 4))
    values = np.random.default_rng(seed).uniform(0.5, 1, shape).astype(np.float16)
    arrays = npz_bytes(affinities=values, offsets=offsets.astype(np.int8), size=np.int32([height, width]))
    write_atomic(Path(f"data/affinity/maps/{name}.npz"), arrays)


@pytest.mark.parametrize("method", ["random_walk", "crf", "threshold"])
def test_every_method_writes_masks_of_training_pictures(project, method):
    configure(("method: random_walk", f"method: {method}"))
    assert "2 pictures, 0 reused, 2 computed" in stage.main()
    masks = {path.name: read_mask(path) for path in Path("data/pseudo_labels").iterdir()}
    assert {name: mask.shape for name, mask in masks.items()} == {"a.png": (12, 20), "b.png": (1, 17)}
    assert 2 in masks["a.png"] and set(np.unique(masks["a.png"])) <= {0, 2}
    assert "2 reused, 0 computed" in stage.main()


def test_a_step_parameter_computes_again(project):
    stage.main()
    configure(("beta: 8", "beta: 4"))
    assert "0 reused, 2 computed" in stage.main()


def test_each_method_depends_on_what_it_reads(project):
    """Which pictures are computed again after a new picture, affinity and CRF, by method."""
    crf = ("iterations: 2", "iterations: 3")
    for method, expected in {
        ("method: random_walk", "method: random_walk"): (1, 1, 2),
        ("crf: true", "crf: false"): (0, 1, 0),
        ("method: random_walk", "method: crf"): (1, 0, 2),
        ("method: random_walk", "method: threshold"): (0, 0, 0),
    }.items():
        write_picture("a", seed=0)
        write_affinity("a", seed=0)
        configure(method)
        stage.main()
        found = []
        for change in (write_picture, write_affinity):
            change("a", seed=5)
            found.append(computed(stage.main()))
        configure(method, crf)
        assert (*found, computed(stage.main())) == expected, method


def computed(line: str) -> int:
    return int(line.split(" computed")[0].split()[-1])


def test_missing_affinity_is_named(project):
    Path("data/affinity/maps/b.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.npz"):
        stage.main()
    assert not Path("data/pseudo_labels").exists()
