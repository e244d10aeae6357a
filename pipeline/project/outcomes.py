"""What can become of a stage, and who is told what happens."""

from dataclasses import dataclass
from typing import Any, Protocol

UNCHANGED, RESTORED, RAN, FAILED, TIMEOUT, CANCELLED, BLOCKED = (
    "unchanged", "restored", "ran", "failed", "timeout", "cancelled", "blocked",
)  # fmt: skip
GOOD = (UNCHANGED, RESTORED, RAN)


@dataclass(frozen=True)
class Result:
    """What became of one stage."""

    stage: str
    outcome: str
    why: str = ""
    seconds: float = 0.0
    device: str = ""  # "GPU 0", "CPU", or nothing if it computed nothing
    memory: int = 0  # bytes of the largest process

    @property
    def good(self) -> bool:
        return self.outcome in GOOD


class Listener(Protocol):
    """Who is told what happens; called from several threads."""

    def line(self, stage: str, text: str) -> None: ...
    def progress(self, stage: str, what: str, done: int, total: int) -> None: ...
    def epoch(self, stage: str, values: dict[str, Any]) -> None: ...
