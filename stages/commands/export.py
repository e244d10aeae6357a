"""The trained segmenter for other programs: `python -m stages.commands.export --onnx FILE`.

FILE takes `pictures`, float32 [batch, 3, height, width] of RGB in 0..1, of any size, and gives `scores`,
float32 [batch, classes, height, width]: the class of a pixel is the argmax. Mean, standard deviation and
the padding to a divisor are inside, where they cannot be forgotten. One pass: no scales, no flip, no CRF.
It is written only if ONNX Runtime agrees with torch on pictures of the val split. A network that pools to a
fixed grid (upernet), or whose encoder cuts pictures into windows (tu-swin...), can only be exported for one
--size.
"""

import argparse
import importlib.util
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common import command, fingerprint
from stages.common.artifacts import read_picture, write_atomic
from stages.common.networks.padding import DIVISOR, scores
from stages.common.pictures import Picture, load_pictures
from stages.segmenter.trained import MODEL, load_trained, read_config

NEEDED = ("onnx", "onnxruntime", "onnxscript")
PICTURES = 6  # of the val split that the check takes, each also cut to an odd size
Size = tuple[int, int]
CLOSE = 1e-3  # scores that differ by less are equal but for rounding


class Whole(nn.Module):
    """Scores of pictures in 0..1, [B, 3, H, W]: the segmenter behind its normalisation."""

    def __init__(self, network: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.network = network
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        return scores(self.network, (pictures - self.mean) / self.std)


@dataclass(frozen=True)
class Agreement:
    """Of two results on the same pictures; a tie is a pixel whose two best scores are CLOSE."""

    pixels: int
    different: int  # pixels of another class, ties apart
    ties: int  # pixels of another class, where two are as good
    largest: float  # difference of two scores


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="wsss export")
    parser.add_argument("--onnx", required=True, type=Path)
    parser.add_argument("--model", default=MODEL, type=Path)
    parser.add_argument("--size", type=int, nargs=2)
    asked = parser.parse_args(arguments)
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ValueError(f"no {', '.join(missing)} here: pip install -c constraints.txt -e '.[onnx]'")
    config = read_config(asked.model)
    size = (asked.size[0], asked.size[1]) if asked.size else None
    check_size(config, size)
    model = Whole(load_trained(asked.model).network, config["encoder"]["mean"], config["encoder"]["std"])
    pictures = check_pictures(size)
    metadata = about(asked.model, config, size)
    content = exported(model, metadata, size)
    found = compare(model, content, pictures)
    equal = found.pixels - found.different - found.ties
    print(
        f"val pictures, {len(pictures)} batches: argmax equal at {equal} of {found.pixels} pixels, "
        f"{found.ties} ties; scores differ by {found.largest:.1e} at most"
    )
    if found.different or found.largest > CLOSE:
        raise ValueError(f"ONNX Runtime does not give what torch gives: {asked.onnx} is not written")
    write_atomic(asked.onnx, content)
    print(f"{asked.onnx}: {len(content) / 1e6:.1f} MB")
    print(f"  {metadata['input']}\n  {metadata['output']}")
    return 0


def check_size(config: dict[str, Any], size: Size | None) -> None:
    """ValueError for an encoder of windows without a size: the exporter would reckon for hours."""
    name = config["encoder"]["name"]
    if size is None and name.startswith("tu-swin"):
        raise ValueError(
            f"encoder {name} cuts pictures into windows, which are exported for one size: add --size HEIGHT "
            "WIDTH, of the pictures that the other program has"
        )


def about(folder: Path, config: dict[str, Any], size: Size | None) -> dict[str, str]:
    """The metadata of the file."""
    sides = "{}, {}".format(*(size or ("height", "width")))
    return {
        "input": f"pictures: float32 [batch, 3, {sides}], RGB in 0..1; normalised and padded inside",
        "output": f"scores: float32 [batch, classes, {sides}]; the argmax over classes is the label",
        "classes": json.dumps(config["classes"]),
        "mean": json.dumps(config["encoder"]["mean"]),
        "std": json.dumps(config["encoder"]["std"]),
        "divisor": str(DIVISOR),
        "network": f"{config['network']} on {config['encoder']['name']}",
        "weights_sha256": fingerprint.file_hash(folder / "weights.safetensors"),
    }


def exported(model: nn.Module, metadata: dict[str, str], size: Size | None = None) -> bytes:
    """The network as an ONNX file: the batch is free, height and width are unless a `size` is given."""
    import onnx

    free = {0: "batch"} if size else {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, of what it uses itself
        program = torch.onnx.export(
            model.eval(), (torch.rand(2, 3, *(size or (96, 160))),), dynamo=True, verbose=False,
            input_names=["pictures"], output_names=["scores"], dynamic_shapes={"pictures": free},
        )  # fmt: skip
    assert program is not None
    proto = program.model_proto
    del proto.graph.value_info[:]  # shapes in between, as long formulas
    for dimension, name in free.items():
        proto.graph.output[0].type.tensor_type.shape.dim[dimension].dim_param = name
    onnx.helper.set_model_props(proto, metadata)
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def check_pictures(size: Size | None = None) -> list[Tensor]:
    """Val pictures in 0..1, float32 [1, 3, H, W], of many sizes; of each a cut, too, and a batch of two.

    With a `size` (height, width) all of that one.
    """
    val = load_pictures().split("val")
    sizes: dict[tuple[int, int], Picture] = {}
    for p in val:
        sizes.setdefault((p.width, p.height), p)
    pictures = list(dict.fromkeys([*sizes.values(), *val]))[:PICTURES]
    if not pictures:
        raise ValueError("data/dataset has no val picture to check the result on")
    whole = [torch.from_numpy(read_picture(p.path)).permute(2, 0, 1)[None].float() / 255 for p in pictures]
    cuts = [x[:, :, x.shape[2] // 4 :, : x.shape[3] * (9 + n) // 16] for n, x in enumerate(whole)]
    found = [*whole, *cuts, torch.cat([whole[0], whole[0].flip(3)])]
    return [F.interpolate(x, size, mode="bilinear", antialias=True) for x in found] if size else found


@torch.inference_mode()
def compare(model: nn.Module, content: bytes, batches: list[Tensor]) -> Agreement:
    """What ONNX Runtime makes of the file against what torch makes of the model, on a CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    pixels = different = ties = 0
    largest = 0.0
    for batch in batches:
        wanted = model(batch).numpy()
        try:
            found = session.run(None, {"pictures": batch.numpy()})[0]
        except Exception as error:  # a class of its own for each reason
            shape = "x".join(map(str, batch.shape))
            raise ValueError(f"ONNX Runtime cannot run it on {shape}; try one --size: {error}") from None
        largest = max(largest, float(np.abs(found - wanted).max()))
        best = np.sort(wanted, axis=1)
        tie = best[:, -1] - best[:, -2] < CLOSE
        other = found.argmax(1) != wanted.argmax(1)
        pixels, different, ties = (
            pixels + tie.size,
            different + (other & ~tie).sum(),
            ties + (other & tie).sum(),
        )
    return Agreement(pixels, int(different), int(ties), largest)


if __name__ == "__main__":
    command.run("stages.commands.export")
