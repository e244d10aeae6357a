"""Runs modules in forks of a process that has their libraries loaded: `python tests/warm/server.py SOCKET`.

It ends with its standard input. Nothing of this project is loaded before a fork: a copy of it has its own.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "stages",  # first: it makes torchvision importable
    *("configobj", "dulwich.patch", "dulwich.worktree", "dvc._debug", "dvc.cachemgr", "dvc.dirs"),
    *("dvc.cli", "dvc.cli.parser", "dvc.commands.repro", "dvc.data_cloud", "dvc.repo.trie"),
    *("dvc.repo", "dvc.repo.artifacts", "dvc.repo.datasets", "dvc.repo.graph", "dvc.repo.index"),
    *("dvc.repo.metrics", "dvc.repo.open_repo", "dvc.repo.params", "dvc.repo.plots", "dvc.repo.reproduce"),
    *("dvc.repo.stage", "dvc.rwlock", "dvc.scm", "dvc.utils.strictyaml", "dvc_data.hashfile.db.local"),
    *("dvc_data.hashfile.status", "flatten_dict", "flufl.lock", "fsspec.implementations.memory", "networkx"),
    *("platformdirs.unix", "psutil", "pygit2", "ruamel.yaml.mergevalue", "scmrepo.git", "zc.lockfile"),
    *("concurrent.futures.process", "cv2", "numpy", "pandas", "PIL.BmpImagePlugin", "PIL.GifImagePlugin"),
    *("PIL.Image", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin", "pydantic.fields", "pydantic.main"),
    *(
        "pydantic.functional_validators",
        "pydantic.json_schema",
        "pydantic.plugin._loader",
        "pydensecrf.densecrf",
    ),
    *("rich._emoji_codes", "rich.progress", "safetensors.torch", "scipy.sparse", "skimage.segmentation"),
    *("torch", "torch.profiler._cupti_monitor", "torch.utils.serialization", "typer", "xml.sax.saxutils"),
    *("torchmetrics.functional.classification", "lightning.fabric", "segmentation_models_pytorch"),
)


def main() -> None:
    path = sys.argv[1]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{path}.new")
        listener.listen(64)  # whoever comes too early waits
        os.rename(f"{path}.new", path)  # whoever sees it can connect
        load()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a keeper has ended
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return keep(connection)
            connection.close()


def load() -> None:
    sys.path.insert(0, str(ROOT))
    for name in LIBRARIES:
        importlib.import_module(name)
    importlib.import_module("tests.warm.locks").install()
    for name in [name for name in sys.modules if name.split(".")[0] in ("stages", "tests")]:
        del sys.modules[name]
    gc.freeze()  # a collection in a fork would copy what it looks at


def keep(client: socket.socket) -> None:
    """Start what a client asks for, and stand between the two until one of them ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, _, _ = socket.recv_fds(client, 4, 3)
    left, text = int.from_bytes(size, "big"), b""
    while len(text) < left:
        text += client.recv(left - len(text))
    child = os.fork()
    if child == 0:
        client.close()
        return become(json.loads(text), files)
    for file in files:
        os.close(file)
    ended = os.pidfd_open(child)
    while ended not in select.select([client, ended], [], [])[0]:
        number = client.recv(1)
        os.kill(child, number[0] if number else signal.SIGKILL)  # nothing to read: the client was killed
        if not number:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    client.sendall(status.to_bytes(4, "big", signed=True))
    os._exit(0)


def become(request: dict[str, Any], files: list[int]) -> None:
    """`python -m MODULE` with the client's files, folder and environment."""
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    module, *arguments = request["command"]
    sys.argv = ["-m", *arguments]  # as it is while Python looks for the module
    more = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:2] = [request["folder"], *(path for path in more if path)]
    importlib.invalidate_caches()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        leave(0)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        leave(end.code if isinstance(end.code, int) else int(end.code is not None))
    except BaseException:
        traceback.print_exc()
        leave(1)


def leave(status: int) -> NoReturn:
    """As the interpreter ends, save that it takes nothing apart, which would copy all that was loaded."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


main()
