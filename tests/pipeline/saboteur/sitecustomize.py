"""Kills a process of a run at its n-th touch of the project's files: for PYTHONPATH, Python imports it first.

WSSS_TEST_KILL is a JSON object: `program` (dvc or stage) and `stage` say which process counts, `at` which
touch it is (a number, or a pattern), `victim` whom to kill (self, dvc, supervisor, engine), `share` how much
of a file is left that is cut then, in percent. With a folder in WSSS_TEST_COUNT instead, all write down what
they would count, in PROGRAM-STAGE.
A touch is a moment before a file is opened to write, renamed, removed ..., or before a process is started.
Where a file is about to be written anew there is a second one, when it is cut short, as a kill leaves it.
"""

import json
import os
import re
import signal
import sys
import time

TOUCHES = {
    "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.link", "os.symlink", "os.truncate",
    "os.utime", "sqlite3.connect",
}  # fmt: skip
STARTS = {"subprocess.Popen", "os.posix_spawn"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND
WAITED_FOR = ("/.dvc/tmp/lock", "/.dvc/tmp/rwlock.lock")  # opened again and again until they are free
WORDS = {"dvc": "dvc --wait-for-lock", "supervisor": "supervisor.py", "engine": "pipeline.cli run"}


class Saboteur:
    def __init__(self, order: dict[str, object], root: str, record: str = "") -> None:
        self.order, self.root, self.record = order, root, record
        self.count, self.busy = 0, False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.busy or not self._touches(event, arguments):
            return
        self.busy = True  # what follows is no touch
        self._moment(f"{event} {self._name(arguments[0])}")
        path = arguments[0]
        if event == "open" and arguments[2] & os.O_TRUNC and os.path.isfile(path) and os.path.getsize(path):
            self._moment(f"cut {self._name(path)}", str(path))
        self.busy = False

    def _touches(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event in STARTS:
            return True
        path = arguments[0] if arguments and (event in TOUCHES or event == "open") else None
        if not isinstance(path, str) or not os.path.abspath(path).startswith(self.root):
            return False
        if event == "open":
            return (
                isinstance(arguments[2], int)
                and bool(arguments[2] & WRITES)
                and not path.endswith(WAITED_FOR)
            )
        return True

    def _name(self, path: object) -> str:
        return os.path.relpath(path, self.root) if isinstance(path, str) else repr(path)

    def _moment(self, what: str, cut: str | None = None) -> None:
        self.count += 1
        if self.record:
            with open(self.record, "a") as stream:
                stream.write(what + "\n")
        elif self.count == self.order["at"] or re.fullmatch(str(self.order["at"]), what):
            if cut:
                os.truncate(cut, os.path.getsize(cut) * int(self.order["share"]) // 100)
            self._strike(str(self.order["victim"]))

    def _strike(self, victim: str) -> None:
        pid = os.getpid() if victim == "self" else above(WORDS[victim])
        with open(os.path.join(self.root, "struck"), "w") as stream:
            stream.write(f"{victim} {pid}")
        os.kill(pid, signal.SIGKILL)
        if self.order["program"] != "dvc":  # so that nobody ends well who should have been ended
            time.sleep(600)


def above(words: str) -> int:
    """The process with these words in its command line, of those that this one runs in."""
    pid = os.getpid()
    while pid > 1:
        with open(f"/proc/{pid}/stat") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
        with open(f"/proc/{pid}/cmdline") as file:
            if words in file.read().replace("\0", " "):
                return pid
    raise AssertionError(f"no {words} above")


def role() -> tuple[str, str]:
    """Which program this process is, and of which stage; a stage is work.py, or a step of the recipe."""
    command = sys.orig_argv
    if "--single-item" in command[:-1]:
        return "dvc", command[command.index("--single-item") + 1]
    is_step = "-m" in command[:-1] and command[command.index("-m") + 1].startswith("stages.")
    return ("stage", os.environ.get("DVC_STAGE", "")) if is_step or "work.py" in command else ("", "")


def watch() -> None:
    sys.dont_write_bytecode = True  # a compiled module is no file of the project's
    mine, root = role(), os.getcwd()
    if (folder := os.environ.get("WSSS_TEST_COUNT")) and all(mine):
        sys.addaudithook(Saboteur({}, root, os.path.join(folder, "-".join(mine))))
    order = json.loads(os.environ.get("WSSS_TEST_KILL", "{}"))
    if order and mine == (order["program"], order["stage"]):
        sys.addaudithook(Saboteur(order, root))


watch()
