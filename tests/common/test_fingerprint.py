import pytest

from stages.common import fingerprint


def test_code_hash_leaves_schemas_out(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []
    monkeypatch.setattr(fingerprint.stamps, "digest", lambda content: hashed.append(content) or "0")
    fingerprint.code_hash.__wrapped__("stages.parameters.__main__")

    def is_in(path: str) -> bool:
        return (fingerprint.ROOT / path).read_bytes() in hashed

    assert is_in("stages/common/artifacts.py") and is_in("stages/common/params.py")  # code
    assert not is_in("stages/common/annotations_params.py")


@pytest.mark.parametrize("what", [(fingerprint.stamps, "digest"), (fingerprint, "version")])
def test_code_hash_changes_with_code_and_libraries(
    what: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint.code_hash.__wrapped__("stages.common.door")
    assert before == fingerprint.code_hash.__wrapped__("stages.common.door")
    monkeypatch.setattr(*what, lambda _: "changed")
    assert fingerprint.code_hash.__wrapped__("stages.common.door") != before


def test_key_is_short_and_knows_its_parts() -> None:
    key = fingerprint.key("code", {"a": 1, "b": [0.5]}, (1, 2))
    assert key == fingerprint.key("code", {"b": [0.5], "a": 1}, [1, 2])
    assert len(key) == 32
    others = [fingerprint.key("code", {"a": 1, "b": [0.25]}, (1, 2)), fingerprint.key("code", {"a": 1})]
    assert len({key, *others}) == 3
