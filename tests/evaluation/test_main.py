"""The step on a project of four tiny pictures, and the errors that it must not swallow."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.common import pool
from stages.common.artifacts import csv_text, mask_bytes, npz_bytes, read_mask, write_atomic, write_json
from stages.common.labels import threshold_labels, upsample
from stages.evaluation import __main__ as evaluation
from stages.evaluation import count, metrics

CLASSES = ["background", "cat", "dog"]
TRAIN, VAL = ["a", "b", "c"], ["d"]
SIZE = (12, 16)
DVC = "stages:\n  evaluation:\n    foreach: [seeds]\n    do: {params: [evaluation]}\n"
PARAMS = """evaluation:
  threshold: 0.333
  bins: 20
  boundary: {widths: [1, 3, 5], void: label}
  jaccard_threshold: 0.65
"""
FOLDERS = {"crf": "affinity_labels/crf"}  # of data/; those of the other rungs have their names
MAPS = {}  # id -> maps of the seeds
TRUTH = {}


def test_counts_are_read_without_pickles():
    content = io.BytesIO()
    np.savez(content, by_ring=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        count.read_counts(content.getvalue())


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Path("dvc.yaml").write_text(DVC)
    Path("params.yaml").write_text(PARAMS)
    write_json(Path("data/dataset/classes.json"), CLASSES)
    rows = [
        (i, f"{i}.jpg", "train" if i in TRAIN else "val", SIZE[1], SIZE[0], "cat;dog") for i in TRAIN + VAL
    ]
    write_atomic(
        Path("data/dataset/index.csv"),
        csv_text([("id", "file", "split", "width", "height", "labels"), *rows]),
    )
    write_atomic(Path("data/masks/index.csv"), csv_text([("id", "split"), *((r[0], r[2]) for r in rows)]))
    for identifier in TRAIN + VAL:
        _picture(identifier, rng)
        TRUTH[identifier] = rng.choice([0, 1, 2, 255], SIZE, p=[0.5, 0.3, 0.1, 0.1]).astype(np.uint8)
        write_atomic(Path(f"data/masks/{identifier}.png"), mask_bytes(TRUTH[identifier]))
        MAPS[identifier] = rng.random((2, 3, 4)).astype(np.float16)
        if identifier in TRAIN:
            _seeds(identifier)
        train = ("affinity_labels/crf", "pseudo_labels")
        for folder in train if identifier in TRAIN else ("predictions",):
            write_atomic(Path(f"data/{folder}/{identifier}.png"), mask_bytes(rng.integers(0, 3, SIZE)))
    return tmp_path


def _picture(identifier, rng):
    import cv2

    Path("data/dataset/images").mkdir(exist_ok=True, parents=True)
    cv2.imwrite(f"data/dataset/images/{identifier}.jpg", rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8))


def _seeds(identifier, classes=(1, 2), size=SIZE, maps=None):
    content = npz_bytes(
        maps=MAPS[identifier] if maps is None else maps,
        classes=np.array(classes, np.int16),
        size=np.array(size, np.int32),
    )
    write_atomic(Path(f"data/seeds/{identifier}.npz"), content)


def _run(monkeypatch, rung):
    monkeypatch.setattr(sys, "argv", ["evaluation", rung, FOLDERS.get(rung, rung)])
    return evaluation.main()


def _metrics(rung):
    return json.loads(Path(f"reports/rungs/{rung}/metrics.json").read_text())


def _rows(file):
    with Path(file).open(newline="") as lines:
        return list(csv.DictReader(lines))


def _brute_force(threshold):
    return sum(
        metrics.confusion(
            TRUTH[i], threshold_labels(upsample(MAPS[i], SIZE), np.array([1, 2]), threshold), len(CLASSES)
        )
        for i in TRAIN
    )


def test_seeds_report_the_fixed_and_the_best_threshold(project, monkeypatch):
    line = _run(monkeypatch, "seeds")
    values = _metrics("seeds")
    fixed = metrics.means(_brute_force(0.333))  # not a threshold of the curve
    assert values["miou"] == pytest.approx(100 * fixed["miou"], abs=0.00501)
    assert values["recall"] == pytest.approx(100 * fixed["recall"], abs=0.00501)
    curve = [float(metrics.means(_brute_force(i / 20))["miou"]) for i in range(20)]
    assert values["best_threshold"] == int(np.argmax(curve)) / 20
    assert values["miou_best_threshold"] == round(100 * max(curve), 2)
    assert [float(row["miou"]) for row in _rows("reports/rungs/seeds/curve.csv")] == [
        round(100 * m, 2) for m in curve
    ]
    assert (values["threshold"], values["images"], values["split"]) == (0.333, 3, "train")
    assert set(values["iou"]) == set(CLASSES)
    best = f"best {values['miou_best_threshold']:.2f} % at {values['best_threshold']:g}"
    assert line == f"seeds: mIoU {values['miou']:.2f} % at threshold 0.333 ({best}), 3 pictures"


@pytest.mark.parametrize("rung, images", [("crf", 3), ("pseudo_labels", 3), ("predictions", 1)])
def test_labels_have_no_threshold(project, monkeypatch, rung, images):
    line = _run(monkeypatch, rung)
    values = _metrics(rung)
    assert line == f"{rung}: mIoU {values['miou']:.2f} %, {images} picture" + "s"
    assert values["images"] == images
    assert not {"threshold", "best_threshold", "miou_best_threshold"} & set(values)
    assert [row["threshold"] for row in _rows(f"reports/rungs/{rung}/curve.csv")] == [""]


def test_tables_agree_with_the_metrics(project, monkeypatch):
    _run(monkeypatch, "crf")
    values, classes = _metrics("crf"), _rows("reports/rungs/crf/per_class.csv")
    assert {row["class"]: float(row["iou"]) for row in classes} == values["iou"]
    truth = np.stack([TRUTH[i] for i in TRAIN])
    assert [int(row["pixels"]) for row in classes] == [(truth == i).sum() for i in range(3)]
    cells = _rows("reports/rungs/crf/confusion.csv")
    assert (
        sum(int(value) for row in cells for name, value in row.items() if name != "truth")
        == (truth < 255).sum()
    )


def test_each_picture_has_its_own_means(project, monkeypatch):
    """Of `a`, all cat is found, and a third of the background is called cat too."""
    truth, result = np.zeros((2, 4, 4), np.uint8)
    truth[0], result[:2] = 1, 1  # 4 true cats, 8 called so: IoU 4/8; background 8 of 12
    write_atomic(Path("data/masks/a.png"), mask_bytes(truth))
    write_atomic(Path("data/pseudo_labels/a.png"), mask_bytes(result))
    write_atomic(Path("data/masks/b.png"), mask_bytes(np.full(SIZE, 255, np.uint8)))
    _run(monkeypatch, "pseudo_labels")
    rows = {row.pop("id"): row for row in _rows("reports/rungs/pseudo_labels/per_picture.csv")}
    assert list(rows) == TRAIN
    assert rows["a"] == {
        "miou": "58.33",
        "precision": "75.00",
        "recall": "83.33",
        "over": "25.00",
        "under": "16.67",
    }
    assert set(rows["b"].values()) == {""}  # void everywhere


def test_same_inputs_same_bytes(project, monkeypatch):
    contents = []
    for _ in range(2):
        _run(monkeypatch, "seeds")
        contents.append({file.name: file.read_bytes() for file in Path("reports/rungs/seeds").iterdir()})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {
        "metrics.json", "per_class.csv", "per_picture.csv", "confusion.csv", "curve.csv", "boundary.csv",
        "per_class_pictures.csv",
    }  # fmt: skip


@pytest.mark.parametrize(
    "rung, file",
    [("seeds", "data/masks/b.png"), ("seeds", "data/seeds/b.npz"), ("crf", "data/affinity_labels/crf/b.png")],
)
def test_a_missing_mask_or_result_is_an_error(project, monkeypatch, rung, file):
    Path(file).unlink()
    with pytest.raises(ValueError, match=f"1 of 3 .* missing: {file}"):
        _run(monkeypatch, rung)
    assert not Path("reports").exists()


def test_the_error_names_five_files_and_the_number():
    with pytest.raises(ValueError, match=r"7 of 7 masks are missing: 0.png, .*4.png and 2 more$"):
        evaluation._require([Path(f"{i}.png") for i in range(7)], "masks")


def test_a_mask_of_a_picture_that_is_not_in_the_split(project, monkeypatch):
    write_atomic(Path("data/masks/index.csv"), "id,split\na,train\nd,train\n")
    with pytest.raises(ValueError, match=r"promises 1 pictures .* does not have: d"):
        _run(monkeypatch, "seeds")


def test_a_result_of_another_size_or_class_is_an_error(project, monkeypatch):
    write_atomic(Path("data/pseudo_labels/a.png"), mask_bytes(np.zeros((5, 6), np.uint8)))
    write_atomic(Path("data/pseudo_labels/c.png"), mask_bytes(np.full(SIZE, 9, np.uint8)))
    with pytest.raises(ValueError) as error:
        _run(monkeypatch, "pseudo_labels")
    message = str(error.value)
    assert "2 of 3 pictures cannot be scored" in message
    assert "data/pseudo_labels/a.png against data/masks/a.png: the truth is 16x12, the result 6x5" in message
    assert "the result holds 9: no class (0..2) and not 255" in message
    assert not Path("reports").exists()


def test_maps_that_do_not_fit_are_an_error(project, monkeypatch):
    _seeds("a", size=(9, 9))
    _seeds("b", classes=(1, 3))
    _seeds("c", maps=np.full((2, 3, 4), np.nan, np.float16))
    with pytest.raises(ValueError) as error:
        _run(monkeypatch, "seeds")
    for words in ("the maps are of 9x9", "classes are 1..2", "NaN"):
        assert words in str(error.value)


@pytest.fixture
def counted(monkeypatch):
    """The results that are counted, in order."""
    seen, real = [], count.Count.counts
    monkeypatch.setattr(
        count.Count, "counts", lambda self, task: seen.append(task.result.name) or real(self, task)
    )
    return seen


@pytest.mark.parametrize(("rung", "suffix"), [("seeds", "npz"), ("crf", "png")])
def test_a_picture_is_counted_once_until_it_changes(project, monkeypatch, counted, rung, suffix):
    """Counts of before give the same files; a new mask, result or threshold counts again what it touches."""
    _run(monkeypatch, rung)
    assert counted == [f"{i}.{suffix}" for i in TRAIN]
    before = _files(rung)
    shutil.rmtree("reports")
    _run(monkeypatch, rung)
    assert len(counted) == 3 and _files(rung) == before
    write_atomic(Path("data/masks/b.png"), mask_bytes(np.zeros(SIZE, np.uint8)))
    _run(monkeypatch, rung)
    assert counted[3:] == [f"b.{suffix}"] and _files(rung) != before
    Path("params.yaml").write_text(PARAMS.replace("0.333", "0.5"))
    _run(monkeypatch, rung)
    assert len(counted) == (7 if rung == "seeds" else 4)  # labels have no threshold


def test_a_picture_that_is_mended_can_be_scored(project, monkeypatch):
    good = Path("data/masks/b.png").read_bytes()
    write_atomic(Path("data/masks/b.png"), good[:60])
    for _ in range(2):
        with pytest.raises(ValueError, match=r"1 of 3 pictures.*\n.*data/masks/b.png"):
            _run(monkeypatch, "crf")
    write_atomic(Path("data/masks/b.png"), good)
    assert "3 pictures" in _run(monkeypatch, "crf")


@pytest.mark.parametrize("rung", ["seeds", "crf"])
def test_in_processes_as_here(project, monkeypatch, rung):
    line, before = _run(monkeypatch, rung), _files(rung)
    monkeypatch.setenv("WSSS_WORKERS", "2")
    monkeypatch.setattr(evaluation, "GROUP", 1)
    monkeypatch.setattr("stages.common.items.SCRATCH", Path(".other"))
    pools, real = [], pool.in_processes
    monkeypatch.setattr(pool, "in_processes", lambda *all: pools.append(all) or real(*all))
    assert _run(monkeypatch, rung) == line and _files(rung) == before and pools


def _files(rung):
    return {path.name: path.read_bytes() for path in Path(f"reports/rungs/{rung}").iterdir()}


def test_a_damaged_file_is_named(project, monkeypatch):
    file = Path("data/masks/b.png")
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"1 of 3 pictures.*\n.*data/masks/b.png"):
        _run(monkeypatch, "crf")


def test_masks_that_are_void_everywhere(project, monkeypatch):
    write_atomic(Path("data/masks/d.png"), mask_bytes(np.full(SIZE, 255, np.uint8)))
    with pytest.raises(ValueError, match="void"):
        _run(monkeypatch, "predictions")


@pytest.mark.parametrize("rung", ["seeds", "crf", "pseudo_labels", "predictions"])
def test_a_set_without_masks_says_no_truth(project, monkeypatch, rung):
    write_atomic(Path("data/masks/index.csv"), "id,split\n")
    assert "no truth" in _run(monkeypatch, rung)
    assert _metrics(rung) == {"images": 0, "split": "val" if rung == "predictions" else "train"}
    for name in ("per_class.csv", "confusion.csv", "curve.csv", "boundary.csv", "per_class_pictures.csv"):
        assert _rows(f"reports/rungs/{rung}/{name}") == []


@pytest.mark.parametrize("arguments", [[], ["seeds"], ["seeds", "crf", "more"]])
def test_the_rung_and_its_folder_must_be_named(monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", ["evaluation", *arguments])
    with pytest.raises(ValueError, match=r"python -m stages\.evaluation seeds seeds"):
        evaluation.main()


def test_a_rung_is_of_the_split_that_it_has_results_of(project, monkeypatch):
    """Of any name: what is scored is a folder, as a recipe's params.yaml names it."""
    monkeypatch.setattr(sys, "argv", ["evaluation", "mine", "predictions"])
    assert evaluation.main().startswith("mine: mIoU")
    assert _metrics("mine")["split"] == "val"
    shutil.copy("data/pseudo_labels/a.png", "data/predictions/a.png")
    with pytest.raises(ValueError, match="results of train and val: a rung is of one"):
        evaluation.main()
    shutil.rmtree("data/predictions")
    with pytest.raises(ValueError, match="data/predictions holds no result of a picture"):
        evaluation.main()


