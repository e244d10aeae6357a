"""The step on five tiny pictures: its two files against sums over pictures, and what is computed again."""

import csv
import json
import statistics
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from stages.common.artifacts import csv_text, npz_bytes, write_atomic, write_json
from stages.common.networks import store
from stages.common.pictures import load_pictures
from stages.explanation import __main__ as step
from stages.explanation.params import Explanation
from tests.seeds import tiny

CLASSES = [
    "background",
    "=cat",
    "dog",
    "cow",
    "hen",
]  # no picture of train shows a hen, a cow is always alone
LABELS = {"a": (1,), "b": (1, 2), "c": (1, 2), "d": (3,), "e": (), "v": (4,)}
MEAN, STD = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])
DVC = "stages:\n  explanation:\n    foreach: [seeds]\n    do: {params: [explanation]}\n"


def size(name: str) -> tuple[int, int]:
    return (33, 40) if name == "d" else (24, 33)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No masks are there. The seeds are signed, as with `negatives: keep`."""
    monkeypatch.chdir(tmp_path)
    step._classifier.cache_clear()
    Path("dvc.yaml").write_text(DVC)
    Path("params.yaml").write_text("explanation: {of: [seeds], precision: fp32}\n")
    write_json(Path("data/dataset/classes.json"), CLASSES)
    index(*LABELS)
    rng = np.random.default_rng(0)
    for name, labels in LABELS.items():
        Path("data/dataset/images").mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (*size(name), 3)).astype(np.uint8)
        cv2.imwrite(f"data/dataset/images/{name}.png", pixels)
        if name != "v":
            seeds(name, labels, rng.uniform(-0.5, 1, (len(labels), 5, 6)))
    model = tiny.classifier()  # of four classes
    encoder = tiny.encoder("small", 8).model_dump() | {"mean": MEAN.tolist(), "std": STD.tolist()}
    store.save_network(
        step.CLASSIFIER, model.float(), {"classes": CLASSES, "encoder": encoder}, [{"epoch": 1}]
    )
    return tmp_path


def index(*names: str) -> None:
    rows = [(n, f"{n}.png", "val" if n == "v" else "train", *size(n)[::-1],
             ";".join(CLASSES[c] for c in LABELS[n])) for n in names]  # fmt: skip
    header = ("id", "file", "split", "width", "height", "labels")
    write_atomic(Path("data/dataset/index.csv"), csv_text([header, *rows]))


def seeds(name: str, labels: tuple[int, ...], maps: np.ndarray) -> None:
    content = npz_bytes(maps=maps.astype(np.float16), classes=np.array(labels, np.int16),
                        size=np.array(size(name), np.int32))  # fmt: skip
    write_atomic(Path(f"data/seeds/{name}.npz"), content)


def metrics() -> dict[str, float]:
    return json.loads(Path("reports/explanation/metrics.json").read_text())


def table() -> dict[str, dict[str, str]]:
    with Path("reports/explanation/per_class.csv").open(newline="") as file:
        return {row["class"]: row for row in csv.DictReader(file)}


def answer(pixels: np.ndarray) -> np.ndarray:
    """sigmoid S of RGB [H, W, 3] in 0..1."""
    model, _ = step._classifier("cpu")
    with torch.no_grad():
        x = torch.from_numpy(((pixels - MEAN) / STD).transpose(2, 0, 1)[None]).float()
        return model(x).sigmoid()[0].double().numpy()


def drops(name: str) -> tuple[dict[tuple[int, int], float], dict[tuple[int, int], float], set[int]]:
    """By (class of the mask, class): what is lost of what the mask keeps and leaves; classes that grow.

    The picture is faded to the mean colour where one sees it, in RGB.
    """
    pixels = cv2.imread(f"data/dataset/images/{name}.png")[..., ::-1] / 255
    maps = np.load(f"data/seeds/{name}.npz")["maps"].astype(np.float32)
    kept, left, grown = {}, {}, set()
    for c, small in zip(LABELS[name], maps, strict=True):
        mask = np.maximum(cv2.resize(small, size(name)[::-1]), 0)[..., None]
        for found, share in ((kept, mask), (left, 1 - mask)):
            before, after = answer(pixels), answer(share * pixels + (1 - share) * MEAN)
            for other in LABELS[name]:
                y, o = before[other - 1], after[other - 1]
                found[c, other] = max(0, y - o) / y
                if share is mask and other == c and o > y:
                    grown.add(c)
    return kept, left, grown


def test_the_files_hold_what_sums_over_pictures_give(project: Path) -> None:
    said = step.main()
    found, rows = metrics(), table()
    by_picture = {name: drops(name) for name in "abcd"}
    own = {c: [by_picture[n] for n in "abcd" if c in LABELS[n]] for c in (1, 2, 3)}
    loss = {c: 100 * statistics.fmean(kept[c, c] for kept, _, _ in own[c]) for c in own}
    retention = {c: 100 * statistics.fmean(left[c, c] for _, left, _ in own[c]) for c in own}
    both = [by_picture[name] for name in "bc"]
    others = {c: 100 * statistics.fmean(kept[c, 3 - c] for kept, _, _ in both) for c in (1, 2)}
    others_left = {c: 100 * statistics.fmean(left[c, 3 - c] for _, left, _ in both) for c in (1, 2)}
    grown = {c: 100 * statistics.fmean(c in grew for _, _, grew in own[c]) for c in own}
    for key, values in {
        "average_drop": loss, "average_retention": retention, "average_drop_of_others": others,
        "average_retention_of_others": others_left, "increase_in_confidence": grown,
    }.items():  # fmt: skip
        for c, value in values.items():
            assert float(rows["'" * (c == 1) + CLASSES[c]][key]) == pytest.approx(value, abs=0.006), (key, c)
        assert found[key] == pytest.approx(statistics.fmean(values.values()), abs=0.006)
    plus = [statistics.harmonic_mean([retention[c], others[c]]) for c in (1, 2)]
    assert found["f1_plus"] == pytest.approx(statistics.fmean(plus), abs=0.006)
    micro = [kept[c, c] for kept, _, _ in by_picture.values() for c, other in kept if c == other]
    assert found["micro_average_drop"] == pytest.approx(100 * statistics.fmean(micro), abs=0.006)
    assert found["micro_average_drop"] != found["average_drop"]
    assert {key: found[key] for key in ("images", "pairs", "pairs_with_others", "split")} == {
        "images": 4, "pairs": 6, "pairs_with_others": 4, "split": "train"
    }  # fmt: skip
    assert f"4 pictures, 4 computed; increase in confidence {found['increase_in_confidence']:.2f} %" in said


def test_what_no_pair_defines_is_an_empty_cell_and_no_number(project: Path) -> None:
    step.main()
    rows = table()
    assert list(rows) == ["'=cat", "dog", "cow", "hen"]  # no formula for a spreadsheet
    assert [(row["pairs"], row["pairs_with_others"]) for row in rows.values()] == [
        ("3", "2"), ("2", "2"), ("1", "0"), ("0", "0")
    ]  # fmt: skip
    of_others = ("average_drop_of_others", "average_retention_of_others", "f1_plus", "f1_minus")
    assert all(rows["cow"][key] == "" for key in of_others) and rows["cow"]["average_drop"]
    assert all(rows["hen"][key] == "" for key in step.METRICS)
    index("a", "d", "e", "v")  # nobody has others
    step.main()
    assert not {*of_others, *(f"micro_{key}" for key in of_others)} & set(metrics())
    assert {"average_drop", "micro_average_retention"} <= set(metrics())
    index("e", "v")
    assert step.main().startswith("explanation: 0 pictures")
    assert metrics() == {"images": 0, "pairs": 0, "pairs_with_others": 0, "split": "train"}


def test_only_what_is_new_is_computed_and_gives_the_same_bytes(project: Path) -> None:
    index("a", "b", "v")
    assert "2 pictures, 2 computed" in step.main()
    index(*LABELS)
    assert "4 pictures, 2 computed" in step.main()
    before = [Path(f"reports/explanation/{name}").read_bytes() for name in ("metrics.json", "per_class.csv")]
    assert "4 pictures, 0 computed" in step.main()
    seeds("c", (1, 2), np.ones((2, 5, 6)))
    assert "4 pictures, 1 computed" in step.main()
    assert Path("reports/explanation/metrics.json").read_bytes() != before[0]
    Path("params.yaml").write_text("explanation: {of: [seeds], precision: bf16}\n")
    assert "4 pictures, 4 computed" in step.main()
    weights = store.load_into(step._classifier("cpu")[0], step.CLASSIFIER)
    weights.head.weight.data *= 2
    store.save_network(step.CLASSIFIER, weights, store.read_config(step.CLASSIFIER), [{"epoch": 1}])
    step._classifier.cache_clear()
    assert "4 pictures, 4 computed" in step.main()


def test_a_batch_gives_what_single_pictures_give(project: Path) -> None:
    """On a GPU pictures of one size go together; each has as many rows as it has masks."""
    shown = [step.masked(p) for p in load_pictures().split("train") if p.id in "abc"]
    compute = step.Answers(Explanation(of=["seeds"], precision="fp32"), "cpu")
    together = compute(shown)
    assert [unpack(files).shape for files in together] == [(3, 1), (5, 2), (5, 2)]
    for files, one in zip(together, shown, strict=True):
        np.testing.assert_array_equal(unpack(files), unpack(compute([one])[0]))


def unpack(files: dict[str, bytes]) -> np.ndarray:
    Path("unpacked.npz").write_bytes(files[step.ANSWERS])
    return np.load("unpacked.npz")["answers"]


def test_masks_are_the_seeds_at_the_picture_s_size_without_what_speaks_against(project: Path) -> None:
    (one,) = (step.masked(p) for p in load_pictures().split("train") if p.id == "d")
    assert one.masks.shape == (1, 33, 40) and one.pixels.shape == (33, 40, 3)
    assert one.masks.min() == 0 and 0.5 < one.masks.max() <= 1


def test_seeds_of_other_labels_and_a_classifier_that_diverged_are_named(project: Path) -> None:
    seeds("b", (1, 3), np.ones((2, 5, 6)))
    with pytest.raises(
        ValueError, match=r"data/seeds/b\.npz is not of the picture's labels: `wsss run seeds`"
    ):
        step.main()
    seeds("b", (1, 2), np.ones((2, 5, 6)))
    step._classifier("cpu")[0].head.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match="scores of b are not finite: it diverged, train it again"):
        step.main()
    Path("data/seeds/a.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"data/seeds/a\.npz"):
        step.main()
