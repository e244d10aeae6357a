"""Hashes and paths as others wrote them: refused by name before they lead anywhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.memory import cached
from pipeline.project import safe

MD5 = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("value", [MD5, f"{MD5}.dir"])
def test_hashes(value: str) -> None:
    assert safe.oid(value, "x") == value


@pytest.mark.parametrize(
    "value", ["", "../../x.csv", MD5[:-1], f"{MD5}.dir/..", MD5.upper(), f"{MD5}\n", None, 1, "/etc/passwd"]
)
def test_what_is_no_hash(value: Any) -> None:
    with pytest.raises(ValueError, match=r"dvc.lock of evil is refused: .* is no hash of DVC's"):
        safe.oid(value, "dvc.lock of evil")


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "", "a//b", "./a", "a\0b", 1, "a/..", ".."])
def test_paths_that_leave_their_folder(path: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no path inside"):
        safe.inside(path, "x")
    listed = tmp_path / "list"
    listed.write_text(json.dumps([{"relpath": "good", "md5": MD5}, {"relpath": path, "md5": MD5}]))
    with pytest.raises(ValueError, match=r"data/seeds of evil: the list of its files, .* is no path inside"):
        cached.listing(listed, "data/seeds of evil")


@pytest.mark.parametrize("text", ["", "[", "{}", "[1]", '[{"relpath": "a"}]', "[" * 100_000])
def test_a_list_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(text)
    if text == "{}":  # it names no file
        assert cached.listing(tmp_path / "list", "x") == {}
        return
    with pytest.raises(ValueError, match=r"^x: the list of its files, .* is damaged: remove it$"):
        cached.listing(tmp_path / "list", "x")


def test_a_list_as_dvc_writes_it(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(json.dumps([{"md5": MD5, "relpath": "a/..b.png"}]))
    assert cached.listing(tmp_path / "list", "x") == {"a/..b.png": MD5}
    (tmp_path / "list").write_text(json.dumps([{"md5": "../../x", "relpath": "a"}]))
    with pytest.raises(ValueError, match="is no hash"):
        cached.listing(tmp_path / "list", "x")


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ([], "holds no stages"),
        ({"s": []}, "holds no command"),
        ({"s": {"outs": {}}}, ""),
        ({"s": {"outs": ["a"]}}, "no list of outs"),
        ({"s": {"outs": [{"md5": MD5}]}}, "has no path"),
        (
            {"s": {"outs": [{"path": "../../x", "md5": MD5}]}},
            "'s', is refused: '../../x' is no path inside",
        ),
        ({"s": {"outs": [{"path": "/etc/x"}]}}, "is no path inside"),
        ({"s": {"cmd": 1}}, "holds no command"),
        ({"s": {"params": "x"}}, "no parameters by file"),
        ({"s": {"params": {"params.yaml": "x"}}}, "no parameters by file"),
        ({"s": {"deps": [{"path": "a", "hash": ["l"]}]}}, "is no kind of hash"),
        ({"s": {"deps": [{"path": "../shared/x"}], "outs": [{"path": "./data/"}]}}, ""),
    ],
)
def test_a_lock(stages: Any, says: str) -> None:
    if not says:
        assert safe.lock(stages, "dvc.lock of evil") == stages
        return
    with pytest.raises(ValueError, match=r"^dvc.lock of evil") as error:
        safe.lock(stages, "dvc.lock of evil")
    assert says in str(error.value)