def test_a_rung_of_objects_is_scored_as_object_and_ground(project, monkeypatch):
    """Classes are one in the truth, 255 stays unknown: counted by hand, at three thresholds."""
    for identifier in TRAIN:
        own = npz_bytes(maps=MAPS[identifier][:1], classes=np.int16([1]), size=np.int32(SIZE))
        write_atomic(Path(f"data/saliency/{identifier}.npz"), own)
    write_json(Path("data/saliency/classes.json"), ["background", "foreground"])
    monkeypatch.setattr(sys, "argv", ["evaluation", "saliency", "saliency"])
    assert "of object and ground at threshold 0.333" in evaluation.main()
    found = json.loads(Path("reports/rungs/saliency/metrics.json").read_text())

    def iou(threshold: float, foreground: bool) -> float:
        both = either = 0
        for identifier in TRAIN:
            marked = (upsample(MAPS[identifier][:1], SIZE)[0] > threshold) == foreground
            true = (TRUTH[identifier] > 0) == foreground
            known = TRUTH[identifier] != 255
            both += (marked & true & known).sum()
            either += ((marked | true) & known).sum()
        return 100 * both / either

    ious = {"background": iou(0.333, False), "foreground": iou(0.333, True)}
    assert found["iou"] == {name: pytest.approx(value, abs=0.006) for name, value in ious.items()}
    assert found["miou"] == pytest.approx(sum(ious.values()) / 2, abs=0.006)
    assert found["classes"] == "merged" and found["split"] == "train" and found["images"] == 3
    with Path("reports/rungs/saliency/curve.csv").open() as lines:
        curve = {float(row["threshold"]): float(row["miou"]) for row in csv.DictReader(lines)}
    for threshold in (0.2, 0.65):
        wanted = (iou(threshold, False) + iou(threshold, True)) / 2
        assert curve[threshold] == pytest.approx(wanted, abs=0.006)
    header = Path("reports/rungs/saliency/confusion.csv").read_text().splitlines()[0]
    assert header == "truth,background,foreground,unknown"


