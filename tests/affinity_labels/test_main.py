"""The step as a whole: what it writes, what it computes again, and workers that start by spawn."""

import os
import shutil
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.affinity_labels import __main__ as stage
from stages.affinity_labels import confident, irn, saliency
from stages.affinity_labels.drawn import Drawn
from stages.affinity_labels.grab_cut import object_of
from stages.affinity_labels.params import Confident, GrabCut, Irn, Saliency
from stages.common.annotations import Box
from stages.common.artifacts import mask_bytes, npz_bytes, read_mask, read_picture, write_atomic, write_json
from stages.common.crf_params import Crf
from stages.common.labels import upsample
from stages.common.params import read_yaml
from tests.affinity_labels.test_grab_cut import BOX, patchwork

ROOT = Path(__file__).resolve().parents[2]
GRAPH = """
stages:
  affinity_labels:
    params:
      - affinity_labels.of
      - affinity_labels.hints
      - affinity_labels.method
      - "affinity_labels.${affinity_labels.method}"
      - affinity_labels.crf
"""
PARAMS = """
affinity_labels:
  of: [seeds]
  hints: nothing
  method: irn
  irn: {threshold_foreground: 0.35, threshold_plain: 0.25, threshold_background: 0.1, gt_prob: 0.7}
  saliency: {threshold_saliency: 0.1, threshold_seeds: 0.4, gt_prob: 0.7}
  psa: {alpha_foreground: 4, alpha_plain: 8, alpha_background: 32}
  confident:
    share: 0.4
    floor: 0.01
    alpha_foreground: 4
    alpha_plain: 8
    alpha_background: 24
    probability: 0.8
    grabcut: {iterations: 3, min_share: 0.15}
    superpixels: {segments: 30, compactness: 10, sigma: 0}
  crf: {iterations: 2, smooth_sxy: 3, smooth_compat: 3, color_sxy: 50, color_srgb: 5, color_compat: 10}
"""
CRF = Crf(iterations=2, smooth_sxy=3.0, smooth_compat=3.0, color_sxy=50.0, color_srgb=5.0, color_compat=10.0)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two training pictures and one of the other split, which has no seeds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "1")
    rng = np.random.default_rng(0)
    Path("dvc.yaml").write_text(GRAPH)
    Path("params.yaml").write_text(PARAMS)
    rows = "id,file,split,width,height,labels\na,a.png,train,20,12,dog\nb,b.png,train,17,1,cat;dog\n"
    write_atomic(Path("data/dataset/index.csv"), rows + "c,c.png,val,9,9,cat\n")
    write_json(Path("data/dataset/classes.json"), ["background", "cat", "dog"])
    Path("data/dataset/images").mkdir()
    for name, (height, width), classes in (("a", (12, 20), [2]), ("b", (1, 17), [1, 2])):
        cv2.imwrite(f"data/dataset/images/{name}.png", rng.integers(0, 256, (height, width, 3), np.uint8))
        maps = rng.uniform(-0.2, 1, (len(classes), -(-height // 8), -(-width // 8))).astype(np.float16)
        seeds = npz_bytes(maps=maps, classes=np.int16(classes), size=np.int32([height, width]))
        write_atomic(Path(f"data/seeds/{name}.npz"), seeds)
    return tmp_path


def results() -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(Path("data/affinity_labels").rglob("*.png"))}


def test_writes_both_labels_of_training_pictures(project):
    assert "2 pictures, 0 reused, 2 computed" in stage.main()
    assert sorted(Path(name).relative_to("data/affinity_labels").as_posix() for name in results()) == [
        "affinity/a.png", "affinity/b.png", "crf/a.png", "crf/b.png",
    ]  # fmt: skip
    with np.load("data/seeds/a.npz") as seeds:
        maps = np.maximum(upsample(seeds["maps"], (12, 20)), 0)
    options = Irn(threshold_foreground=0.35, threshold_plain=0.25, threshold_background=0.1, gt_prob=0.7)
    picture = read_picture(Path("data/dataset/images/a.png"))
    affinity, plain = irn.labels(maps, np.array([2]), picture, options, CRF)
    np.testing.assert_array_equal(read_mask(Path("data/affinity_labels/affinity/a.png")), affinity)
    np.testing.assert_array_equal(read_mask(Path("data/affinity_labels/crf/a.png")), plain)
    assert read_mask(Path("data/affinity_labels/crf/b.png")).shape == (1, 17)


def test_computes_again_only_what_changed(project):
    stage.main()
    before = results()
    assert "2 reused, 0 computed" in stage.main()
    assert results() == before
    seeds = npz_bytes(maps=np.ones((1, 2, 3), np.float16), classes=np.int16([2]), size=np.int32([12, 20]))
    write_atomic(Path("data/seeds/a.npz"), seeds)
    assert "1 reused, 1 computed" in stage.main()
    Path("params.yaml").write_text(PARAMS.replace("gt_prob: 0.7", "gt_prob: 0.8"))
    assert "0 reused, 2 computed" in stage.main()
    Path("params.yaml").write_text(PARAMS.replace("method: irn", "method: psa"))
    assert "0 reused, 2 computed" in stage.main()


def test_only_the_chosen_method_is_imported(project):
    command = "import sys; from stages.affinity_labels import __main__ as s; s.main(); print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    modules = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "stages.affinity_labels.params" in modules
    assert "stages.affinity_labels.psa" not in modules
    assert "torch" not in modules.split()


def test_workers_by_spawn_and_by_fork_write_the_same(project):
    for method in ("spawn", "fork"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "WSSS_START_METHOD": method}
        done = subprocess.run(
            [sys.executable, "-m", "stages.affinity_labels"], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        if method == "spawn":
            spawned = results()
            (project / ".scratch").rename(project / "away")
    assert results() == spawned
    assert len(spawned) == 4


def test_missing_seeds_are_named(project):
    Path("data/seeds/b.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.npz"):
        stage.main()
    assert not Path("data/affinity_labels").exists()


def test_hints_are_read_where_they_are_asked_for(project):
    text = PARAMS.replace("hints: nothing", "hints: saliency").replace("method: irn", "method: saliency")
    Path("params.yaml").write_text(text)
    for name, size in (("a", (12, 20)), ("b", (1, 17))):
        hint = npz_bytes(maps=np.ones((1, 2, 3), np.float16), classes=np.int16([1]), size=np.int32(size))
        write_atomic(Path(f"data/saliency/{name}.npz"), hint)
    stage.main()
    with np.load("data/seeds/a.npz") as seeds:
        maps = np.maximum(upsample(seeds["maps"], (12, 20)), 0)
    options = Saliency(threshold_saliency=0.1, threshold_seeds=0.4, gt_prob=0.7)
    picture = read_picture(Path("data/dataset/images/a.png"))
    affinity, plain = saliency.labels(maps, np.array([2]), picture, options, CRF, np.ones((12, 20)))
    np.testing.assert_array_equal(read_mask(Path("data/affinity_labels/affinity/a.png")), affinity)
    np.testing.assert_array_equal(read_mask(Path("data/affinity_labels/crf/a.png")), plain)
    hint = npz_bytes(maps=np.zeros((1, 2, 3), np.float16), classes=np.int16([1]), size=np.int32([12, 20]))
    write_atomic(Path("data/saliency/a.npz"), hint)
    assert "1 reused, 1 computed" in stage.main()
    assert not read_mask(Path("data/affinity_labels/affinity/a.png")).any()


BOXES = [("a", 1, "dog", 3, 2, 15, 10), ("b", 1, "cat", 0, 0, 9, 1), ("b", 2, "dog", 5, 0, 17, 1)]
MARKS = {"a": (12, 20), "b": (1, 17)}


def annotate(kind: str, boxes: list[tuple] = BOXES) -> None:
    """What the step `dataset` leaves of that kind."""
    shutil.rmtree("data/annotations", ignore_errors=True)
    write_json(Path("data/annotations/about.json"), {"kind": kind})
    if kind == "boxes":
        rows = "".join(",".join(map(str, row)) + "\n" for row in boxes)
        write_atomic(Path("data/annotations/boxes.csv"), "id,object,class,left,top,right,bottom\n" + rows)
    if kind == "points":
        write_atomic(Path("data/annotations/points.csv"), "id,object,class,x,y\na,1,dog,7,0\n")
    if kind in ("points", "scribbles"):
        for name, size in MARKS.items():
            mark(name, size, 7)


def mark(name: str, size: tuple[int, int], at: int) -> None:
    marks = np.full(size, 255, np.uint8)
    marks[0, at] = 2
    write_atomic(Path(f"data/annotations/{name}.png"), mask_bytes(marks))


def use_confident(hints: str = "annotations") -> None:
    text = PARAMS.replace("method: irn", "method: confident")
    Path("params.yaml").write_text(text.replace("hints: nothing", f"hints: {hints}"))


@pytest.mark.parametrize("kind", ["none", "boxes", "scribbles", "points"])
def test_what_people_drew_reaches_the_method(project, kind):
    use_confident()
    annotate(kind)
    stage.main()
    assert len(results()) == 6
    options = Confident.model_validate(read_yaml(Path("params.yaml"))["affinity_labels"]["confident"])
    numbers = {"cat": 1, "dog": 2}
    for name, (height, width) in MARKS.items():
        with np.load(f"data/seeds/{name}.npz") as seeds:
            maps, classes = np.maximum(upsample(seeds["maps"], (height, width)), 0), seeds["classes"]
        marks = None
        if kind in ("scribbles", "points"):
            marks = np.full((height, width), 255, np.uint8)
            marks[0, 7] = 2
        boxes = [Box(n, numbers[c], *at) for i, n, c, *at in BOXES if i == name] if kind == "boxes" else []
        picture = read_picture(Path(f"data/dataset/images/{name}.png"))
        wanted = confident.labels(maps, classes, picture, options, CRF, Drawn(kind, boxes, marks))
        for folder, labels in zip(("affinity", "crf", "nodes"), wanted, strict=True):
            found = read_mask(Path(f"data/affinity_labels/{folder}/{name}.png"))
            np.testing.assert_array_equal(found, labels)


def test_a_picture_whose_boxes_did_not_change_is_reused(project):
    use_confident()
    annotate("boxes")
    assert "0 reused, 2 computed" in stage.main()
    before = results()
    annotate("boxes", [BOXES[0], BOXES[1]])
    assert "1 reused, 1 computed" in stage.main()
    annotate("boxes", [("a", 1, "cat", *BOXES[0][3:]), *BOXES[1:]])
    assert "1 reused, 1 computed" in stage.main()
    annotate("boxes")
    assert "2 reused, 0 computed" in stage.main()
    assert results() == before
    annotate("none")
    assert "0 reused, 2 computed" in stage.main()


def test_a_picture_whose_strokes_did_not_change_is_reused(project):
    use_confident()
    annotate("scribbles")
    stage.main()
    mark("b", MARKS["b"], 8)
    assert "1 reused, 1 computed" in stage.main()
    annotate("points")
    assert "0 reused, 2 computed" in stage.main()


def test_a_method_that_reads_no_annotations_needs_none(project):
    assert "2 computed" in stage.main() and not Path("data/annotations").exists()
    assert {Path(name).parent.name for name in results()} == {"affinity", "crf"}
    before = results()
    annotate("boxes")
    assert "2 reused" in stage.main() and results() == before
    shutil.rmtree("data/annotations")
    use_confident()
    with pytest.raises(ValueError, match=r"data/annotations is missing or not whole: `wsss run dataset`"):
        stage.main()


def test_what_people_drew_is_read_where_it_is_asked_for(project):
    use_confident()
    annotate("none")
    stage.main()
    found = results()
    use_confident(hints="nothing")
    annotate("boxes")
    assert "2 computed" in stage.main()  # another key, the same labels
    assert results() == found


def test_any_number_of_processes_gives_the_same_objects(project, monkeypatch):
    """GrabCut draws random numbers: in one process after another picture's, in two after none."""
    use_confident()
    rows = "".join(f"{name},{name}.png,train,60,40,dog\n" for name in "ab")
    write_atomic(Path("data/dataset/index.csv"), "id,file,split,width,height,labels\n" + rows)
    for name, seed in (("a", 5), ("b", 1)):
        cv2.imwrite(f"data/dataset/images/{name}.png", patchwork(seed)[..., ::-1])
        seeds = npz_bytes(
            maps=np.zeros((1, 5, 8), np.float16), classes=np.int16([2]), size=np.int32([40, 60])
        )
        write_atomic(Path(f"data/seeds/{name}.npz"), seeds)
    annotate("boxes", [(name, 1, "dog", *astuple(BOX)[2:]) for name in "ab"])
    found = []
    for workers in ("1", "2"):
        monkeypatch.setenv("WSSS_WORKERS", workers)
        assert "0 reused, 2 computed" in stage.main()
        found.append(results())
        (project / ".scratch").rename(project / f"away{workers}")
    assert found[0] == found[1] and len(found[0]) == 6
    for name, seed in (("a", 5), ("b", 1)):
        labels = read_mask(Path(f"data/affinity_labels/nodes/{name}.png"))
        cut = object_of(BOX, patchwork(seed), GrabCut(iterations=3, min_share=0.15))
        np.testing.assert_array_equal(labels == 2, cut)  # the seeds have nothing there
