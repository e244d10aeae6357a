"""The sheet of a comparison, drawn from two small runs made by hand."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.commands import compare
from stages.common.artifacts import mask_bytes, npz_bytes, write_json
from stages.common.drawing.colours import UNKNOWN_CSS, class_colours
from stages.common.drawing.sheet import ERRORS

SIZE = 32
CLASSES = ["background", "object"]
TRUTH = np.zeros((SIZE, SIZE), np.uint8)
TRUTH[:, 16:] = 1  # the right half is the object
MAPS = np.full((1, 2, 2), 0.6, np.float16)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def make_run(folder: Path, labels: np.ndarray, shade: int = 128, truth: np.ndarray = TRUTH) -> None:
    """One picture, x, of a plain grey: its truth, its mask at the rung pseudo_labels, its maps at seeds."""
    write(folder / "data/dataset/images/x.png", png(np.full((SIZE, SIZE, 3), shade, np.uint8)))
    write(
        folder / "data/dataset/index.csv", b"id,file,split,width,height,labels\nx,x.png,train,32,32,object\n"
    )
    write_json(folder / "data/dataset/classes.json", CLASSES)
    write(folder / "data/masks/x.png", mask_bytes(truth))
    write(folder / "data/pseudo_labels/x.png", mask_bytes(labels))
    arrays = {"maps": MAPS, "classes": np.array([1]), "size": np.array([SIZE, SIZE])}
    write(folder / "data/seeds/x.npz", npz_bytes(**arrays))


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, object]:
    """A found everything, B nothing."""
    make_run(tmp_path / "a", TRUTH)
    make_run(tmp_path / "b", np.zeros_like(TRUTH))
    return {
        "a": str(tmp_path / "a"),
        "b": str(tmp_path / "b"),
        "thresholds": {"a": 0.5, "b": 0.7},
        "results": {key: {"seeds": "seeds", "pseudo_labels": "pseudo_labels"} for key in "ab"},
        "rungs": {"pseudo_labels": ["x"]},
        "side": SIZE,
        "out": str(tmp_path / "out"),
    }


def draw(spec: dict[str, object], tmp_path: Path) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """The drawings by rung and name, and what about.json says."""
    write_json(tmp_path / "spec.json", spec)
    assert compare.main([str(tmp_path / "spec.json")]) == 0
    out = tmp_path / "out"
    drawn = {
        f"{file.parents[1].name} {file.stem}": np.asarray(Image.open(file).convert("RGB")).astype(int)
        for file in out.rglob("*.webp")
    }
    return drawn, json.loads((out / "about.json").read_text())


def near(pixel: np.ndarray, colour: np.ndarray) -> bool:
    return bool((abs(pixel - colour) < 12).all())  # WebP is lossy


def test_what_one_run_found_and_the_other_missed_is_drawn_so(spec, tmp_path):
    drawn, about = draw(spec, tmp_path)
    names = ("picture", "truth", "a.labels", "a.errors", "b.labels", "b.errors")
    assert drawn.keys() == {f"pseudo_labels {name}" for name in names}
    assert about["left_out"] == {}
    marked = 0.2 * 128 + 0.8 * class_colours()[1].astype(int)
    left, right = (SIZE // 2, 6), (SIZE // 2, 26)
    assert near(drawn["pseudo_labels a.labels"][right], marked)
    assert near(drawn["pseudo_labels truth"][right], marked)
    assert near(drawn["pseudo_labels b.labels"][right], np.full(3, 0.45 * 128))
    missed = 0.2 * 0.4 * 128 + 0.8 * np.array(ERRORS["missed"])
    assert near(drawn["pseudo_labels b.errors"][right], missed)
    assert near(drawn["pseudo_labels a.errors"][right], np.full(3, 0.75 * 128))
    assert near(drawn["pseudo_labels b.errors"][left], np.full(3, 0.4 * 128))


def test_maps_become_labels_at_the_threshold_of_their_run(spec, tmp_path):
    spec["rungs"] = {"seeds": ["x"]}
    drawn, _ = draw(spec, tmp_path)  # 0.6 everywhere, against 0.5 and 0.7
    marked = 0.2 * 128 + 0.8 * class_colours()[1].astype(int)
    assert near(drawn["seeds a.labels"][6, 6], marked)
    assert near(drawn["seeds b.labels"][6, 6], np.full(3, 0.45 * 128))


def test_the_colours_are_named(spec, tmp_path):
    _, about = draw(spec, tmp_path)
    assert about["classes"] == [["object", "#4b69ff"], ["unknown", UNKNOWN_CSS]]
    assert dict(about["errors"])["missed"] == "#2e78e6"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda b: make_run(b, TRUTH, shade=90), "its picture is another on the other side"),
        (lambda b: make_run(b, TRUTH, truth=1 - TRUTH), "its truth is another on the other side"),
        (lambda b: (b / "data/masks/x.png").unlink(), "a side lacks its truth"),
        (lambda b: (b / "data/pseudo_labels/x.png").unlink(), "data/pseudo_labels/x.png is missing"),
        (lambda b: make_run(b, TRUTH[:8]), "data/pseudo_labels/x.png is of another size than the picture"),
        (
            lambda b: write(b / "data/dataset/index.csv", b"id,file,split,width,height,labels\n"),
            "a side's data set does not have it",
        ),
    ],
)
def test_what_cannot_be_compared_is_left_out_with_its_reason(spec, tmp_path, change, reason):
    change(tmp_path / "b")
    drawn, about = draw(spec, tmp_path)
    assert drawn == {} and about["left_out"] == {"pseudo_labels/x": reason}


def test_a_rung_that_a_side_does_not_have_is_left_out(spec, tmp_path):
    spec["rungs"] = {"older": ["x"], "pseudo_labels": ["x"]}
    drawn, about = draw(spec, tmp_path)
    assert about["left_out"] == {"older/x": "a side has no rung older"}
    assert len(drawn) == 6