def test_other_rungs_say_nothing_of_merged_classes(project, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["evaluation", "seeds", "seeds"])
    evaluation.main()
    assert "classes" not in json.loads(Path("reports/rungs/seeds/metrics.json").read_text())


def _bands(rung):
    return {(row["width"], row["region"]): row for row in _rows(f"reports/rungs/{rung}/boundary.csv")}


def test_maps_have_bands_at_the_fixed_threshold(project, monkeypatch):
    """Against dilations of the truth's edges, at a threshold that the curve does not have."""
    import cv2

    _run(monkeypatch, "seeds")
    rows, values = _bands("seeds"), _metrics("seeds")
    assert [*dict.fromkeys(width for width, _ in rows)] == ["1", "3", "5"]
    inside, outside = np.zeros((2, 3, 4), np.int64)
    for i in TRAIN:
        highest, lowest = cv2.dilate(TRUTH[i], np.ones((3, 3))), cv2.erode(TRUTH[i], np.ones((3, 3)))
        band = cv2.dilate((highest != lowest).astype(np.uint8), np.ones((5, 5))) > 0
        labels = threshold_labels(upsample(MAPS[i], SIZE), np.array([1, 2]), 0.333)
        for table, where in ((inside, band), (outside, ~band)):
            table += metrics.confusion(np.where(where, TRUTH[i], 255).astype(np.uint8), labels, 3)
    assert int(rows["3", "band"]["pixels"]) == inside.sum() > 0
    assert int(rows["3", "interior"]["pixels"]) == outside.sum()
    found = float(rows["3", "band"]["miou"])
    assert values["boundary_miou"] == found == pytest.approx(100 * metrics.means(inside)["miou"], abs=0.0051)


