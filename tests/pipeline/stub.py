"""A project with the recipe's shape whose stages take no time: for tests of how stages are run.

Each stage `python work.py NAME` reads its section of params.yaml and its dependencies, and writes a
hash of them. Its section tells it how to behave: `seconds` to take, `fail` to fail, `hang` for ever,
`bytes` more to write, `meet` as many stages at work at the same time, or find itself `alone`, and `ignore`
its value. That it ran is noted in the file `trace`, or in that of STUB_TRACE.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import Project, new_repository

READS = {
    "parameters": [], "generate": [], "dataset": ["generate"], "classifier": ["dataset"],
    "seeds": ["dataset", "classifier"], "affinity_labels": ["dataset", "seeds"],
    "affinity": ["dataset", "affinity_labels"], "pseudo_labels": ["dataset", "seeds", "affinity"],
    "segmenter": ["dataset", "pseudo_labels"], "predictions": ["dataset", "segmenter"],
    "evaluation@seeds": ["dataset", "seeds"], "evaluation@crf": ["dataset", "affinity_labels"],
    "evaluation@pseudo_labels": ["dataset", "pseudo_labels"],
    "evaluation@predictions": ["dataset", "predictions"],
    "report": [
        "evaluation@seeds", "evaluation@crf", "evaluation@pseudo_labels", "evaluation@predictions",
    ],
}  # fmt: skip
WORK = """\
import hashlib, os, pathlib, signal, subprocess, sys, time
from ruamel.yaml import YAML
name = sys.argv[1]
params = YAML(typ="safe").load(pathlib.Path("params.yaml"))[name.split("@")[0]]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
digest = hashlib.sha256(b"" if params.get("ignore") else repr(params["value"]).encode())
for path in sys.argv[3:]:
    digest.update(pathlib.Path(path).read_bytes())
print(f"{name}: working", flush=True)
with open(os.environ.get("STUB_TRACE", "trace"), "a") as file:
    file.write(name + "\\n")
if params.get("children"):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
if params.get("hang"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
time.sleep(params.get("seconds", 0))
if params.get("meet"):
    open("here-" + name, "w").close()
    until = time.monotonic() + 30
    while len(list(pathlib.Path().glob("here-*"))) < params["meet"]:
        if time.monotonic() > until:
            sys.exit("error: it was alone")
        time.sleep(0.02)
if params.get("alone"):
    os.close(os.open("here-alone", os.O_CREAT | os.O_EXCL))
    time.sleep(0.3)
    os.unlink("here-alone")
if params.get("fail"):
    sys.exit("error: it was told to fail")
out = pathlib.Path(sys.argv[2])
partial = out.with_name(out.name + ".partial")
partial.write_text(digest.hexdigest() + " " * params.get("bytes", 0))
os.replace(partial, out)
"""


ABOVE = {  # the edges of dvc.yaml: a rung reads one thing, and all wait for the check of the parameters
    name: {*(reads[1:] if "@" in name else reads), *(["parameters"] if name != "parameters" else [])}
    for name, reads in READS.items()
}


def below(*names: str) -> list[str]:
    """What reads from these stages, or from what reads from them, in order."""
    found: list[str] = []
    for name, above in ABOVE.items():  # each comes after all that it reads from
        found += [name] if above & {*names, *found} else []
    return [name for name in found if name not in names]


def out(name: str) -> str:
    return "data/parameters.ok" if name == "parameters" else f"data/{name.replace('@', '-')}"


def stage(name: str, **meta: Any) -> dict[str, Any]:
    deps = ["data/parameters.ok"] * (name != "parameters") + [out(above) for above in READS[name]]
    entry: dict[str, Any] = {
        "cmd": f"python work.py {name} {out(name)} {' '.join(deps)}",
        "deps": [*deps, "work.py"] if name != "parameters" else ["params.yaml"],
        "params": [name.split("@")[0]],
        "outs": [out(name)],
    }
    if name == "parameters":  # as in the recipe: any change of params.yaml runs it, its bytes stay
        write = f"mkdir -p data && printf ok > {out(name)}"
        entry |= {"cmd": write, "meta": {"constant": True}}
        del entry["params"]
    if meta:
        entry.setdefault("meta", {}).update(meta)
    return entry


def make(root: Path, meta: dict[str, dict[str, Any]] | None = None) -> Project:
    """The project, nothing run yet; `meta` by stage."""
    root.mkdir(parents=True)
    (root / "work.py").write_text(WORK)
    (root / ".gitignore").write_text("/data/\n/.scratch\n/trace\n/here-*\n/.worktrees/\n__pycache__/\n")
    (root / ".dvcignore").write_text(".scratch\n.worktrees\n")
    yaml = YAML()
    stages = {name: stage(name, **(meta or {}).get(name, {})) for name in READS if "@" not in name}
    rungs = {name.split("@")[1]: {"reads": out(READS[name][1])} for name in READS if "@" in name}
    do = stage("evaluation@seeds", **(meta or {}).get("evaluation", {}))
    do["cmd"] = "python work.py evaluation@${key} data/evaluation-${key} data/parameters.ok ${item.reads}"
    do |= {"deps": ["data/parameters.ok", "${item.reads}", "work.py"], "outs": ["data/evaluation-${key}"]}
    stages["evaluation"] = {"foreach": rungs, "do": do}
    yaml.dump({"stages": stages}, root / "dvc.yaml")
    yaml.dump(
        {name.split("@")[0]: {"value": 0} for name in READS if name != "parameters"}, root / "params.yaml"
    )
    project = Project(root)
    new_repository(root)
    project.run("git", "add", "-A")
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "stub")
    return project


IGNORING = (
    "dataset", "classifier", "seeds", "affinity_labels", "affinity", "pseudo_labels", "predictions",
)  # fmt: skip


def build(root: Path) -> None:
    """The project, run and committed; the outputs of IGNORING do not depend on their own parameters."""
    project = make(root)
    for section in IGNORING:
        set_params(project, section, ignore=True)
    project.run("dvc", "repro", "-q")
    project.run("git", "add", "-A")
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "run")


def wsss(
    project: Project, *arguments: str, check: bool = True, **env: str
) -> subprocess.CompletedProcess[str]:
    return project.run(sys.executable, "-m", "pipeline.cli", *arguments, check=check, **env)


def set_params(project: Project, section: str, **values: Any) -> None:
    """Set values of a section of params.yaml, new ones too."""
    yaml, path = YAML(), project.root / "params.yaml"
    content = yaml.load(path)
    content[section].update(values)
    yaml.dump(content, path)


def traced(project: Project) -> list[str]:
    """The stages that computed since the last call, in order."""
    file = project.root / "trace"
    names = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return names


ROOT = os.fspath(Path(__file__).resolve().parents[2])
