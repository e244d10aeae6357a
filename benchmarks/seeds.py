"""CAM of pictures in pictures per second, and what is stored of them, against the plain way.

Plain, as the peers do it: one by one in one process with all threads; every scale and flip alone, in
float32; all classes; saved as a float32 .npy of the present classes at full size. Ours: the step `seeds` with
the parameters of `voc-mobilenet`: a process per core, present classes only, float16 at the layer's stride.

    python -m benchmarks.seeds
"""

import io
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import stages  # noqa: F401  # before torchvision
from benchmarks.common import save
from stages.classifier.network import ClassifierNet, build_classifier
from stages.common import items, pool
from stages.common.artifacts import read_npz, read_picture
from stages.common.device import device
from stages.common.networks import store
from stages.common.params import check
from stages.common.pictures import Picture, loaded
from stages.common.training.augment import normalise
from stages.common.training.params import Encoder
from stages.seeds import __main__ as step
from stages.seeds.params import Seeds

COUNT, CLASSES, SCALES = 12, 20, [0.75, 1.0, 1.5]
ENCODER = Encoder(
    name="mobilenet_v2", output_stride=16, mean=[0.5] * 3, std=[0.5] * 3, freeze=[], batch_norm="frozen",
    weights={"source": "none", "name": "", "sha256": ""},  # type: ignore[arg-type]
)  # fmt: skip


def main() -> None:
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            rows = measure()
        finally:
            os.chdir(home)
    save("seeds", [["what", "ratio"], *rows])


def measure() -> list[tuple[str, float]]:
    pictures = make_pictures()
    model = build_classifier(ENCODER, CLASSES).eval()
    torch.nn.init.normal_(model.head.weight)
    names = ["background", *(f"class{n}" for n in range(CLASSES))]
    config = {"classes": names, "encoder": ENCODER.model_dump()}
    store.save_network(step.CLASSIFIER, model, config, [{"epoch": 1, "loss": 0.0}])
    plain_seconds, plain_bytes = plain(model, pictures)
    rows = []
    for precision in ("fp32", "bf16"):
        rows.append(
            (f"pictures per second, {precision}", round(plain_seconds / ours(pictures, precision), 2))
        )
    files = list(step.OUT.glob("*.npz"))
    maps = [read_npz(file)["maps"] for file in files]
    assert (
        len(maps) == COUNT
        and all(np.isfinite(m).all() and m.max() <= 1 for m in maps)
        and max(m.max() for m in maps) == 1
    )
    stored = sum(file.stat().st_size for file in files)
    return [*rows, ("bytes stored", round(plain_bytes / stored, 1))]


def make_pictures() -> list[Picture]:
    """Smooth random pictures of VOC's commonest size, 1 to 3 classes each, as PNG."""
    import cv2

    rng = np.random.default_rng(0)
    found = []
    for n in range(COUNT):
        coarse = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
        path = Path(f"{n}.png")
        cv2.imwrite(str(path), cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC))
        labels = tuple(sorted(int(c) for c in rng.choice(CLASSES, 1 + n % 3, replace=False) + 1))
        found.append(Picture(str(n), path, "train", 500, 375, labels))
    return found


@torch.inference_mode()
def plain(model: ClassifierNet, pictures: list[Picture]) -> tuple[float, int]:
    torch.set_num_threads(pool.worker_count())
    size, start = 0, time.perf_counter()
    for picture in pictures:
        x = torch.from_numpy(normalise(read_picture(picture.path), ENCODER.mean, ENCODER.std))[None]
        total = torch.zeros(CLASSES, picture.height, picture.width)
        for scale in SCALES:
            scaled = F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)
            for flip in (False, True):
                maps = model.head(model.features(scaled.flip(3) if flip else scaled)).relu()
                maps = F.interpolate(maps, total.shape[1:], mode="bilinear", align_corners=False)[0]
                total += maps.flip(2) if flip else maps
        chosen = total[[c - 1 for c in picture.labels]]
        buffer = io.BytesIO()
        np.save(buffer, (chosen / (chosen.amax((1, 2), keepdim=True) + 1e-5)).numpy())
        size += len(buffer.getvalue())
    return time.perf_counter() - start, size


def ours(pictures: list[Picture], precision: str) -> float:
    params = check(
        Seeds,
        {"method": "cam", "cam": {}, "layer": "last", "scales": SCALES, "flip": True, "negatives": "drop",
         "normaliser": "max", "precision": precision},
        "benchmark",
    )  # fmt: skip
    place = device()
    compute = step.SeedMaps(params, str(place))
    pool.single_thread()
    compute.prepare()
    work = [items.Item(p.id, f"{precision}{p.id}", p) for p in pictures]
    start = time.perf_counter()
    items.map_items("seeds", step.OUT, work, compute, read=loaded, **items.on(place.type))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
