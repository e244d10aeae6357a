import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from stages.common.networks import torchvision_ops

PROBE = """
import sys

import stages
from stages.common.networks import torchvision_ops


class Numbers:
    def __len__(self):
        return 2

    def __getitem__(self, index):
        from torchvision.transforms.v2 import functional  # the worker has not seen it yet
        from torchvision.tv_tensors import Image

        return functional.horizontal_flip(Image([[[1, index]]]))[..., 0]


if __name__ == "__main__":
    import importlib.util

    torchvision_ops.install()
    importlib.util.find_spec("torchvision")
    assert "torch" not in sys.modules, "installing the hook must cost nothing"
    from torch.utils.data import DataLoader

    rows = list(DataLoader(Numbers(), num_workers=1, multiprocessing_context="spawn"))
    assert [int(row) for row in rows] == [0, 1], rows
    import torchvision.models

    torchvision.models.mobilenet_v2()
"""


def test_torchvision_imports_here_and_in_spawned_workers(tmp_path: Path) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE)
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, probe], env={"PYTHONPATH": root}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class FakeLibrary:
    made: ClassVar[list["FakeLibrary"]] = []

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind, self.schemas = name, kind, []
        self.made.append(self)

    def define(self, schema: str) -> None:
        self.schemas.append(schema)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[FakeLibrary]:
    monkeypatch.setattr(FakeLibrary, "made", [])
    monkeypatch.setattr(torchvision_ops, "_kept", [])
    monkeypatch.setattr(torch.library, "Library", FakeLibrary)
    (tmp_path / "_C.so").touch()
    return FakeLibrary.made


def test_a_matching_build_is_left_alone(
    declared: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Path] = []
    monkeypatch.setattr(torch.ops, "load_library", loaded.append)
    torchvision_ops._provide_operators(tmp_path)
    assert loaded == [tmp_path / "_C.so"]
    assert declared == []


def test_another_build_gets_the_two_signatures(
    declared: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(f"{path}: undefined symbol")

    monkeypatch.setattr(torch.ops, "load_library", refuse)
    torchvision_ops._provide_operators(tmp_path)
    (library,) = declared
    assert (library.name, library.kind) == ("torchvision", "FRAGMENT")
    assert [schema.partition("(")[0] for schema in library.schemas] == ["nms", "qnms"]


def test_twice_installs_once() -> None:
    torchvision_ops.install()
    torchvision_ops.install()
    assert sum(isinstance(finder, torchvision_ops._Finder) for finder in sys.meta_path) == 1
