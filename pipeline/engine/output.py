"""What a stage and DVC say while they run, line by line, and what came of it."""

import json
import re
import signal
from collections import deque
from dataclasses import replace

from pipeline.memory.graph import Stage
from pipeline.project.outcomes import CANCELLED, FAILED, RAN, RESTORED, TIMEOUT, UNCHANGED, Listener, Result

BUSY = "busy"  # another dvc holds the files: tried again until it is gone
USER_ERROR = 2  # exit status of a stage that says what is wrong: no retry would mend it
KILLED = -1  # exit status of a dvc whose supervisor could not tell it
LONGEST_LINE = 2000
CHATTER = (  # of dvc, about git, after every stage; the log file keeps it
    "To track the changes with git", "git add ", "To enable auto staging", "dvc config core.autostage",
    "Use `dvc push`", "Updating lock file", "Generating lock file",
)  # fmt: skip


def judge(
    stage: Stage, reader: "Reader", device: str, timed_out: bool, cancelled: bool
) -> tuple[Result, bool]:
    """The outcome by DVC's words and the exit status; whether a retry makes sense."""
    done = Result(stage.name, reader.outcome or UNCHANGED, device=device, memory=reader.memory)
    if reader.code == 0:
        return done, False
    if timed_out:
        why = f"longer than {stage.meta.timeout:.0f} s (meta.timeout)"
        return replace(done, outcome=TIMEOUT, why=why), True
    if cancelled:
        return replace(done, outcome=CANCELLED), False
    if reader.busy:
        return replace(done, outcome=BUSY, why=f"waiting: its files are held by {reader.busy}"), False
    return replace(done, outcome=FAILED, why=reader.reason()), reader.status != USER_ERROR


class Reader:
    """The output of one child: lines go to the listener, DVC's words to the outcome."""

    def __init__(self, stage: str, listener: Listener) -> None:
        self.stage, self.listener = stage, listener
        self.rest = b""
        self.last: deque[str] = deque(maxlen=20)
        self.error, self.fault, self.busy, self.outcome = "", "", "", ""  # error: the stage's, fault: DVC's
        self.status: int | None = None  # of the stage's command
        self.code, self.memory = KILLED, 0  # of dvc, as the supervisor tells it

    def feed(self, content: bytes) -> None:
        """Progress bars rewrite their line by carriage returns: only what stands at its end counts."""
        *lines, self.rest = (self.rest + content).split(b"\n")
        if len(self.rest) > LONGEST_LINE:
            _, bar, last = self.rest.rstrip(b"\r").rpartition(b"\r")
            lines, self.rest = (lines, last) if bar else ([*lines, self.rest], b"")
        for line in lines:
            self._line(line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace").rstrip())

    def close(self) -> None:
        if self.rest:
            self.feed(b"\n")

    def _line(self, text: str) -> None:
        if self._told(*text.partition(" ")) or not text or text.lstrip().startswith(CHATTER):
            return
        self._understand(text)
        text = text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]} ..."
        self.last.append(text)
        self.listener.line(self.stage, text)

    def _told(self, mark: str, _: str, text: str) -> bool:
        """Whether the line was one for programs; a stage may print what only looks like one."""
        if mark not in ("@progress", "@epoch", "@exit"):
            return False
        try:
            values = json.loads(text)
            if mark == "@progress":
                what = values["unit"] if "unit" in values else values["what"]
                told = str(what), int(values["done"]), int(values["total"])
            elif mark == "@exit":
                self.code, self.memory = int(values["code"]), int(values["memory"])
            elif not isinstance(values, dict):
                return False
        except (ValueError, TypeError, KeyError):
            return False
        if mark == "@progress":
            self.listener.progress(self.stage, *told)
        elif mark == "@epoch":
            self.listener.epoch(self.stage, values)
        return True

    def _understand(self, text: str) -> None:
        """DVC's own words, as of the pinned version (tests/pipeline/engine/test_stage.py)."""
        if text.startswith("Running stage '"):
            self.outcome = RAN
        elif text.startswith("Stage '") and "is cached - skipping run" in text:
            self.outcome = RESTORED
        elif text.startswith("Stage '") and text.endswith("didn't change, skipping"):
            self.outcome = UNCHANGED
        elif text.startswith("error: "):
            self.error = text.removeprefix("error: ")
        elif "is busy, it is being blocked by" in text:
            self.busy = text
        elif self.busy and text.lstrip().startswith("(PID"):
            self.busy = text.strip()
        elif text.startswith("ERROR: "):
            self._dvc_error(text.removeprefix("ERROR: "))

    def _dvc_error(self, text: str) -> None:
        text = re.sub(r"^failed to reproduce '[^']*': |^unexpected error - ", "", text)
        if found := re.search(r"^failed to run: .*, exited with (-?\d+)$", text):
            self.status = int(found[1])
        else:
            self.fault = text

    def reason(self) -> str:
        """Why it failed, in one line: what the stage said, how it ended, or what DVC said."""
        if self.error:
            return self.error
        if self.status is not None and (self.status < 0 or self.status > 128):
            number = -self.status if self.status < 0 else self.status - 128
            return f"its process was ended by {_signal(number)}"
        if self.code in (KILLED, 128 + signal.SIGKILL):
            return "dvc or its supervisor was killed"
        if self.fault:
            return f"dvc: {self.fault}"
        words = [text for text in self.last if not text.startswith(("ERROR: ", "Running stage '", "> "))]
        return words[-1] if words else f"exit status {self.code if self.status is None else self.status}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