def test_a_band_as_wide_as_the_picture_has_the_rungs_miou(project, monkeypatch):
    Path("params.yaml").write_text(PARAMS.replace("[1, 3, 5]", "[3, 16]"))
    _run(monkeypatch, "crf")
    rows, values = _bands("crf"), _metrics("crf")
    assert rows["16", "interior"]["miou"] == "" and rows["16", "interior"]["pixels"] == "0"
    assert [float(rows["16", "band"][key]) for key in ("miou", "precision", "recall")] == [
        values[key] for key in ("miou", "precision", "recall")
    ]


def test_a_trimap_needs_void(project, monkeypatch):
    Path("params.yaml").write_text(PARAMS.replace("label", "trimap"))
    _run(monkeypatch, "crf")
    assert _metrics("crf")["boundary_miou"] > 0
    for i in TRAIN:
        write_atomic(Path(f"data/masks/{i}.png"), mask_bytes(np.where(TRUTH[i] == 255, 0, TRUTH[i])))
    with pytest.raises(ValueError, match=r"evaluation.boundary.void is trimap.*no mask has void"):
        _run(monkeypatch, "crf")


def test_bands_are_counted_again_and_a_threshold_of_scores_is_not(project, monkeypatch, counted):
    _run(monkeypatch, "crf")
    before = _metrics("crf")
    assert 0 < before["picture_jaccard"] < 65 and before["picture_threshold_jaccard"] == 0
    Path("params.yaml").write_text(PARAMS.replace("0.65", "0.0"))
    _run(monkeypatch, "crf")
    assert len(counted) == 3
    assert _metrics("crf")["picture_threshold_jaccard"] == before["picture_jaccard"]
    for changed in (PARAMS.replace("5]", "6]"), PARAMS.replace("label", "trimap")):
        counted.clear()
        Path("params.yaml").write_text(changed)
        _run(monkeypatch, "crf")
        assert len(counted) == 3


