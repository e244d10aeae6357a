"""The processor of this machine: its name, and its units for bf16."""

import platform
from pathlib import Path


def bf16_units() -> list[str] | None:
    """What this processor multiplies bf16 with; None where the system does not tell."""
    known = flags(Path("/proc/cpuinfo"))
    return sorted({"amx_bf16", "avx512_bf16", "bf16"} & known) if known else None


def name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine() or "unknown processor"


def flags(file: Path) -> set[str]:
    """What the processor can do, as Linux names it; empty elsewhere."""
    if not file.is_file():
        return set()
    lines = (line for line in file.read_text().splitlines() if line.startswith(("flags", "Features")))
    return set(next(lines, "").partition(":")[2].split())
