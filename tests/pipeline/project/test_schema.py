"""A project's parameters are judged by its own schema, of whatever revision it is."""

import shutil
from pathlib import Path

import pytest

from pipeline.project import presets, schema
from stages.common import stamps
from tests.conftest import ROOT


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A project of another revision: its seeds have a key that ours do not know, and it is set."""
    root = tmp_path / "project"
    shutil.copytree(ROOT / "stages", root / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "presets", root / "presets")
    text = (ROOT / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("seeds:\n", "seeds:\n  sharpness: 2\n", 1))
    file = root / "stages" / "seeds" / "params.py"
    text = file.read_text().replace("    flip: bool\n", "    flip: bool\n    sharpness: int\n", 1)
    file.write_text(text)
    return root


def test_the_schema_of_this_process_is_ours(tmp_path: Path) -> None:
    assert schema.is_ours(stamps.reader(ROOT)) and schema.is_ours(stamps.reader(tmp_path))
    assert schema.problem(ROOT) is None


def test_another_revision_judges_for_itself(other: Path) -> None:
    """Ours would call the key unknown, or, the other way round, one that is not there yet missing."""
    assert not schema.is_ours(stamps.reader(other))
    assert schema.problem(other) is None
    text = (other / "params.yaml").read_text()
    (other / "params.yaml").write_text(text.replace("  sharpness: 2\n", ""))
    said = schema.problem(other)
    assert said is not None and "seeds.sharpness: missing" in said and "Traceback" not in said


def test_a_preset_is_merged_into_another_revision_s_parameters(other: Path) -> None:
    changes = presets.apply(other, "crf-only")
    assert ("pseudo_labels.method", "random_walk", "crf") in changes
    assert "sharpness: 2" in (other / "params.yaml").read_text()


def test_without_a_way_to_ask_nothing_is_refused(other: Path) -> None:
    """Of a commit from before `wsss check`; its stage `parameters` refuses what is wrong."""
    (other / schema.LOOK).unlink()
    assert schema.problem(other) is None
