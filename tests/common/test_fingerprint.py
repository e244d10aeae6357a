from pathlib import Path

import pytest

from stages.common import fingerprint


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    sources = {
        "stages/__init__.py": "",
        "stages/a/__init__.py": "from stages.common import setup\n",
        "stages/a/__main__.py": "import numpy\nfrom stages.a import near\nfrom stages.b.tool import use\n",
        "stages/a/near.py": "def f():\n    import stages.late as late\n    return late\n",
        "stages/a/other.py": "",
        "stages/b/__init__.py": "",
        "stages/b/tool.py": "from stages.a.near import f\nuse = f\n",
        "stages/common/__init__.py": "",
        "stages/common/setup.py": "",
        "stages/late.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_closure_follows_imports_packages_and_cycles(tree: Path) -> None:
    found = fingerprint.closure("stages.a.__main__", root=tree)
    everything = set(tree.rglob("*.py"))
    assert set(found) == everything - {tree / "stages/a/other.py"}
    assert found == sorted(found)


def test_closure_of_a_module_named_at_run_time(tree: Path) -> None:
    found = fingerprint.closure("stages.b.tool", "stages.a.other", root=tree)
    assert tree / "stages/a/other.py" in found


def test_code_hash_leaves_schemas_out(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        fingerprint, "file_hash", lambda path: read.append(str(path.relative_to(fingerprint.ROOT))) or "0"
    )
    fingerprint.code_hash.__wrapped__("stages.parameters.__main__")
    assert "stages/common/artifacts.py" in read
    assert [name for name in read if name.endswith("params.py")] == ["stages/common/params.py"]  # code


@pytest.mark.parametrize("what", ["file_hash", "_version"])
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
