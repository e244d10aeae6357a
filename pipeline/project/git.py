"""git as the pipeline asks it: a command's output, commits by name, files of a commit."""

import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

BRANCH = "wsss/run/"  # of what a finished run has found
SETTINGS = (  # the user's hooks, name and signature are for the user's work
    "-c", "core.hooksPath=/dev/null", "-c", "user.name=wsss", "-c", "user.email=wsss@localhost",
    "-c", "commit.gpgsign=false",
)  # fmt: skip


def run(root: Path, *arguments: str) -> str:
    """The output of a git command. ValueError with git's words when it fails."""
    done = subprocess.run(
        ["git", *SETTINGS, *arguments], cwd=root, capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode:
        raise ValueError(f"git {arguments[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def main_root(root: Path) -> Path:
    """The project in the main worktree, wherever `root` is."""
    common = Path(run(root, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    inside = run(root, "rev-parse", "--show-prefix").strip("/")
    return common.parent / inside if common.name == ".git" else root


def resolve(root: Path, revision: str) -> str:
    """The commit that a name means."""
    try:
        return run(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except ValueError:
        raise ValueError(f"git knows no revision {revision!r}") from None


def branches(root: Path) -> list[str]:
    """The names of finished runs."""
    text = run(root, "for-each-ref", "--format=%(refname:short)", f"refs/heads/{BRANCH}")
    return [line.removeprefix(BRANCH) for line in text.splitlines()]


def reader(root: Path, commit: str, folder: str = "stages") -> Callable[[str], bytes | None]:
    """The files of a folder as a commit has them, by path; None for what it does not have."""
    listed = run(root, "ls-tree", "-r", "--name-only", commit, "--", folder)
    return contents(root, commit, listed.splitlines()).get


def contents(root: Path, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
    """Files of a commit byte by byte, in one process of git; left out is what it does not have."""
    wanted = [path for path in paths if "\n" not in path]
    asked = "".join(f"{commit}:./{path}\n" for path in wanted).encode()
    command = ["git", *SETTINGS, "cat-file", "--batch"]
    answer = subprocess.run(command, cwd=root, input=asked, capture_output=True).stdout
    found, place = {}, 0
    for path in wanted:
        head, _, _ = answer[place:].partition(b"\n")
        place += len(head) + 1
        if match := re.fullmatch(rb"[0-9a-f]{40,64} ([a-z]+) (\d+)", head):
            size = int(match[2])
            if match[1] == b"blob":
                found[path] = answer[place : place + size]
            place += size + 1
    return found
