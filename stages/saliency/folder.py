"""Maps that somebody made, one a training picture: data/raw/NAME -> data/saliency. Nothing is trained.

So recipes whose saliency was published as maps can be run, such as that of EPS (Lee et al., 2021).
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stages.common import fingerprint, items
from stages.common.pictures import Picture
from stages.common.pool import Files
from stages.saliency.given import decoded, scaled
from stages.saliency.map_file import CLASSES, OUT, packed
from stages.saliency.params import MAP_SUFFIXES, Folder, Saliency

NAMED = 3  # files in a message


class Task(NamedTuple):
    picture: Picture
    file: Path


def save(params: Saliency, train: list[Picture]) -> str:
    """Fill data/saliency; the line to print. ValueError that names the files that are wrong."""
    assert params.folder is not None  # the schema sees to it
    tasks = found(Path("data") / params.maps, train)
    compute = Given(params.folder)
    work = [items.Item(task.picture.id, compute.key(task), task) for task in tasks]
    also = {"classes.json": (json.dumps(CLASSES, indent=2) + "\n").encode()}
    line = items.map_items("saliency", OUT, work, compute, also=also)
    return f"{line}, of maps in data/{params.maps}"


def found(folder: Path, train: Sequence[Picture]) -> list[Task]:
    """The file of each picture, ID.png or such. ValueError where there is none, or several."""
    files: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in MAP_SUFFIXES:
            files[file.stem].append(file)
    lacking = [picture.id for picture in train if not files[picture.id]]
    twice = [file.name for picture in train for file in files[picture.id] if len(files[picture.id]) > 1]
    if lacking:
        raise ValueError(
            f"{folder}: {len(lacking)} of {len(train)} pictures of train have no map: {_few(lacking)}; "
            f"a map is a file ID with one of the suffixes {', '.join(MAP_SUFFIXES)}"
        )
    if twice:
        raise ValueError(f"{folder}: a picture has several maps: {_few(twice)}; leave one of each")
    return [Task(picture, files[picture.id][0]) for picture in train]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + f" and {len(names) - NAMED} more" * (len(names) > NAMED)


@dataclass(frozen=True)
class Given:
    """The map of each picture, at its size."""

    params: Folder

    def key(self, task: Task) -> str:
        code = fingerprint.code_hash("stages.saliency.folder")
        size = task.picture.height, task.picture.width
        return fingerprint.key(code, self.params.model_dump(), size, fingerprint.file_hash(task.file))

    def __call__(self, tasks: list[Task]) -> list[Files]:
        return [self._one(task) for task in tasks]

    def _one(self, task: Task) -> Files:
        size = task.picture.height, task.picture.width
        try:
            values = scaled(decoded(task.file.read_bytes(), task.file.suffix.lower()), size)
        except ValueError as error:
            raise ValueError(f"{task.file}: {error}") from None
        return packed(1 - values if self.params.invert else values, task.picture)
