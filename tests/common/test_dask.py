"""Per-picture work on the workers of a Dask scheduler: the same bytes as alone, whatever dies in between."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from stages.classifier.network import build_classifier
from stages.common import fingerprint, items
from stages.common.cluster import address, child, code, shards, worker
from stages.common.items import Item, map_items
from stages.common.networks import store
from stages.common.params import check
from stages.common.pictures import Picture, loaded
from stages.common.training.params import Encoder
from stages.seeds import __main__ as seeds
from stages.seeds.params import Seeds
from tests.common.conftest import Marked
from tests.common.dasked import (
    AHEAD,
    ALL,
    HANGS,
    WAITS,
    Inner,
    Sized,
    Sizes,
    double,
    hanging,
    remembering,
    some_hang,
    wait_until,
    waiting,
    work,
)  # fmt: skip
from tests.conftest import drawn

pytest.importorskip("distributed")

OUT, STORE = Path("out"), Path(".scratch/items/step")
CHILD = "stages.common.cluster.child"


class Dask:
    """A scheduler and workers, as a person starts them, known by the mark in their environment."""

    def __init__(self, marked: Marked, folder: Path) -> None:
        self._env, self._file = {**marked.env, "WSSS_DEVICE": "cpu"}, folder / "scheduler.json"
        self._all: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard")
        deadline = time.monotonic() + 60
        while not self._file.exists() or not self._file.stat().st_size:  # it is there before it is written
            assert time.monotonic() < deadline and self.scheduler.poll() is None
            time.sleep(0.05)
        self.address: str = json.loads(self._file.read_text())["address"]

    def worker(self, **env: str) -> subprocess.Popen[bytes]:
        return self._start("worker", "--nthreads", "1", "--no-nanny", "--death-timeout", "60", **env)

    def _start(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        self._all.append(
            subprocess.Popen(
                [sys.executable, "-m", "dask", *command, "--scheduler-file", str(self._file)],
                env={**self._env, **env}, cwd=self._file.parent,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip
        return self._all[-1]

    def stop(self) -> None:
        for process in self._all:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def started(marked: Marked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A scheduler with three workers."""
    found = Dask(marked, tmp_path_factory.mktemp("dask"))
    for _ in range(3):
        found.worker()
    yield found
    found.stop()


@pytest.fixture
def three(started: Dask, monkeypatch: pytest.MonkeyPatch) -> Dask:
    monkeypatch.setenv("WSSS_DASK", started.address)
    return started


@pytest.fixture
def own(marked: Marked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dask]:
    """A scheduler for one test, without workers."""
    found = Dask(marked, tmp_path)
    monkeypatch.setenv("WSSS_DASK", found.address)
    yield found
    found.stop()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    return tmp_path


def files(out: Path = OUT) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def doubled(*numbers: int) -> dict[str, bytes]:
    texts = {f"p{n}.txt": str(2 * n).encode() for n in numbers}
    return texts | {f"sub/p{n}.bin": bytes([n]) for n in numbers}


# A real step -----------------------------------------------------------------------------------------


ENCODER = {
    "name": "small", "output_stride": 8, "weights": {"source": "none", "name": "", "sha256": ""},
    "mean": [0.5] * 3, "std": [0.25] * 3, "freeze": [], "batch_norm": "train",
}  # fmt: skip
SEEDS = {
    "method": "vgatt", "layer": "encoder.levels.2", "flip": True, "normaliser": "max", "precision": "fp32",
    "scales": [1.0, 1.5], "negatives": "drop",
}  # fmt: skip


def classifier(seed: int) -> None:
    torch.manual_seed(seed)
    model = build_classifier(Encoder.model_validate(ENCODER), 3).eval()
    torch.nn.init.normal_(model.head.weight)
    config = {"classes": ["background", "a", "b", "c"], "encoder": ENCODER}
    store.save_network(seeds.CLASSIFIER, model, config, [{"epoch": 1, "loss": 0.0}])
    seeds._classifier.cache_clear()


def pictures() -> list[Picture]:
    rng, found = np.random.default_rng(0), []
    for n in range(7):
        height, path = (33, 41)[n % 2], Path(f"{n}.png")
        cv2.imwrite(str(path), rng.integers(0, 255, (height, 50, 3)).astype(np.uint8))
        found.append(Picture(str(n), path, "train", 50, height, tuple(range(1, n % 3 + 2))))
    return found