def test_scores_of_pictures_are_means_of_each_ones_own(project, monkeypatch):
    _run(monkeypatch, "crf")
    rows = {row["class"]: row for row in _rows("reports/rungs/crf/per_class_pictures.csv")}
    assert list(rows) == CLASSES and {row["pictures"] for row in rows.values()} == {"3"}
    result = {i: count.read_mask(Path(f"data/affinity_labels/crf/{i}.png")) for i in TRAIN}
    for label, name in enumerate(CLASSES):
        own = []
        for i in TRAIN:
            known = TRUTH[i] != 255
            true, marked = (TRUTH[i] == label) & known, (result[i] == label) & known
            own.append(2 * (true & marked).sum() / (true.sum() + marked.sum()))
        assert float(rows[name]["dice"]) == pytest.approx(100 * np.mean(own), abs=0.0051)
    mean = np.mean([float(row["e_measure"]) for row in rows.values()])
    assert _metrics("crf")["picture_e_measure"] == pytest.approx(mean, abs=0.0051)


def test_a_rung_with_unknown_pixels_says_how_much_is_decided(project, monkeypatch):
    for i in TRAIN:
        result = np.where(TRUTH[i] == 1, 255, 0)  # all cats are left open, the rest is called background
        write_atomic(Path(f"data/pseudo_labels/{i}.png"), mask_bytes(result))
    _run(monkeypatch, "pseudo_labels")
    truth = np.stack([TRUTH[i] for i in TRAIN])
    pixels = [(truth == label).sum() for label in range(3)]
    wanted = {"decided": pixels[0] + pixels[2], "correct": pixels[0], "wrong": pixels[2]}
    found = _metrics("pseudo_labels")
    for name, number in wanted.items():
        assert found[name] == pytest.approx(100 * number / sum(pixels), abs=0.0051)
    assert found["decided_accuracy"] == pytest.approx(100 * pixels[0] / (pixels[0] + pixels[2]), abs=0.0051)
    decided = [row["decided"] for row in _rows("reports/rungs/pseudo_labels/per_class.csv")]
    assert decided == ["100.00", "0.00", "100.00"]
    _run(monkeypatch, "crf")
    assert "decided" not in _metrics("crf")


