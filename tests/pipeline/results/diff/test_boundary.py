"""Where the boundary moved, between two runs whose numbers were made up."""

import json
from pathlib import Path

import pytest

from pipeline.results import noise
from pipeline.results.diff import boundary, comparison, page, tables
from pipeline.results.diff import text as in_words
from tests.pipeline import made_runs
from tests.pipeline.made_runs import PARAMS, Runs, entry

RUNGS = ("seeds", "labels", "predictions")
OLD = {"seeds": (30.0, 50.0), "labels": (40.0, 70.0), "predictions": (42.0, 71.0)}  # near, inside
NEW = {"seeds": (30.0, 50.0), "labels": (44.0, 70.5), "predictions": (41.0, 74.0)}


def run(runs: Runs, numbers: dict[str, tuple[float, float]], void: str = "label", result: str = "1") -> None:
    setting = f"evaluation: {{threshold: 0.5, boundary: {{widths: [3], void: {void}}}}}"
    runs.write("params.yaml", PARAMS.replace("evaluation: {threshold: 0.5}", setting))
    outs = {rung: {f"reports/{rung}/metrics.json": ""} for rung in RUNGS}
    made_runs.lock(runs, {f"evaluation@{r}": entry({f"data/{r}": result}, None, outs[r]) for r in RUNGS})
    for rung, both in numbers.items():
        near = dict(zip(("boundary_miou", "interior_miou"), both, strict=True))
        made_runs.score(runs, rung, miou=60.0, images=3, **near)
    runs.commit()


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    made = made_runs.make(tmp_path / "project")
    run(made, OLD)
    return made


def test_the_rungs_whose_boundary_moved(runs: Runs) -> None:
    run(runs, NEW, result="2")
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    grid = tables.boundary(found)
    assert grid.header == (
        "rung", "mIoU closer than 3 px to a boundary, HEAD~1", "HEAD", "change", "change inside"
    )  # fmt: skip
    assert [[(cell.text, cell.tone) for cell in row] for row in grid.rows] == [
        [("labels", ""), ("40.00", ""), ("44.00", ""), ("+4.00", "good"), ("+0.50", "good")],
        [("predictions", ""), ("42.00", ""), ("41.00", ""), ("-1.00", "bad"), ("+3.00", "good")],
    ]
    assert tables.moved(found) == [
        "At labels the boundary moved closer to that of the masks: mIoU +4.00 near it, +0.50 inside."
    ]


def test_a_change_of_the_boundary_alone_is_a_difference(runs: Runs) -> None:
    run(runs, OLD)
    assert comparison.make(runs.root, "HEAD~1", "HEAD").is_empty
    run(runs, {**OLD, "labels": (35.0, 70.0)})
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    assert not found.is_empty
    assert [row[0].text for row in tables.boundary(found).rows] == ["labels"]
    (said,) = tables.moved(found)
    assert "moved away from that of the masks: mIoU -5.00 near it, +0.00 inside" in said


def test_every_form_of_the_comparison_says_it(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(runs, NEW, result="2")
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    in_words.show(found)
    shown = " ".join(capsys.readouterr().out.split())
    file = tmp_path / "diff.html"
    page.write(found, file, 0)
    for text in (shown, in_words.markdown(found), file.read_text()):
        assert "At labels the boundary moved closer" in text and "change inside" in text
    told = {
        (line["rung"], line["metric"]): line["change"]
        for line in json.loads(in_words.as_json(found))["boundary"]
    }
    assert told["labels", "boundary_miou"] == 4 and told["predictions", "interior_miou"] == 3


def test_another_meaning_of_the_boundary_is_not_compared(runs: Runs) -> None:
    run(runs, NEW, void="trimap")
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    assert found.boundary == () and tables.boundary(found).rows == ()
    assert any(note.startswith("evaluation.boundary.void differs") for note in found.notes)
    assert found.ladder


def test_a_run_of_before_there_were_bands_has_nothing_to_compare(tmp_path: Path) -> None:
    made = made_runs.make(tmp_path / "project")
    run(made, OLD)
    made.write("params.yaml", PARAMS)
    for rung in RUNGS:
        made_runs.score(made, rung, miou=61.0, images=3)
    made.commit()
    found = comparison.make(made.root, "HEAD", "HEAD~1")
    assert found.boundary == () and not any("void differs" in note for note in found.notes)


def test_noise_moves_no_boundary() -> None:
    """+2 on average, of pairs that scatter from -4 to +8."""
    before, after = {0: 40.0, 1: 41.0, 2: 42.0}, {0: 48.0, 1: 37.0, 2: 44.0}
    near, still = noise.compare(before, after), noise.compare({0: 50.0}, {0: 50.0})
    assert near.verdict == noise.NOISE and boundary.moved("labels", near, still) == ""
    assert boundary.moved("labels", None, still) == boundary.moved("labels", still, None) == ""
