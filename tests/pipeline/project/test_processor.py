"""The processor as Linux and as macOS tell of it."""

import os
import sys
from pathlib import Path

import pytest

from pipeline.project import processor


def command(folder: Path, name: str, text: str) -> None:
    """A command that prints `text` and what it was given."""
    (folder / name).write_text(f'#!/bin/sh\necho "{text} $*"\n')
    (folder / name).chmod(0o755)


def test_linux_names_it_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "INFO", tmp_path / "cpuinfo")
    processor.INFO.write_text("processor\t: 0\nmodel name\t: EPYC: 9\nflags\t: a\nmodel name\t: other\n")
    assert processor.name() == processor.kind() == "EPYC: 9"  # ARM has no family
    processor.INFO.write_text(f"{processor.INFO.read_text()}cpu family\t: 26\nmodel\t\t: 2\nmodel\t\t: 3\n")
    assert processor.kind() == "EPYC: 9, family 26 model 2"


def test_macos_has_a_command_for_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "INFO", tmp_path / "none")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(processor.platform, "processor", lambda: "arm")
    command(tmp_path, "sysctl", "Apple M2")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert processor.name() == "Apple M2 -n machdep.cpu.brand_string"
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert processor.name() == "arm"
    assert processor.bf16_units() is None  # it does not tell


def test_other_systems_are_not_asked_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "INFO", tmp_path / "none")
    monkeypatch.setattr(sys, "platform", "freebsd14")
    monkeypatch.setattr(processor.platform, "processor", lambda: "")
    monkeypatch.setattr(processor.platform, "machine", lambda: "amd64")
    command(tmp_path, "sysctl", "wrong")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert processor.name() == "amd64"


def test_cores_are_those_of_this_process_where_the_system_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 96)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 8} if pid == 0 else set(), raising=False)
    assert processor.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert processor.cores() == 96
    monkeypatch.setattr(processor, "kind", lambda: "EPYC: 9")
    assert processor.described() == "96 cores of EPYC: 9"
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processor.cores() == 1
    assert processor.described() == "1 core of EPYC: 9"