def maps(out: str) -> tuple[str, dict[str, bytes]]:
    weights = fingerprint.file_hash(seeds.CLASSIFIER / "weights.safetensors")
    compute = seeds.SeedMaps(check(Seeds, SEEDS, "test"), "cpu")
    todo = [Item(p.id, fingerprint.key(weights, out, p.content_hash()), p) for p in pictures()]
    line = map_items("seeds", Path(out), todo, compute, read=loaded, **items.on("cpu"))
    return line, files(Path(out))


def test_three_workers_give_the_bytes_of_one_process(started: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier(0)
    _, alone = maps("alone")
    monkeypatch.setenv("WSSS_DASK", started.address)
    line, there = maps("there")
    assert "7 pictures, 0 reused, 7 computed" in line
    assert there == alone and len(there) == 7
    assert not list(Path(".scratch/dask").iterdir())


def test_workers_that_live_on_read_the_network_of_now(three: Dask, marked: Marked, folder: Path) -> None:
    for text in ("first", "second"):
        Path("network").write_text(text)
        todo = [Item(f"p{n}", f"{text}{n}", n) for n in range(1, 7)]
        map_items("step", OUT, todo, remembering)
        assert set(files().values()) == {text.encode()} and len(files()) == 6
    wait_until(lambda: not computing(marked, folder))  # the job is over, the workers stay


# Who is lost, and who is slow -------------------------------------------------------------------------


def beside(action: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(three: Dask, marked: Marked) -> None:
    lost = three.worker(**{HANGS: "1"})

    def kill() -> None:
        wait_until(lambda: list(Path().glob("hangs*")))
        lost.kill()

    wait_until(lambda: len(workers(three)) == 4)
    thread = beside(kill)
    assert "0 reused, 40 computed" in map_items("step", OUT, work(*range(1, ALL + 1)), hanging)
    thread.join()
    assert files() == doubled(*range(1, ALL + 1)) and list(Path().glob("hangs*"))
    wait_until(lambda: len(workers(three)) == 3)


class Answered:
    """A future that is done at once."""

    status = "finished"

    def __init__(self, key: str) -> None:
        self.key = key

    def add_done_callback(self, tell: Callable[[Any], None]) -> None:
        tell(self)

    def result(self, timeout: float) -> tuple[str, list[Any]]:
        return child.DONE, [{}]


class Dwindling:
    """A client whose scheduler has four workers, and one after the first look."""

    def __init__(self) -> None:
        self.threads, self.sent = iter([4]), 0

    def nthreads(self) -> dict[str, int]:
        return {str(worker): 1 for worker in range(next(self.threads, 1))}

    def submit(self, *_: Any, key: str, **__: Any) -> Answered:
        self.sent += 1
        return Answered(key)

    def cancel(self, futures: list[Any]) -> None:
        pass


def test_less_is_under_way_where_workers_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Dwindling()
    run = shards._Run("local:4", client, Path("job"))  # type: ignore[arg-type]
    run.await_workers()
    results, under_way = run.results([[n] for n in range(20)]), []
    for number, _ in enumerate(results):
        monkeypatch.setattr(shards, "LOOK", 0)  # from now on it looks each time
        under_way.append(client.sent - number)
    assert len(under_way) == 20 and under_way[0] == 4 * shards.AHEAD and under_way[8] == shards.AHEAD


def workers(dask: Dask) -> dict[str, int]:
    from distributed import Client

    with Client(dask.address, set_as_default=False) as client:
        found: dict[str, int] = client.nthreads()
        return found


def test_a_slow_worker_does_not_stop_the_others(three: Dask) -> None:
    slow = three.worker(**{WAITS: "1"})
    wait_until(lambda: len(workers(three)) == 4)
    map_items("step", OUT, work(*range(1, ALL + 1)), waiting)
    slow.kill()
    assert files() == doubled(*range(1, ALL + 1))
    assert 1 <= len(list(Path("slow").iterdir())) <= AHEAD
    wait_until(lambda: len(workers(three)) == 3)


def test_what_was_done_before_the_scheduler_died_is_kept(
    own: Dask, marked: Marked, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.worker()

    def kill() -> None:
        wait_until(lambda: list(Path().glob("hangs*")) and len(list(STORE.iterdir())) == 3)
        own.scheduler.kill()

    thread = beside(kill)
    with pytest.raises(ValueError, match=r"^WSSS_DASK=tcp://\S+: the Dask scheduler is gone or took back"):
        map_items("step", OUT, work(*range(1, 7)), some_hang)
    thread.join()
    wait_until(lambda: not computing(marked, OUT.absolute().parent))
    monkeypatch.delenv("WSSS_DASK")
    assert "6 pictures, 3 reused, 3 computed" in map_items("step", OUT, work(*range(1, 7)), double)
    assert files() == doubled(*range(1, 7))


def computing(marked: Marked, project: Path) -> list[str]:
    """The processes that compute for a project."""
    return [line for line in marked.alive().values() if CHILD in line and str(project) in line]


STAGE = """
from pathlib import Path
from stages.common.items import map_items
from tests.common.dasked import some_hang, work

if __name__ == "__main__":
    try:
        map_items("step", Path("out"), work(4, 5, 6, 7), some_hang)
    except KeyboardInterrupt:
        raise SystemExit(130)
"""


@pytest.mark.parametrize("number", drawn([signal.SIGKILL, signal.SIGINT, signal.SIGTERM], 2))
def test_nothing_is_computed_for_a_stage_that_is_gone(
    three: Dask, marked: Marked, number: int, folder: Path
) -> None:
    Path("stage.py").write_text(STAGE)
    env = {**marked.env, "WSSS_DASK": three.address}
    stage = subprocess.Popen([sys.executable, "stage.py"], env=env, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(list(folder.glob("hangs*"))) == 3)
    assert len(computing(marked, folder)) == 3
    stage.send_signal(number)
    said = stage.communicate(timeout=30)[1]
    assert stage.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in said and "Error" not in said, said
    wait_until(lambda: not computing(marked, folder))
    assert "0 reused, 3 computed" in map_items("step", OUT, work(1, 2, 3), double)  # they are free again


def test_a_picture_whose_process_always_dies_is_told(three: Dask) -> None:
    with pytest.raises(ValueError, match=r"^a picture's work ended .* ended with status -9\): mostly the k"):
        map_items("step", OUT, work(0), double)
    assert "1 computed" in map_items("step", OUT, work(1), double)


def test_an_error_of_one_picture_is_the_same_as_alone(three: Dask) -> None:
    with pytest.raises(ValueError) as raised:
        map_items("step", OUT, work(1, 2, -1), double)
    assert str(raised.value) == "a negative picture: -1"
    assert "in double" in raised.value.__notes__[0]  # where it happened, for a traceback
    assert not OUT.exists()
    map_items("step", OUT, work(1, 2), double)  # whatever was done before it is kept
    assert files() == doubled(1, 2)


@pytest.mark.parametrize("dask", ["three", "local:2"])
def test_groups_and_what_is_read_of_a_task_go_there_too(
    dask: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dask == "three":
        request.getfixturevalue(dask)
    else:
        monkeypatch.setenv("WSSS_DASK", dask)
    line = map_items("step", OUT, work(*range(1, 12)), double, read=abs, batches=items.groups_of(4))
    assert "0 reused, 11 computed" in line and files() == doubled(*range(1, 12))
    assert map_items("step", OUT, work(-12), double, read=abs) and files()["p-12.txt"] == b"24"


# Where a worker computes ------------------------------------------------------------------------------


def test_a_worker_computes_on_its_own_device_in_the_project_s_folder(three: Dask, folder: Path) -> None:
    """Batches of a GPU are taken apart where it is a CPU, whose bytes may depend on them."""
    todo = [Item(f"p{n}", f"key{n}", Sized()) for n in range(130)]
    assert items.on("cpu") == items.on("cuda") == {"batches": items.by_size, "processes": 0}
    map_items("step", OUT, todo, Sizes(Inner("cuda:3")), **items.on("cuda"))
    assert set(files().values()) == {f"cpu 1 {folder}".encode()} and len(files()) == 130


def test_only_the_place_of_a_compute_is_changed() -> None:
    assert child.placed(Sizes(Inner("cuda", Path("b"))), "cpu") == Sizes(Inner("cpu", Path("b")))
    assert child.has_place(Sizes(Inner("cuda"))) and not child.has_place(double)
    assert child.placed(double, "cpu") is double


def test_results_under_a_device_s_name_come_of_that_device(three: Dask) -> None:
    with pytest.raises(ValueError, match=r"of no use: it computes on cpu, .* are kept under says cuda$"):
        map_items("step", OUT, work(1), double, device="cuda")
    assert "1 computed" in map_items("step", OUT, work(1), double, device="cpu")


def test_work_that_is_to_stay_here_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSSS_DASK", "tcp://127.0.0.1:1")
    map_items("step", OUT, work(1), double, alone=True)
    assert files() == doubled(1)
    assert "1 reused, 0 computed" in map_items("step", OUT, work(1), double)  # nothing to do, nobody to ask


# Who is refused ---------------------------------------------------------------------------------------


def test_a_worker_with_other_libraries_or_code_is_refused(
    three: Dask, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = code.code()
    file = "stages/common/items.py"
    for name, value, said in (
        ("numpy", "1.0", f"it has numpy {real['numpy']}, the stage 1.0: install what constraints"),
        (file, "0", f"its {file} is not the stage's: bring its clone to the same commit"),
        ("stages/new.py", "0", r"its stages/new.py is not the stage's"),
    ):
        monkeypatch.setattr(code, "code", lambda name=name, value=value: real | {name: value})
        with pytest.raises(ValueError, match=rf"^a worker of tcp://\S+ is of no use: {said}"):
            map_items("step", OUT, work(1), double)
    assert not OUT.exists()
    monkeypatch.setattr(code, "code", lambda: real)
    monkeypatch.setattr(worker, "OWN", "older")
    with pytest.raises(ValueError, match=r"it runs other code of worker.py than the stage: start it anew"):
        map_items("step", OUT, work(1), double)


def test_code_is_every_file_of_the_steps_and_a_version_without_its_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "version", lambda name: "2.13.0+cpu" if name == "torch" else "1")
    (tmp_path / "stages/seeds").mkdir(parents=True)
    (tmp_path / "stages/seeds/cam.py").write_text("")
    found = code.code(tmp_path)
    assert found["torch"] == "2.13.0" and found["numpy"] == "1"
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert found["stages/seeds/cam.py"] == empty and len(found) == 1 + len(fingerprint.LIBRARIES)
    assert code.difference(found, found) == "" and "cam.py" in code.difference({}, {"stages/cam.py": "1"})


def test_a_worker_that_does_not_see_the_project_says_so(tmp_path: Path) -> None:
    word, said = worker.compute(str(tmp_path / "nowhere"), str(tmp_path), worker.OWN, [1])
    assert word == child.REFUSED and said.startswith(f"it does not see {tmp_path / 'nowhere'}: it needs")


@pytest.mark.parametrize("wrong", ["local:0", "local:", "foo", "tcp://host", "http://host:8786", "host:8786"])
def test_what_names_no_scheduler_is_one_line(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSSS_DASK", wrong)
    with pytest.raises(ValueError, match=rf"^WSSS_DASK={wrong}: give tcp://HOST:PORT of .*local:N for N pro"):
        map_items("step", OUT, work(1), double)


def test_names_of_schedulers(monkeypatch: pytest.MonkeyPatch) -> None:
    for right, number in (("local:12", 12), ("tcp://a.b:8786", 0), ("tls://[::1]:8786", 0), ("", 0)):
        monkeypatch.setenv("WSSS_DASK", right)
        assert address.asked() == right and address.local(right) == number


@pytest.mark.parametrize("other", ["nobody", "silent", "a mail server"])
def test_no_scheduler_is_one_line_and_deletes_nothing(other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    map_items("step", OUT, work(1), double)
    monkeypatch.setattr(address.reach, "__defaults__", (0.5,))
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        if other != "nobody":
            there.listen()
        greeting = beside(lambda: there.accept()[0].send(b"220 ready\r\n")) if "mail" in other else None
        monkeypatch.setenv("WSSS_DASK", f"tcp://127.0.0.1:{there.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(
            ValueError, match=r"^WSSS_DASK=tcp://\S+: no Dask scheduler answers there \(.*\):"
        ):
            map_items("step", OUT, work(2), double)
        if greeting:
            greeting.join()
    assert time.monotonic() - began < 8
    assert files() == doubled(1) and not list(Path(".scratch/dask").iterdir())


def test_a_scheduler_without_workers_is_waited_for_and_then_told(
    own: Dask, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shards, "PATIENCE", 1.0)
    with pytest.raises(ValueError, match=r"^WSSS_DASK=tcp://\S+: no worker for 1 s: start some \(`dask w"):
        map_items("step", OUT, work(1), double)
    assert f"waiting up to 1 s for a worker of {own.address}" in capfd.readouterr().err
    monkeypatch.setattr(shards, "PATIENCE", 60.0)
    own.worker()
    assert "1 computed" in map_items("step", OUT, work(1), double)


def test_without_dask_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSSS_DASK", "local:2")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r'^WSSS_DASK=local:2 needs Dask \(.*\): pip install .*"\.\[dask\]"'):
        map_items("step", OUT, work(1), double)


def test_steps_do_not_import_dask() -> None:
    said = "import sys, stages.common.items; print(*{m.split('.')[0] for m in sys.modules})"
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert not {"dask", "distributed", "tornado"} & set(found.stdout.split()) and "stages" in found.stdout
