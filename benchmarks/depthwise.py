"""A step of training on photographs: gradients of dilated depthwise convolutions by torch against ours.

Two networks of `voc-mobilenet` with random weights and pictures, a batch of 16 in bf16, two threads: its
classifier (MobileNetV2, whose last five blocks learn, crops of 417) and its segmenter (DeepLab v3+ on the
same encoder, crops of 320). A step is the forward pass, the loss and the backward pass. Goal: faster, with
gradients that are as near to those in float32. Run it from the project's root: `python -m
benchmarks.depthwise`; it writes benchmarks/results/depthwise.csv.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.common import median_time, save
from stages.classifier.network import build_classifier
from stages.common.networks.encoders import freeze, train_mode
from stages.common.training.depthwise import quicken
from stages.common.training.params import Encoder
from stages.segmenter.network import build_segmenter

BATCH, CLASSES, TIMES, GOAL = 16, 20, 5, 1
ENCODER = Encoder.model_validate(
    {
        "name": "mobilenet_v2",
        "output_stride": 16,
        "weights": {"source": "none", "name": "", "sha256": ""},
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "freeze": [],
        "batch_norm": "frozen",
    }
)


@dataclass(frozen=True)
class Work:
    network: nn.Module
    pictures: Tensor
    truth: Tensor
    loss: Callable[[Tensor, Tensor], Tensor]

    def step(self, precise: bool = False) -> list[Tensor]:
        """The gradients of the weights that learn, in bf16 or in float32."""
        with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            scores = self.network(self.pictures)
        self.loss(scores.float(), self.truth).backward()
        found = [weight.grad for weight in self.network.parameters() if weight.grad is not None]
        self.network.zero_grad(set_to_none=True)
        return found


def main() -> None:
    torch.set_num_threads(2)
    header = ("network", "s_of_torch", "s_of_ours", "times_as_fast", "goal", "off_of_torch", "off_of_ours")
    save("depthwise", [header, *(_row(name, work) for name, work in _cases())])


def _cases() -> Iterator[tuple[str, Work]]:
    torch.manual_seed(0)
    last = ENCODER.model_copy(update={"freeze": [f"features.{block}" for block in range(14)]})
    classifier = build_classifier(last, CLASSES)
    nn.init.normal_(classifier.head.weight, std=0.01)  # with zeros nothing below it would get a gradient
    truth = torch.rand(BATCH, CLASSES).round()
    yield "classifier", Work(_ready(classifier, last), _pictures(417), truth, F.multilabel_soft_margin_loss)
    segmenter = build_segmenter("deeplabv3plus", ENCODER, CLASSES + 1, {"decoder_channels": 128})
    labels = torch.randint(CLASSES + 1, (BATCH, 320, 320))
    yield "segmenter", Work(_ready(segmenter, ENCODER), _pictures(320), labels, F.cross_entropy)


def _pictures(size: int) -> Tensor:
    return torch.randn(BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)


def _ready(network: Any, encoder: Encoder) -> nn.Module:
    """To train as stages.common.training does; without dropout, so that gradients can be compared."""
    network.to(memory_format=torch.channels_last)
    freeze(network.encoder, encoder)
    train_mode(network, network.encoder, encoder)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    return network


def _row(name: str, work: Work) -> tuple[str, ...]:
    fast = replace(work, network=copy.deepcopy(work.network))
    quicken(fast.network)
    exact = work.step(precise=True)
    seconds, off = [], []
    for one in (work, fast):
        took, found = median_time(one.step, TIMES)
        seconds.append(took)
        off.append(_off(found, exact))
    ratio = f"{seconds[0] / seconds[1]:.2f}"
    return name, *(f"{took:.2f}" for took in seconds), ratio, str(GOAL), *(f"{share:.4f}" for share in off)


def _off(found: list[Tensor], exact: list[Tensor]) -> float:
    """How far all gradients together are from the exact ones, as a share of these."""
    difference = sum(float((a - b).square().sum()) for a, b in zip(found, exact, strict=True))
    return float((difference / sum(float(b.square().sum()) for b in exact)) ** 0.5)


if __name__ == "__main__":
    main()
