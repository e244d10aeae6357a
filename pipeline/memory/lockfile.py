"""dvc.lock is the memory of all runs, and DVC rewrites it in place: a kill in between damages it.

An empty one stops DVC; one that was cut short may still be valid YAML, with stages missing. So a copy
is kept after every stage, and entries that are gone from the file, but not from dvc.yaml, come back.
The same holds for DVC's list of files in use, .dvc/tmp/rwlock, of which an empty one is enough.
"""

import functools
import io
import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.memory.graph import open_repo
from pipeline.project import places
from pipeline.project.root import write_whole
from stages.common.params import parse_yaml, read_yaml

Stages = dict[str, Any]
KINDS = ("outs", "metrics", "plots")  # of outputs, as dvc.yaml lists them


def backup_path(root: Path) -> Path:
    return places.state(root) / "dvc.lock.backup"


def keep(root: Path) -> list[str]:
    """Mend dvc.lock if it is damaged, then keep a copy of it; returns lines that say what was mended.

    Left alone: a file that is gone (so a user forgets all results), and one that is as git has it.
    Raises ValueError for one with the marks of a merge, which only its user can mend.
    """
    path, backup = root / "dvc.lock", backup_path(root)
    with open_repo(root) as repo, repo.lock:  # no `dvc` writes it meanwhile
        said = _mend_list(repo)
        text, old = _read(path), _read(backup)
        if text is None:
            if old != "":
                backup.parent.mkdir(parents=True, exist_ok=True)
                write_whole(backup, "")  # so that what git has is not taken for the last copy
            return said
        if re.search(r"^(<<<<<<<|>>>>>>>) ", text, re.MULTILINE):
            raise ValueError("dvc.lock has the marks of a merge: `git checkout --ours dvc.lock`, then again")
        committed = _committed(root)
        if text != committed:  # also if its copy says the same: both may be cut
            mended, lost = mend(text, last(old, committed), _known(repo, root))
            if mended != text or not text:
                write_whole(path, mended) if mended else path.unlink()
                said.append(f"dvc.lock was damaged; back from the last copy: {', '.join(lost) or 'nothing'}")
                text = mended
        if text and text != old:
            backup.parent.mkdir(parents=True, exist_ok=True)
            write_whole(backup, text)
        return said


def last(copy: str | None, committed: str | None) -> str:
    """The text that damage is mended from. An empty copy says that somebody removed dvc.lock."""
    return (committed or "") if copy is None else copy


def put(root: Path, stage: str, entry: Mapping[str, Any] | None) -> None:
    """Make `entry` the one of a stage in dvc.lock and in its copy; None takes the stage's entry out."""
    lock = root / "dvc.lock"
    with open_repo(root) as repo, repo.lock:
        for path in (lock, backup_path(root)):
            text = _read(path)
            found = _stages(text) if text else {}
            if found is None or (text is None and path != lock):  # damaged: not to be made worse
                continue
            if entry is not None:
                found[stage] = _plain(entry)
            else:
                found.pop(stage, None)
            if found or path != lock:
                write_whole(path, dump(found) if found else "")
            else:
                path.unlink(missing_ok=True)  # an empty one stops DVC


def inputs(entry: Mapping[str, Any]) -> Stages:
    """What an entry says that its result was made from: the command, hashes by path, and parameters."""
    about = ("path", "size", "nfiles", "hash")  # the last is the kind of the hash
    deps = {
        dep["path"]: {name: value for name, value in dep.items() if name not in about}
        for dep in entry.get("deps") or ()
    }
    plain: Stages = _plain({"cmd": entry.get("cmd"), "deps": deps, "params": entry.get("params") or {}})
    return plain


def _plain(values: Any) -> Any:
    """The same in plain dicts and lists: DVC's own are of many kinds."""
    if isinstance(values, Mapping):
        return {name: _plain(value) for name, value in values.items()}
    return [_plain(value) for value in values] if isinstance(values, list | tuple) else values


