"""The plan over a large graph: 60 stages, 10,000 files, in a project made for it.

Four stages write 2,500 small files each; 56 read them: each one of the four folders and, in chains of
seven, the stage before. The graph is run once. Then, the start of Python included:

- `wsss plan` and `wsss run` with nothing to do, beside `dvc repro`, which says the same;
- `wsss plan` in a copy of the project, whose files DVC has never seen;
- `wsss plan` after a change at the top, so that all keys are looked up in the run cache;
- `wsss plan` after the same change has been made and unmade: all must be restored.

Run it from the project's root: `python -m benchmarks.plan`; it writes benchmarks/results/plan.csv, seconds
beside the goal. They are of that machine; the ratio is what travels.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import median_time, save

FOLDERS, FILES, READERS, CHAIN = 4, 2500, 56, 7
WRITE = """\
import os, pathlib, sys
out, seed, count = pathlib.Path(sys.argv[1]), open("seed").read(), int(sys.argv[2])
out.mkdir(parents=True)
for n in range(count):
    (out / f"{n:05}.txt").write_text(f"{out.name} {seed} {n}")
"""
READ = """\
import hashlib, pathlib, sys
digest = hashlib.md5()
for path in map(pathlib.Path, sys.argv[2:]):
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        digest.update(file.read_bytes())
pathlib.Path(sys.argv[1]).write_text(digest.hexdigest())
"""


def main() -> None:
    rows: list[tuple[str, str, str, str]] = [("what", "seconds", "goal", "against_dvc_repro")]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "large"
        make(project)
        wsss(project, "run", "-j", "2")
        repro = timed(project, "dvc", "repro")
        for command, goal in (("plan", "< 5"), ("run", "")):
            took = timed(project, sys.executable, "-m", "pipeline.cli", command)
            rows.append((f"wsss {command}, nothing to do", f"{took:.1f}", goal, f"{took / repro:.2f}"))
        copy = shutil.copytree(project, project.with_name("copy"), symlinks=True)
        took = timed(copy, sys.executable, "-m", "pipeline.cli", "plan", times=1)
        rows.append(("wsss plan, all files hashed", f"{took:.1f}", "< 5", ""))
        wanted = {"will run": FOLDERS, "may run": READERS}
        rows.append(("wsss plan, all may run", *after_a_change(project, "other", wanted), ""))
        wsss(project, "run", "-j", "2")
        wanted = {"restorable": FOLDERS + READERS}
        rows.append(("wsss plan, all restorable", *after_a_change(project, "first", wanted), ""))
    save("plan", rows)


def make(root: Path) -> None:
    """The project; nothing has run yet."""
    stages: dict[str, Any] = {}
    for n in range(FOLDERS):
        command = f"python write.py folder-{n} {FILES}"
        stages[f"folder-{n}"] = {"cmd": command, "deps": ["write.py", "seed"], "outs": [f"folder-{n}"]}
    for n in range(READERS):
        reads = [f"folder-{n % FOLDERS}"] + ([f"reader-{n - 1}"] if n % CHAIN else [])
        command = f"python read.py reader-{n} {' '.join(reads)}"
        stages[f"reader-{n}"] = {"cmd": command, "deps": ["read.py", *reads], "outs": [f"reader-{n}"]}
    root.mkdir()
    for name, text in (("write.py", WRITE), ("read.py", READ), ("seed", "first"), ("params.yaml", "{}\n")):
        (root / name).write_text(text)
    (root / "dvc.yaml").write_text(json.dumps({"stages": stages}))  # which is YAML too
    for begin in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(begin, cwd=root, check=True, env=environment())


def after_a_change(root: Path, seed: str, wanted: dict[str, int]) -> tuple[str, str]:
    """Seconds of the plan and their goal; a plan that is not as `wanted` is no plan."""
    (root / "seed").write_text(seed)
    planned = json.loads(wsss(root, "plan", "--json"))["stages"]
    states = [stage["state"] for stage in planned]
    found = {state: states.count(state) for state in states}
    assert found == wanted, found
    return f"{timed(root, sys.executable, '-m', 'pipeline.cli', 'plan'):.1f}", "< 5"


def wsss(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(
        command, cwd=root, env=environment(), check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def timed(root: Path, *command: str, times: int = 3) -> float:
    def work() -> None:
        subprocess.run(command, cwd=root, env=environment(), check=True, stdout=subprocess.DEVNULL)

    return median_time(work, times)[0]


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(Path.cwd()), "DVC_NO_ANALYTICS": "1"}


if __name__ == "__main__":
    main()
