"""Attribution methods: seconds per picture against CAM, and against grad-cam's way at the same layer.

One picture of three classes, one scale and orientation, all threads, float32: MobileNetV2 at stride 16, and
the demo's encoder at stride 8, with random weights. Pairs are timed in turns; where two compute the same,
their maps must be equal.

    python -m benchmarks.attribution
"""

import contextlib
import importlib
import io
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import save
from stages.classifier.network import ClassifierNet, build_classifier
from stages.common.training.params import Encoder
from stages.seeds.params import ScoreCam, SmoothGrad

CLASSES = torch.tensor([[3, 11, 7]])
MOBILE, DEMO = ("mobilenet_v2", 16, 97), ("small", 8, 128)  # encoder, stride, pixels
BLOCK = {"mobilenet_v2": "encoder.features.18", "small": "encoder.levels.4"}  # the last, by its name
OPTIONS = {
    "score_cam": ScoreCam(weights="softmax", channels="all"),
    "smooth_grad": SmoothGrad(samples=20, noise=0.15),
}
AT_LAST = ("cam", "grad_cam_pp", "minmax_cam", "d_minmax_grad_cam", "score_cam")
AT_BLOCK = ("grad_cam", "vgatt", "grad_cam_pp", "minmax_grad_cam", "d_minmax_grad_cam")
AT_PIXELS = ("gradient", "smooth_grad", "full_grad")
LARGE = 1e5  # what the scores are multiplied by, where the library adds 1e-6 to squared slopes


def main() -> None:
    rows: list[tuple[Any, ...]] = [("what", "network", "against", "seconds", "times_as_fast")]
    for network in (MOBILE, DEMO):
        rows += against_cam(*network)
    rows += [*score_cam(*MOBILE), *score_cam(*DEMO), *grad_cam_pp(*MOBILE), *grad_cam_pp(*DEMO)]
    save("attribution", rows)


def classifier(name: str, stride: int) -> ClassifierNet:
    torch.manual_seed(0)
    encoder = Encoder.model_validate({
        "name": name, "output_stride": stride, "weights": {"source": "none", "name": "", "sha256": ""},
        "mean": [0.5] * 3, "std": [0.5] * 3, "freeze": [], "batch_norm": "train",
    })  # fmt: skip
    model = build_classifier(encoder, 20).eval()
    torch.nn.init.normal_(model.head.weight)
    return model


def picture(side: int) -> Tensor:
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))


def maps_by(method: str, model: ClassifierNet, x: Tensor, layer: str, classes: Tensor = CLASSES) -> Tensor:
    module = importlib.import_module(f"stages.seeds.{method}")
    found: Tensor = module.attribution(model, x, classes, layer, OPTIONS.get(method))
    return found


def in_turns(turns: int, *ways: Callable[[], Any]) -> tuple[list[float], list[Any]]:
    """The least seconds of each way, and its last result."""
    seconds: list[list[float]] = [[] for _ in ways]
    results: list[Any] = [None for _ in ways]
    for _ in range(turns):
        for n, way in enumerate(ways):
            start = time.perf_counter()
            results[n] = way()
            seconds[n].append(time.perf_counter() - start)
    return [min(some) for some in seconds], results


def against_cam(name: str, stride: int, side: int) -> list[tuple[Any, ...]]:
    """Every method's seconds per picture, and how much of them CAM takes."""
    model, x = classifier(name, stride), picture(side)
    where = [(method, "last") for method in AT_LAST]
    where += [(method, BLOCK[name]) for method in AT_BLOCK] + [(method, "input") for method in AT_PIXELS]
    rows = []
    for method, layer in where[1:]:
        turns = {"minmax_cam": 30, "score_cam": 1}.get(method, 4)
        ways = [partial(maps_by, one, model, x, at) for one, at in (("cam", "last"), (method, layer))]
        (cam, ours), (plain, found) = in_turns(turns, *ways)
        if method == "minmax_cam":
            others = (plain.sum(1, keepdim=True) - plain) / (plain.shape[1] - 1)
            torch.testing.assert_close(found, plain - others, rtol=1e-4, atol=1e-4)
        rows.append((f"{method} at {layer}", name, "cam", f"{ours:.4f}", f"{cam / ours:.3f}"))
    return rows


def score_cam(name: str, stride: int, side: int) -> list[tuple[Any, ...]]:
    """One pass for all classes against the library, which makes one for each; equal maps."""
    model, x = classifier(name, stride), picture(side)
    rows = []
    for count in (3,) if name == MOBILE[0] else (1, 3):  # a pass of all its channels takes a while
        classes = CLASSES[:, :count]
        mine = partial(maps_by, "score_cam", model, x, BLOCK[name], classes)
        theirs = partial(by_library, "ScoreCAM", model, x, BLOCK[name], classes)
        (ours, library), (found, wanted) = in_turns(1, mine, theirs)
        if name == MOBILE[0]:  # whose cells lie where the library puts them: at the corners
            equal(found, wanted, side)
        rows.append((f"score_cam, {count} classes", name, "grad-cam", f"{ours:.4f}", f"{library / ours:.2f}"))
    return rows


def grad_cam_pp(name: str, stride: int, side: int) -> list[tuple[Any, ...]]:
    """The closed form against our backward passes and the library's hooks; equal maps."""
    model, x = classifier(name, stride), picture(side)
    with torch.no_grad():
        model.head.weight *= LARGE
    seconds, (closed, passes, wanted) = in_turns(
        5,
        partial(maps_by, "grad_cam_pp", model, x, "last"),
        partial(maps_by, "grad_cam_pp", model, x, BLOCK[name]),
        partial(by_library, "GradCAMPlusPlus", model, x, BLOCK[name], CLASSES),
    )
    torch.testing.assert_close(closed, passes, rtol=1e-3, atol=1e-4)
    equal(closed, wanted, side)
    return [
        ("grad_cam_pp at last", name, against, f"{seconds[0]:.4f}", f"{other / seconds[0]:.2f}")
        for against, other in zip(("backward passes", "grad-cam"), seconds[1:], strict=True)
    ]


def by_library(kind: str, model: ClassifierNet, x: Tensor, layer: str, classes: Tensor) -> np.ndarray:
    """The library's maps [K, H, W] in 0..1; a call for each class, as it has one target a picture."""
    import pytorch_grad_cam  # it imports torchvision, which the steps make ready first
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    make = getattr(pytorch_grad_cam, kind)
    bars = contextlib.redirect_stderr(io.StringIO())  # of its progress
    with bars, make(model=model, target_layers=[model.get_submodule(layer)]) as library:
        return np.concatenate([library(x, [ClassifierOutputTarget(int(c))]) for c in classes[0]])


def equal(found: Tensor, wanted: np.ndarray, side: int) -> None:
    from pytorch_grad_cam.utils.image import scale_cam_image

    mine = scale_cam_image(found[0].relu().detach().numpy(), (side, side))
    np.testing.assert_allclose(scale_cam_image(mine), wanted, atol=5e-3)
    assert wanted.std() > 0.05


if __name__ == "__main__":
    main()
