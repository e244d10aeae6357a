"""A stage that fails leaves the outputs of before in the workspace."""

import pytest

from pipeline.project.outcomes import FAILED, RAN, UNCHANGED
from tests.pipeline.engine.test_stage import Small

CODE = """
import sys
text = open("given").read()
if text.startswith("bad"):
    sys.exit("error: given is bad")
if text.startswith("late"):
    open("out", "w").write("half")
    sys.exit("error: too late")
open("out", "w").write(text)
"""


@pytest.fixture
def small(tmp_path):
    made = Small(tmp_path / "project", CODE)
    assert made.stage().outcome == RAN
    return made


def test_the_output_of_before_stays_and_is_told_of(small):
    (small.root / "given").write_text("bad")
    assert small.stage().outcome == FAILED
    assert (small.root / "out").read_text() == "1"
    assert small.says("out: put back from the cache, as before this try")
    (small.root / "given").write_text("1")
    assert small.stage().outcome == UNCHANGED


def test_an_edited_output_is_not_replaced_by_an_older_one(small):
    """The user would take it for the edited one."""
    (small.root / "out").unlink()
    (small.root / "out").write_text("edited")
    (small.root / "given").write_text("bad")
    assert small.stage().outcome == FAILED
    assert not (small.root / "out").exists() and not small.says("put back")


def test_what_the_failed_stage_wrote_is_left_to_look_at(small):
    (small.root / "given").write_text("late")
    assert small.stage().outcome == FAILED
    assert (small.root / "out").read_text() == "half"


def test_an_output_that_the_cache_lost_too_is_named(small):
    for path in (small.root / ".dvc/cache/files").rglob("*"):
        if path.is_file():
            path.unlink()
    (small.root / "given").write_text("bad")
    assert small.stage().outcome == FAILED
    assert small.says("out: removed by dvc, and the cache does not have it")
