"""Seeds that stand on objects and end at their borders: data/seeds, data/saliency -> data/cues."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.affinity_labels.superpixels import segments
from stages.common import door, fingerprint, items
from stages.common.artifacts import npz_bytes, read_npz, read_picture
from stages.common.labels import upsample
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.pool import Files
from stages.cues.params import Cues
from stages.cues.weigh import cues
from stages.pseudo_labels.merges import felzenszwalb

SEEDS, SALIENCY, OUT = Path("data/seeds"), Path("data/saliency"), Path("data/cues")


def main() -> str:
    params = load("cues", Cues)
    base = (fingerprint.code_hash("stages.cues.__main__"), params.model_dump())
    folders = [SEEDS, SALIENCY] if params.saliency == "saliency" else [SEEDS]
    work = []
    for p in load_pictures().split("train"):
        read = [fingerprint.file_hash(folder / f"{p.id}.npz") for folder in folders]
        work.append(items.Item(p.id, fingerprint.key(base, p.content_hash(), read), p))
    return items.map_items("cues", OUT, work, PictureCues(params))


@dataclass(frozen=True)
class PictureCues:
    """The cues of each training picture, kept as data/seeds has maps."""

    params: Cues

    def __call__(self, pictures: list[Picture]) -> list[Files]:
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Picture) -> Files:
        """Along regions at the picture's size; without them on the finer grid of what is read, and small."""
        seeds, size = read_npz(SEEDS / f"{picture.id}.npz"), (picture.height, picture.width)
        read = [seeds["maps"]]
        if self.params.saliency == "saliency":
            read.append(read_npz(SALIENCY / f"{picture.id}.npz")["maps"])
        parts = self._parts(picture)
        grid = size if parts is not None else finest([maps.shape[1:] for maps in read])
        maps, *salient = (upsample(one, grid) for one in read)
        found = cues(maps, salient[0][0] if salient else None, parts)
        whole = np.array(size, np.int32)
        return {"*.npz": npz_bytes(maps=found.astype(np.float16), classes=seeds["classes"], size=whole)}

    def _parts(self, picture: Picture) -> np.ndarray | None:
        """The picture's regions, int [H, W]; None: each pixel stands for itself."""
        if self.params.regions == "none":
            return None
        pixels = read_picture(picture.path)
        if self.params.regions == "slic":
            assert self.params.slic is not None  # the schema sees to it
            return segments(pixels, self.params.slic)
        assert self.params.felzenszwalb is not None
        return felzenszwalb.parts(pixels, self.params.felzenszwalb)


def finest(sizes: Sequence[tuple[int, ...]]) -> tuple[int, int]:
    """The most rows and the most columns of grids (h, w)."""
    rows, columns = zip(*sizes, strict=True)
    return max(rows), max(columns)


if __name__ == "__main__":
    door.run("cues")
