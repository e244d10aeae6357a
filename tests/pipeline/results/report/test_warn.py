"""What the page warns of, of sets with masks and without."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.results import data_set, scores
from pipeline.results.report import page as report_page
from pipeline.results.report import warn
from stages.common.artifacts import csv_text, mask_bytes, npz_bytes, write_json
from tests.pipeline import made_runs
from tests.pipeline.made_runs import Runs

HEADER = ("id", "file", "split", "width", "height", "labels", "sha256")


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """A recipe without masks: two pictures of train with their seeds, which are maps; nothing is scored."""
    made = made_runs.unmasked(tmp_path / "project", "explanation", "seeds")
    data = made.root / "data/dataset"
    data.mkdir(parents=True)
    write_json(data / "classes.json", ["background", "cat", "dog"])
    rows = [(name, f"{name}.png", "train", 4, 4, "cat", "") for name in ("a", "b")]
    (data / "index.csv").write_text(csv_text([HEADER, *rows]))
    (made.root / "data/seeds").mkdir()
    for name in ("a", "b"):
        maps = npz_bytes(maps=np.zeros((1, 2, 2), np.float16))
        (made.root / f"data/seeds/{name}.npz").write_bytes(maps)
    return made


def told(runs: Runs) -> list[str]:
    found = scores.workspace(runs.root)
    return warn.warnings(runs.root, data_set.read(runs.root), found.good)


def test_maps_that_nothing_was_scored_of_are_no_masks(runs: Runs) -> None:
    assert [line for line in told(runs) if line.startswith("seeds")] == []
    assert "explanation" in report_page.write(runs.root).read_text()


def test_masks_that_are_all_background(runs: Runs) -> None:
    for name in ("a", "b"):
        (runs.root / f"data/seeds/{name}.npz").unlink()
        (runs.root / f"data/seeds/{name}.png").write_bytes(mask_bytes(np.zeros((4, 4), np.uint8)))
    (line,) = (line for line in told(runs) if line.startswith("seeds"))
    assert line.startswith("seeds: 2 of the 2 masks are background") and line.endswith("masks has cat")
