import pytest

from stages.common import fingerprint


def test_code_hash_leaves_schemas_out(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        fingerprint, "file_hash", lambda path: read.append(str(path.relative_to(fingerprint.ROOT))) or "0"
    )
    fingerprint.code_hash.__wrapped__("stages.parameters.__main__")
    assert "stages/common/artifacts.py" in read
    assert [name for name in read if name.endswith("params.py")] == ["stages/common/params.py"]  # code


@pytest.mark.parametrize("what", ["file_hash", "version"])
def test_code_hash_changes_with_code_and_libraries(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint.code_hash.__wrapped__("stages.common.door")
    assert before == fingerprint.code_hash.__wrapped__("stages.common.door")
    monkeypatch.setattr(fingerprint, what, lambda _: "changed")
    assert fingerprint.code_hash.__wrapped__("stages.common.door") != before


def test_key_is_short_and_knows_its_parts() -> None:
    key = fingerprint.key("code", {"a": 1, "b": [0.5]}, (1, 2))
    assert key == fingerprint.key("code", {"b": [0.5], "a": 1}, [1, 2])
    assert len(key) == 32
    others = [fingerprint.key("code", {"a": 1, "b": [0.25]}, (1, 2)), fingerprint.key("code", {"a": 1})]
    assert len({key, *others}) == 3
