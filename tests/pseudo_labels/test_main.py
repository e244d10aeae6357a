"""The step as a whole: every method, and what a change computes again."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from stages.affinity.offsets import forward_offsets
from stages.common.artifacts import npz_bytes, read_mask, read_picture, write_atomic, write_json
from stages.common.params import load
from stages.dataset.runs import lengths
from stages.pseudo_labels import __main__ as stage
from stages.pseudo_labels import region_file
from stages.pseudo_labels.params import PseudoLabels

GRAPH = """
stages:
  pseudo_labels:
    params:
      - pseudo_labels.maps
      - pseudo_labels.method
      - "pseudo_labels.${pseudo_labels.method}"
      - pseudo_labels.dense_crf
      - pseudo_labels.merge
      - "pseudo_labels.${pseudo_labels.merge}"
      - pseudo_labels.regions
"""
PARAMS = """
pseudo_labels:
  maps: seeds
  method: random_walk
  random_walk: {beta: 8, steps: 16, background: constant, alpha: 8, threshold: 0.25, crf: true}
  crf: {threshold: 0.25, gt_prob: 0.7}
  threshold: {threshold: 0.25}
  dense_crf: {iterations: 2, smooth_sxy: 3, smooth_compat: 3, color_sxy: 50, color_srgb: 5, color_compat: 10}
  merge: none
  none: {}
  felzenszwalb: {scale: 100, sigma: 0.5, min_size: 5, share: 0.5, covers: null, rest: vote}
  slic: {segments: 20, compactness: 10, sigma: 0, share: 0.5, covers: null, rest: vote}
  masks: {share: 0.5, covers: 0.85, rest: clear}
  regions: nothing
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


MASKS = ("merge: none", "merge: masks"), ("regions: nothing", "regions: raw/sam")


def write_regions(name, rows):
    """One region: the upper rows of the picture."""
    inside = np.zeros(SIZES[name], bool)
    inside[:rows] = True
    content = region_file.write(SIZES[name], [lengths(inside.T.ravel())])
    write_atomic(Path(f"data/raw/sam/{name}.json"), content)


def masks_made() -> dict[str, np.ndarray]:
    return {path.stem: read_mask(path) for path in Path("data/pseudo_labels").iterdir()}


@pytest.mark.parametrize("merge", ["felzenszwalb", "slic"])
def test_the_labels_follow_the_regions_of_the_picture(project, merge):
    """Of the labels as the method leaves them, CRF included."""
    stage.main()
    before = masks_made()
    configure(("merge: none", f"merge: {merge}"))
    assert "0 reused, 2 computed" in stage.main()
    params = load("pseudo_labels", PseudoLabels)
    for name, labels in masks_made().items():
        maker = importlib.import_module(f"stages.pseudo_labels.merges.{merge}")
        picture = read_picture(Path(f"data/dataset/images/{name}.png"))
        wanted = maker.merged(before[name], getattr(params, merge), picture, None)
        assert np.array_equal(labels, wanted), name
    configure()
    stage.main()
    assert all(np.array_equal(mask, before[name]) for name, mask in masks_made().items())


def test_the_labels_follow_given_regions(project):
    threshold = ("method: random_walk", "method: threshold")
    configure(threshold)
    stage.main()
    before = masks_made()["a"]
    write_regions("a", 9)
    write_regions("b", 0)
    configure(threshold, *MASKS)
    stage.main()
    share = (before[:9] == 2).mean()
    assert 0.5 < share < 1  # so the region takes the class whole
    after = masks_made()["a"]
    assert (after[:9] == 2).all() and np.array_equal(after[9:], before[9:])


def test_a_merge_computes_again_for_what_it_reads(project):
    """After a new picture, a new file of regions, and a key of another kind of regions."""
    threshold = ("method: random_walk", "method: threshold")
    keys = (("covers: 0.85", "covers: 0.9"), ("min_size: 5", "min_size: 6"))
    for merge, wanted in {
        (("merge: none", "merge: none"),): (0, 0, 0, 0),
        (("merge: none", "merge: felzenszwalb"),): (1, 0, 0, 2),
        MASKS: (0, 1, 2, 0),
    }.items():
        write_picture("a", seed=0)
        write_regions("a", 9)
        write_regions("b", 1)
        configure(threshold, *merge)
        stage.main()
        write_picture("a", seed=5)
        found = [computed(stage.main())]
        write_regions("a", 8)
        found.append(computed(stage.main()))
        for key in keys:
            configure(threshold, *merge, key)
            found.append(computed(stage.main()))
        assert tuple(found) == wanted, merge


def test_pictures_without_regions_are_named_before_the_work(project):
    configure(*MASKS)
    write_regions("b", 1)
    says = r"^data/raw/sam: 1 of 2 pictures of train have no regions \(a\.json\): `wsss import regions`"
    with pytest.raises(ValueError, match=says):
        stage.main()
    write_atomic(Path("data/raw/sam/a.json"), region_file.write((20, 12), []))
    says = r"^data/raw/sam/a\.json: its regions are of 12x20 pixels, the picture has 20x12$"
    with pytest.raises(ValueError, match=says):
        stage.main()
    assert not Path("data/pseudo_labels").exists()


def test_missing_affinity_is_named(project):
    Path("data/affinity/maps/b.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.npz"):
        stage.main()
    assert not Path("data/pseudo_labels").exists()