def test_the_boundary_of_objects_is_not_that_of_their_classes(project, monkeypatch):
    """Cats beside dogs are one object: of the rung of object and ground nothing lies on an edge there."""
    truth = np.ones(SIZE, np.uint8)
    truth[:, 8:] = 2
    for i in TRAIN:
        write_atomic(Path(f"data/masks/{i}.png"), mask_bytes(truth))
        own = npz_bytes(maps=MAPS[i][:1], classes=np.int16([1]), size=np.int32(SIZE))
        write_atomic(Path(f"data/saliency/{i}.npz"), own)
    write_json(Path("data/saliency/classes.json"), ["background", "foreground"])
    _run(monkeypatch, "saliency")
    assert {row["pixels"] for (_, region), row in _bands("saliency").items() if region == "band"} == {"0"}
    assert "boundary_miou" not in _metrics("saliency") and "interior_miou" in _metrics("saliency")


@pytest.mark.parametrize("widths", ["[3, 1]", "[1, 2]", "[3, 3]", "[]"])
def test_widths_must_rise_and_hold_the_one_of_the_headline(project, monkeypatch, widths):
    Path("params.yaml").write_text(PARAMS.replace("[1, 3, 5]", widths))
    with pytest.raises(ValueError, match=r"boundary.widths: .*must rise and hold 3"):
        _run(monkeypatch, "crf")


def test_the_entropy_beside_a_rung_has_its_means(project, monkeypatch):
    grey = np.random.default_rng(4).integers(0, 256, SIZE).astype(np.uint8)
    truth = np.zeros(SIZE, np.uint8)
    truth[:, 8:], truth[0] = 1, 255  # an edge down the middle, and void along the top
    for file, content in {"predictions/entropy": grey, "masks": truth}.items():
        write_atomic(Path(f"data/{file}/d.png"), mask_bytes(content))
    _run(monkeypatch, "predictions")
    known, right = truth != 255, truth == read_mask(Path("data/predictions/d.png"))
    near = np.zeros(SIZE, bool)
    near[:4] = near[:, 5:11] = True  # closer than 3 pixels to an edge, of which both sides are one
    parts = {"right": right, "wrong": ~right, "band": near, "interior": ~near}
    for name, part in parts.items():
        wanted = 100 * grey[known & part].mean() / 255
        assert _metrics("predictions")[f"entropy_{name}"] == pytest.approx(wanted, abs=0.0051)


def test_an_entropy_that_is_missing_is_an_error(project, monkeypatch):
    Path("data/predictions/entropy").mkdir()
    with pytest.raises(
        ValueError, match=r"1 of 1 entropies of rung predictions are missing: data/pred.*d\.png"
    ):
        _run(monkeypatch, "predictions")