def mend(text: str, old: str, known: Mapping[str, int]) -> tuple[str, list[str]]:
    """The text of a dvc.lock without damage, and the entries that came back from the text `old`.

    `known` are the stages of dvc.yaml with the number of their outputs: an entry of another stage does not
    come back. "" if nothing is left.
    """
    found, before = _stages(text), _stages(old) or {}
    if old and not old.endswith("\n"):  # cut as well
        before.pop(next(reversed(before), ""), None)
    before = {name: entry for name, entry in before.items() if name in known and _is_whole(entry, None, 0)}
    whole = {
        name: entry
        for name, entry in (found or {}).items()
        if _is_whole(entry, before.get(name), known.get(name, 0))
    }
    if found and not text.endswith("\n"):  # cut in its last line
        whole.pop(list(found)[-1], None)
    sound = before and len(before) == len(_stages(old) or {})
    if sound and old.startswith(text):  # a cut that left whole entries
        return old, [name for name in before if name not in whole or whole[name] != before[name]]
    lost = [name for name in before if name not in whole]
    if found is not None and len(whole) == len(found) and not lost:
        return text, []
    both = {**before, **whole}
    return (dump(both) if both else ""), lost


def stages(root: Path) -> Stages:
    """The entries of dvc.lock as it lies there; none if it is not there or cannot be read."""
    return entries(_read(root / "dvc.lock") or "")


def entries(text: str) -> Stages:
    """The entries of a dvc.lock's text; none if it cannot be read."""
    return _stages(text) or {}


def _stages(text: str) -> Stages | None:
    """The entries of a lock file's text, whole or not; None if it cannot be read."""
    return deepcopy(_parsed(text))


@functools.lru_cache(maxsize=4)
def _parsed(text: str) -> Stages | None:
    """One run asks for the same few texts a hundred times, and to parse one takes tens of milliseconds."""
    try:
        values = parse_yaml(text, "dvc.lock")
    except ValueError:
        return None
    stages = values.get("stages") if isinstance(values, dict) else None
    return stages if isinstance(stages, dict) else None


def _is_whole(entry: Any, before: Any, outputs: int) -> bool:
    """Whether an entry has all that DVC writes: outputs come last, each with a hash of full length.

    One with fewer outputs than before, and than dvc.yaml now has, was cut short.
    """
    if not isinstance(entry, dict) or not entry.get("cmd") or not isinstance(entry.get("outs"), list):
        return False
    same = before and before["cmd"] == entry["cmd"]
    items = [*(entry.get("deps") or []), *entry["outs"]]
    cut = same and len(entry["outs"]) < min(len(before["outs"]), outputs)
    return all(map(_has_hash, items)) and not cut


def _has_hash(item: Any) -> bool:
    if not isinstance(item, dict) or not item.get("path"):
        return False
    if item.get("hash", "md5") != "md5":
        return len(item) > 2
    return bool(re.fullmatch(r"[0-9a-f]{32}(\.dir)?", str(item.get("md5"))))


def _known(repo: Any, root: Path) -> dict[str, int]:
    """The stages of dvc.yaml, those of `foreach` included, without a look at dvc.lock; and their outputs."""
    from dvc.dvcfile import load_file

    path = Path(repo.root_dir) / "dvc.yaml"
    names = load_file(repo, str(path)).resolver.get_keys() if path.is_file() else []
    return number_of_outputs(root, names)


def number_of_outputs(root: Path, names: Iterable[str]) -> dict[str, int]:
    """Of those stages that dvc.yaml has. Not through DVC, which a damaged dvc.lock stops."""
    path = root / "dvc.yaml"
    written = (read_yaml(path).get("stages") or {}) if path.is_file() else {}
    found = {name: written[name.split("@")[0]] for name in names if name.split("@")[0] in written}
    blocks = {name: stage.get("do", stage) for name, stage in found.items()}
    return {name: sum(len(block.get(kind) or []) for kind in KINDS) for name, block in blocks.items()}


def _mend_list(repo: Any) -> list[str]:
    """Remove DVC's list of files in use if it was cut short. No `dvc` would start any more."""
    from dvc.lock import make_lock

    path = Path(repo.tmp_dir) / "rwlock"
    hard = bool(repo.config["core"].get("hardlink_lock"))
    guard = make_lock(str(path.with_name("rwlock.lock")), tmp_dir=repo.tmp_dir, hardlink_lock=hard)
    with guard:
        text = _read(path)
        try:
            json.loads("{}" if text is None else text)
            return []
        except json.JSONDecodeError:
            path.unlink()
    return ["DVC's list of files in use was damaged: removed"]


def _committed(root: Path) -> str | None:
    done = subprocess.run(["git", "show", "HEAD:./dvc.lock"], cwd=root, capture_output=True)
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def dump(entries: Stages) -> str:
    """The text of a dvc.lock with these stages, as DVC writes it."""
    yaml = YAML()
    yaml.default_flow_style = False
    text = io.StringIO()
    yaml.dump({"schema": "2.0", "stages": entries}, text)
    return text.getvalue()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return None
