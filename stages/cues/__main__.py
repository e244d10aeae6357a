"""Seeds that stand on objects and end at their borders: data/seeds, data/saliency -> data/cues."""

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
    """The cues of each training picture, as data/seeds has maps, at the picture's size."""

    params: Cues

    def __call__(self, pictures: list[Picture]) -> list[Files]:
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Picture) -> Files:
        seeds, size = read_npz(SEEDS / f"{picture.id}.npz"), (picture.height, picture.width)
        salient = None
        if self.params.saliency == "saliency":
            salient = upsample(read_npz(SALIENCY / f"{picture.id}.npz")["maps"], size)[0]
        found = cues(upsample(seeds["maps"], size), salient, self._parts(picture))
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


if __name__ == "__main__":
    door.run("cues")
