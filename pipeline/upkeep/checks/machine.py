"""What this machine can do: GPU, precision, disk space."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.memory import plan
from pipeline.memory.graph import open_repo
from pipeline.project import gpus, processor, sizes
from pipeline.upkeep.checks import OK, PROBLEM, WARNING, Line, ProbeError, SlowError, probe, slow
from stages.common.params import read_yaml

TORCH = """
import json, torch
cuda = torch.cuda.is_available()
names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())] if cuda else []
bf16 = bool(cuda and torch.cuda.is_bf16_supported(including_emulation=False))
print(json.dumps({"version": torch.__version__, "cuda": cuda, "names": names, "bf16": bf16}))
"""
CUDA_BUILD = "install PyTorch's build for this driver: pytorch.org has the command"
LOW = 10**9  # bytes free, below which any run is at risk


def gpu(root: Path) -> Iterator[Line]:
    """Devices as the engine hands them out, and whether torch can use them."""
    try:
        torch = probe(root, TORCH)
    except SlowError as error:
        yield Line(WARNING, "gpu", f"the import of torch is slow: {error}", "ask again when less is at work")
        return
    except ProbeError as error:
        yield Line(PROBLEM, "gpu", f"torch cannot be imported: {error}", _remedy(error))
        return
    yield from slow("gpu", "the import of torch", torch)
    devices = gpus.devices()
    if os.environ.get("WSSS_DEVICE", "").startswith("cpu"):
        yield Line(OK, "gpu", "not used: WSSS_DEVICE=cpu")
    elif devices and torch["cuda"]:
        bf16 = "bf16" if torch["bf16"] else "no bf16: `precision: bf16` is slow on it"
        yield Line(OK, "gpu", f"{len(devices)}: {', '.join(torch['names'])}; {bf16}")
    elif devices:
        text = f"{len(devices)} by nvidia-smi, but torch {torch['version']} cannot use CUDA: stages are slow"
        yield Line(WARNING, "gpu", text, CUDA_BUILD)
    elif torch["cuda"]:
        text = f"torch sees {', '.join(torch['names'])}, nvidia-smi does not: two stages may meet on it"
        yield Line(WARNING, "gpu", text, "put nvidia-smi in PATH")
    else:
        yield Line(OK, "gpu", "none: stages run on the CPU")


def _remedy(error: ProbeError) -> str:
    """Only where a library is missing or does not fit does a new installation help."""
    if error.cause in ("ImportError", "ModuleNotFoundError"):
        return "pip install --force-reinstall -c constraints.txt torch torchvision"
    return "mend what it names; a child that ends without a word was mostly killed, out of memory"


def cpu(root: Path) -> Iterator[Line]:
    """bf16 on a CPU is fast only where the processor multiplies it."""
    found, cores = processor.bf16_units(), os.cpu_count()
    if found is None:
        yield Line(OK, "cpu", f"{cores} cores; whether bf16 is fast cannot be seen on this system")
        return
    if found:
        yield Line(OK, "cpu", f"{cores} cores; bf16 is fast ({', '.join(found)})")
        return
    sections = read_yaml(root / "params.yaml")
    asking = [
        name
        for name, values in sections.items()
        if isinstance(values, dict) and values.get("precision") == "bf16"
    ]
    text = f"{cores} cores; no bf16 units"
    if asking and not gpus.devices():
        slow = f"{text}, and params.yaml asks for it: {', '.join(asking)}"
        yield Line(WARNING, "cpu", slow, "precision: fp32 is faster here")
    else:
        yield Line(OK, "cpu", f"{text}: leave `precision` at fp32")


def disk(root: Path, look: Callable[[Path], plan.Plan] = plan.make) -> Iterator[Line]:
    """Free space against what the stages that would run wrote last time: in the workspace and the cache."""
    with open_repo(root) as repo:
        cache = Path(repo.cache.local_cache_dir)
    free = {"workspace": _free(root), "cache": _free(cache)}
    text = ", ".join(f"{sizes.text(count)} free for the {name}" for name, count in free.items())
    text += f"; .scratch holds {sizes.text(sizes.of_folder((root / '.scratch').resolve()))}"
    try:
        wanted, unknown = needed(root, look)
        text += f"; a run needs about {sizes.text(wanted)}"
        text += f" and what {', '.join(unknown)} write" if unknown else ""
    except ValueError as error:
        wanted, text = 0, f"{text}; a run's need is not known: {' '.join(str(error).split())}"
    least = min(free.values())
    mark = PROBLEM if least < wanted else WARNING if least < LOW else OK
    do = "`wsss prune` frees the cache; .scratch only saves time and may be removed while nothing runs"
    yield Line(mark, "disk", text, "" if mark == OK else do)


def needed(root: Path, look: Callable[[Path], plan.Plan] = plan.make) -> tuple[int, list[str]]:
    """Bytes that a run writes, twice for the copy in the cache; and stages whose size nobody knows.

    Raises ValueError where there can be no plan.
    """
    rows = look(root).rows.values()
    lock = root / "dvc.lock"
    known = read_yaml(lock).get("stages") or {} if lock.is_file() else {}
    total, unknown = 0, []
    for row in rows:
        if not row.runs:
            continue
        found = [out.get("size") for out in known.get(row.stage, {}).get("outs", [])]
        if not found or None in found:
            unknown.append(row.stage)
        total += 2 * sum(size for size in found if size)
    return total, unknown


def _free(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
