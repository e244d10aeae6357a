"""dvc.lock as the server of the steps writes it, against DVC's own writing."""

from pathlib import Path
from typing import Any

import pytest
from dvc.dvcfile import Lockfile
from dvc.utils.serialize import dumps_yaml
from dvc.utils.serialize._yaml import parse_yaml_for_update

from tests.conftest import ROOT
from tests.warm import locks

ENTRY = {
    "cmd": ["python -m stages.a 'b: c'", "python -m stages.a --much " + "long " * 40 + "\nand a line"],
    "deps": [{"path": "data/é #1", "hash": "md5", "md5": "12e4", "size": 0, "isexec": True}],
    "params": {"params.yaml": {"a.b": None, "a.c": [1, [2.5e-7, "0x1"]], "a.d": {}, "a.e": {"no": "yes"}}},
    "outs": [{"path": "reports/a.json", "hash": "md5", "md5": "1" * 32 + ".dir", "nfiles": 3}],
}  # fmt: skip


def theirs(text: str, name: str, entry: dict[str, Any]) -> str:
    data = parse_yaml_for_update(text, "dvc.lock")
    data["stages"].update({name: entry})
    return str(dumps_yaml(data))


def ours(text: str, name: str, entry: dict[str, Any]) -> str:
    return locks.spliced(text, dumps_yaml({"stages": {name: entry}}).removeprefix("stages:\n"))


TEXT = (ROOT / "dvc.lock").read_text()
NAMES = list(parse_yaml_for_update(TEXT, "dvc.lock")["stages"])


@pytest.mark.parametrize("name", [NAMES[0], NAMES[7], NAMES[-1], "evaluation@new", "0", "a"])
def test_a_stage_s_lines_are_those_of_dvc(name: str) -> None:
    one = ours(TEXT, name, ENTRY)
    assert one == theirs(TEXT, name, ENTRY) != TEXT
    again = parse_yaml_for_update(TEXT, "dvc.lock")["stages"].get(name)
    if again is not None:
        assert ours(one, name, again) == TEXT


def test_it_stands_in_for_dvc_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there, or not as DVC writes it, is left to DVC."""
    left: list[list[str]] = []
    tracked: list[str] = []
    monkeypatch.setattr(Lockfile, "dump_stages", lambda self, stages: left.append(stages))
    monkeypatch.setattr("dvc.stage.serialize.to_lockfile", lambda stage: {stage: ENTRY})
    locks.install()
    lock = Lockfile.__new__(Lockfile)
    lock.path = str(tmp_path / "dvc.lock")
    lock.repo = type("Repo", (), {"scm_context": type("Scm", (), {"track_file": tracked.append})})
    lock.dump_stages(["a"])
    Path(lock.path).write_text("stages: {}\n")
    lock.dump_stages(["a"])
    assert left == [["a"], ["a"]] and not tracked and Path(lock.path).read_text() == "stages: {}\n"
    Path(lock.path).write_text(TEXT)
    lock.dump_stages([NAMES[3], "new"])
    assert Path(lock.path).read_text() == theirs(theirs(TEXT, NAMES[3], ENTRY), "new", ENTRY)
    lock.dump_stages(["new"])
    assert len(left) == 2 and len(tracked) == 1
