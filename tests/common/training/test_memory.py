"""What a step frees is there for the next one: the kernel has no page to clear."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from stages.common.training import memory
from tests.common.training.tiny import Net, Noise, params, train

FAULTS = """
import resource, sys
import stages, torch
from stages.common.training import memory
if sys.argv[1] == "keep":
    assert memory.keep()
def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    kept = [torch.ones(16 << 20) for _ in range(2)]  # 64 MiB each
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(min(step() for _ in range(12)))
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's allocator")
def test_what_was_freed_is_used_again() -> None:
    assert faults("keep") < 100 < faults("as it comes")


def test_a_training_on_a_cpu_asks_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    asked: list[bool] = []
    monkeypatch.setattr(memory, "keep", lambda: asked.append(True))
    train(Net(), Noise(), params(), "key")
    assert asked == [True]
