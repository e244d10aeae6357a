"""Bytes on disk: of folders, and as people read them."""

import os
from pathlib import Path


def text(count: float) -> str:
    """950 B, 3.4 MB, 1.2 GB: powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def of_folder(folder: Path) -> int:
    """Bytes of all files below; one with several hard links counts once, links to elsewhere not at all."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                stat = os.lstat(os.path.join(place, name))
            except FileNotFoundError:  # a run works there
                continue
            if (stat.st_dev, stat.st_ino) not in seen:
                seen.add((stat.st_dev, stat.st_ino))
                total += stat.st_size
    return total
