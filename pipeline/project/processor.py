"""The processor of this machine: its name, its cores, and its units for bf16, on Linux and on macOS."""

import os
import platform
import subprocess
import sys
from pathlib import Path

INFO = Path("/proc/cpuinfo")  # of Linux
UNKNOWN = "unknown processor"
SYSCTL = ("sysctl", "-n", "machdep.cpu.brand_string")  # of macOS: Apple M2, say


def bf16_units() -> list[str] | None:
    """What this processor multiplies bf16 with; None where the system does not tell."""
    known = flags(INFO)
    return sorted({"amx_bf16", "avx512_bf16", "bf16"} & known) if known else None


def cores() -> int:
    """How many this process may use; macOS does not say which those are: there, all of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def name() -> str:
    return _told("model name") or _of_macos() or platform.processor() or platform.machine() or UNKNOWN


def kind() -> str:
    """The name with family and model: rented machines say `AMD EPYC` of several that round otherwise."""
    family, model = _told("cpu family"), _told("model\t")
    return f"{name()}, family {family} model {model}" if family and model else name()


def described() -> str:
    """The cores that this process may use, with their kind."""
    count = cores()
    return f"{count} core{'s' * (count > 1)} of {kind()}"


def _told(field: str) -> str:
    """What Linux says of the first core."""
    lines = INFO.read_text().splitlines() if INFO.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _of_macos() -> str:
    """platform.processor() says `arm` or `i386` there."""
    if sys.platform != "darwin":
        return ""
    try:
        return subprocess.run(SYSCTL, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def flags(file: Path) -> set[str]:
    """What the processor can do, as Linux names it; empty elsewhere."""
    if not file.is_file():
        return set()
    lines = (line for line in file.read_text().splitlines() if line.startswith(("flags", "Features")))
    return set(next(lines, "").partition(":")[2].split())
