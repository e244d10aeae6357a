"""What of a support guides the few-shot network, where it can work: colours that it never learnt.

A class is a colour of 26; each picture shows three discs, and an episode asks for those of one colour by
another picture that shows it. The network learns 20 colours, and is then asked for the other 6, which are
unlabelled where it learns. Each choice of `few_shot.vectors` (ZHANG, Table 5.8) trains from the same weights
on the same pictures; `all_discs` is the IoU of marking every disc, which needs no support at all.

IoU pools the episodes. Run it from the project's root: `python -m benchmarks.few_shot`, or with the number of
seeds behind it; it writes benchmarks/results/few_shot.csv.
"""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import save
from stages.common.params import check, read_yaml
from stages.episodes import scores
from stages.few_shot.losses import batch_loss
from stages.few_shot.network import FewShotNet, build_few_shot
from stages.few_shot.params import FewShot
from stages.few_shot.pyramid import upsampled

SIDE, BATCH, STEPS, EPISODES, LR = 48, 8, 900, 240, 0.003
BASE, NOVEL = range(20), range(20, 26)
SPOTS = ((14, 14), (14, 34), (34, 14), (34, 34))  # middles of discs
CHOICES = (
    ["initial"], ["primary"], ["auxiliary"], ["primary", "auxiliary"], ["initial", "primary", "auxiliary"],
)  # fmt: skip


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows: list[tuple[object, ...]] = [("vectors", "seed", "base_iou", "novel_iou", "all_discs")]
    for vectors, seed in itertools.product(CHOICES, range(seeds)):
        net = trained(vectors, seed)
        base, novel = (asked(net, classes) for classes in (BASE, NOVEL))
        cells = (percent(value) for value in (base[0], novel[0], novel[1]))
        rows.append((" ".join(vectors), seed, *cells))
        print(*rows[-1], flush=True)
    save("few_shot", rows)


def trained(vectors: list[str], seed: int) -> FewShotNet:
    torch.set_num_threads(2)
    torch.manual_seed(seed)
    values = read_yaml(Path("params.yaml"))["few_shot"]
    values |= {"vectors": vectors, "channels": 16, "bins": [12, 6, 3], "dropout": 0.0}
    net = build_few_shot(check(FewShot, values, "params.yaml, section few_shot"))
    optimizer, rng = torch.optim.AdamW(net.parameters(), LR), np.random.default_rng(seed)
    for _ in range(STEPS):
        support, mask, query, truth = batch(BASE, rng)
        shown = support, (mask == 1).long(), query, (truth == 1).long()
        loss = batch_loss({"main": net}, shown, 0)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


@torch.inference_mode()
def asked(net: FewShotNet, classes: Sequence[int]) -> tuple[float, float]:
    """IoU of what the network finds, and of all discs."""
    rng, found, everything = np.random.default_rng(1000), [], []
    for _ in range(EPISODES // BATCH):
        support, mask, query, truth = batch(classes, rng)
        guess = upsampled(net(support, (mask == 1).long(), query)["query"], (SIDE, SIDE)).argmax(1).numpy()
        found.append(scores.counts((truth == 1).long().numpy(), guess))
        everything.append(scores.counts((truth == 1).long().numpy(), (truth > 0).long().numpy()))
    iou, of_all = (float(scores.iou(np.sum(tables, 0))) for tables in (found, everything))
    return iou, of_all


def batch(classes: Sequence[int], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Supports and queries with their masks, int64 [B, SIDE, SIDE] of 1, and 2 where another disc is."""
    pairs = []
    for _ in range(BATCH):
        label = int(rng.choice(classes))
        pairs.append((*drawn(label, classes, rng), *drawn(label, classes, rng)))
    support, mask, query, truth = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
    return support, mask, query, truth


def drawn(label: int, classes: Sequence[int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture float32 [3, SIDE, SIDE], and its mask int64: 1 a disc of the class, 2 another."""
    picture, mask = np.zeros((3, SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.int64)
    y, x = np.ogrid[:SIDE, :SIDE]
    others = rng.choice([other for other in (*BASE, *NOVEL) if other != label], 2, replace=False)
    for (top, left), own in zip(rng.permutation(SPOTS), (label, *others), strict=False):
        middle = np.array([top, left]) + rng.integers(-3, 4, 2)
        inside = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < rng.integers(50, 90)
        picture[:, inside], mask[inside] = COLOURS[own][:, None], 1 if own == label else 2
    return picture + rng.normal(0, 0.12, picture.shape).astype(np.float32), mask


def palette() -> np.ndarray:
    """-2, 0 or 2 in each channel, but for the ground's 0, 0, 0: float32 [26, 3], in an order of chance."""
    found = [colour for colour in itertools.product((-2, 0, 2), repeat=3) if any(colour)]
    return np.random.default_rng(0).permutation(np.array(found, np.float32))


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


COLOURS = palette()

if __name__ == "__main__":
    main()
