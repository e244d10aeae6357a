"""What the orchestration costs: nothing to do, two stages at once, and the whole demo against `dvc repro`.

- nothing to do: a project that is up to date; `wsss run`, and the flow against a running server, the
  start of Python included, beside `dvc repro`;
- two stages of 10 s that do not wait for each other, with -j 2;
- the recipe on 12 pictures from nothing, by `dvc repro` and by the flow, one after the other in two
  clones; and the whole demo (`--demo`: takes twice as long as the demo).

Run it from the root of a project that is up to date, on an idle machine:
`python -m benchmarks.orchestration [--demo]`; it writes benchmarks/results/orchestration.csv, seconds
beside the goal. They are of that machine; the ratio is what travels.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import median_time, save
from pipeline.project import presets

Row = tuple[str, str, str, str]
PYTHON = sys.executable
FLOW = "import sys; from pipeline.flows.flow import wsss; wsss(jobs=int(sys.argv[1]))"
SMALL: dict[str, Any] = {
    "generate.train": 8, "generate.val": 4, "generate.size": 64, "generate.classes": 3,
    **{
        f"{step}.{key}": value
        for step in ("classifier", "affinity", "segmenter")
        for key, value in {"augment.crop": 64, "batch": 4, "epochs": 2}.items()
    },
}  # fmt: skip
TWO_STAGES = """\
stages:
  one: {cmd: sleep 10 && echo 1 > one, deps: [params.yaml], outs: [one]}
  two: {cmd: sleep 10 && echo 2 > two, deps: [params.yaml], outs: [two]}
"""


def main() -> None:
    rows: list[Row] = [("what", "seconds", "goal", "against_dvc_repro")]
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as environment:
        rows += nothing_to_do(environment) + two_stages(Path(folder) / "two")
        rows += from_nothing(Path(folder), environment, "12 pictures", SMALL)
        if "--demo" in sys.argv:
            rows += from_nothing(Path(folder), environment, "the demo", {})
    save("orchestration", rows)


def nothing_to_do(environment: dict[str, str]) -> list[Row]:
    here = Path.cwd()
    repro = timed(here, "dvc", "repro", times=3)
    run = timed(here, PYTHON, "-m", "pipeline.cli", "run", times=3)
    plan = timed(here, PYTHON, "-m", "pipeline.cli", "plan", times=3)
    flow = timed(here, PYTHON, "-c", FLOW, "1", environment=environment, times=3)
    return [
        ("nothing to do, wsss run", f"{run:.1f}", "< 5", f"{run / repro:.2f}"),
        ("nothing to do, flow", f"{flow:.1f}", "< 10", f"{flow / repro:.2f}"),
        ("wsss plan", f"{plan:.1f}", "< 3", f"{plan / repro:.2f}"),
    ]


def two_stages(folder: Path) -> list[Row]:
    folder.mkdir()
    (folder / "dvc.yaml").write_text(TWO_STAGES)
    (folder / "params.yaml").write_text("{}\n")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    took = timed(folder, PYTHON, "-m", "pipeline.cli", "run", "-j", "2")
    (folder / "dvc.lock").unlink()
    repro = timed(folder, "dvc", "repro", "--force")
    return [("two stages of 10 s, -j 2", f"{took:.1f}", "< 13", f"{took / repro:.2f}")]


def from_nothing(folder: Path, environment: dict[str, str], what: str, values: dict[str, Any]) -> list[Row]:
    """The recipe in two clones, each with a cache and a scratch folder of its own.

    What the flow costs hangs on the number of stages and not on their size.
    """
    for name in ("repro", "flow"):
        subprocess.run(["git", "clone", "-q", str(Path.cwd()), str(folder / what / name)], check=True)
        presets.set_values(folder / what / name, values)
    repro = timed(folder / what / "repro", "dvc", "repro")
    flow = timed(folder / what / "flow", PYTHON, "-c", FLOW, "1", environment=environment)
    return [
        (f"{what}, dvc repro", f"{repro:.0f}", "", "1.00"),
        (f"{what}, flow", f"{flow:.0f}", "", f"{flow / repro:.2f}"),
    ]


def timed(folder: Path, *command: str, environment: dict[str, str] | None = None, times: int = 1) -> float:
    path = f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}"
    values = {**os.environ, "PATH": path, "PYTHONPATH": str(Path.cwd()), **(environment or {})}

    def work() -> None:
        subprocess.run(command, cwd=folder, env=values, check=True, stdout=subprocess.DEVNULL)

    return median_time(work, times)[0]


@contextmanager
def server(folder: Path) -> Iterator[dict[str, str]]:
    """A Prefect server of its own; yields the environment of its clients."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    environment = {
        "PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": url, "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_LEVEL": "WARNING",
    }  # fmt: skip
    command = [PYTHON, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"{url}/health")
        yield environment
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise ValueError(f"the server does not answer at {url}")


if __name__ == "__main__":
    main()
