"""data/saliency of a network that is trained by contrast: what the methods `c2am` and `c2am_h` share.

The seeds settle which of its two sides is the object. Its maps are kept, or those of a second network, which
learns from them.
"""

import functools
import importlib
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from stages.classifier.network import rebuild_classifier
from stages.common import fingerprint, items, pool
from stages.common.artifacts import write_json
from stages.common.device import device, training_place
from stages.common.networks import store
from stages.common.networks.store import History
from stages.common.pictures import Loaded, Picture, loaded
from stages.common.pool import Files
from stages.common.training.augment import normalise
from stages.common.training.loop import fit
from stages.common.training.params import Encoder, Training
from stages.common.training.strategy import one
from stages.saliency import infer, refine, sign
from stages.saliency.map_file import CLASSES, OUT, packed
from stages.saliency.network import SaliencyNet, bare, build_saliency_net, rebuild_saliency_net
from stages.saliency.params import C2am, Saliency
from stages.saliency.samples import SureSamples, strength
from stages.saliency.sign import Sign
from stages.seeds.grid import Grid, grid_of
from stages.seeds.layers import LAST

SEEDS, CLASSIFIER = Path("data/seeds"), Path("data/classifier")
NETWORKS = items.SCRATCH / "saliency_networks"  # trained networks, where worker processes find them


def save(method: str, params: Saliency, train: list[Picture]) -> str:
    """Train, settle the sign, fill data/saliency; the line to print."""
    options: C2am = getattr(params, method)
    if len(train) < 2:
        raise ValueError("saliency: it compares pictures, and split train has fewer than 2")
    key = training_key(method, params, options, train)
    model, history = train_network(method, params, options, train, key)
    NETWORKS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=NETWORKS) as folder:  # of this process: .scratch may be shared
        config = {"method": method, "encoder": params.encoder.model_dump()}
        store.write_network(Path(folder), model, config, history)
        pool.single_thread()
        found = settle(options, train, key, folder)
        write_json(Path(folder) / "config.json", config | found._asdict())
        line = save_maps(params, found.sign, train, key, Path(folder))
    items.remove_unused(NETWORKS)
    return f"{line}; loss {history[-1]['loss']:.3f}, sign {found.sign:+d} (margin {found.margin:.2f})"


def train_network(
    method: str, params: Saliency, options: C2am, train: list[Picture], key: str
) -> tuple[SaliencyNet, History]:
    module = importlib.import_module(f"stages.saliency.{method}")
    torch.manual_seed(params.seed)
    model = new_network(params)
    seeds = SEEDS if module.HINTED else None
    samples = SureSamples(train, params, seeds, options.delta_foreground)
    return model, fit("saliency", one(model, functools.partial(module.loss, options)), samples, params, key)


def new_network(params: Saliency) -> SaliencyNet:
    """With the encoder's own first weights, or the classifier's."""
    if params.start == "nothing":
        return build_saliency_net(params.encoder)
    model = build_saliency_net(bare(params.encoder))
    classifier = store.load_into(rebuild_classifier(store.read_config(CLASSIFIER, "encoder")), CLASSIFIER)
    model.encoder.load_state_dict(cast(Any, classifier).encoder.state_dict())
    return model


def training_key(method: str, params: Saliency, options: C2am, train: list[Picture]) -> str:
    """Of what the training reads: the seeds only if it takes their hint."""
    module = f"stages.saliency.{method}"
    hashed = fingerprint.file_hash
    hinted = importlib.import_module(module).HINTED
    files = [(p.id, p.content_hash(), hashed(SEEDS / f"{p.id}.npz") if hinted else "") for p in train]
    first = "" if params.start == "nothing" else hashed(CLASSIFIER / "weights.safetensors")
    common = params.model_dump(include=set(Training.model_fields))
    own = options.model_dump() if hinted else {}
    code = fingerprint.code_hash("stages.saliency.trained", module)
    return fingerprint.key(code, common, own, first, files, training_place())


def settle(options: C2am, train: list[Picture], key: str, folder: str) -> Sign:
    """The sign of z, from all training pictures; says so if it is no more than luck."""
    compute = Sums(options, str(device()), folder)
    compute.prepare()
    base, hashed = (key, options.delta_foreground, options.delta_background), fingerprint.file_hash
    work = [
        items.Item(p.id, fingerprint.key(base, p.content_hash(), hashed(SEEDS / f"{p.id}.npz")), p)
        for p in train
    ]
    where = items.on(device().type)
    results = items.compute_items("saliency_sign", work, compute, read=loaded, **where)
    total = np.sum([json.loads(results.read(item, "*.json")) for item in work], axis=0)
    found = sign.settle(total)
    if found.margin < sign.NEAR:
        print(
            f"warning: where the seeds are sure, z is only {found.margin:.3f} higher than where they see "
            "nothing: which side is the object is hardly more than luck; look at data/saliency",
            file=sys.stderr,
        )
    return found


def save_maps(params: Saliency, turn: int, train: list[Picture], key: str, folder: Path) -> str:
    """data/saliency: the maps of the first network, or of the second that learned from them."""
    place, flip = str(device()), params.flip
    first = FirstMaps(tuple(params.scales), flip, turn, place, str(folder))
    first.prepare()
    named = fingerprint.key(key, params.scales, flip, turn)
    work = [items.Item(p.id, fingerprint.key(named, p.content_hash()), p) for p in train]
    where = items.on(device().type)
    if params.refine == "none":
        return items.map_items("saliency", OUT, work, first, read=loaded, also=files_of(folder), **where)
    assert params.network is not None  # the schema sees to it
    results = items.compute_items("saliency", work, first, read=loaded, **where)
    maps = {item.id: results.store / item.key / "item.npz" for item in work}
    model, history, second_key = refine.train(params.network, train, maps)
    with tempfile.TemporaryDirectory(dir=NETWORKS) as second:
        store.write_network(Path(second), model, refine.saved_config(params.network), history)
        also = files_of(folder) | {f"network_{name}": text for name, text in files_of(Path(second)).items()}
        also["classes.json"] = also.pop("network_classes.json")
        last = SecondMaps(flip, place, second)
        last.prepare()
        work = [items.Item(p.id, fingerprint.key(second_key, flip, p.content_hash()), p) for p in train]
        return items.map_items("saliency", OUT, work, last, read=loaded, also=also, **where)


def files_of(folder: Path) -> Files:
    """A network's files, and classes.json."""
    write_json(folder / "classes.json", CLASSES)
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@dataclass(frozen=True)
class Sums:
    """What each picture says of the sign: four numbers."""

    options: C2am
    place: str
    folder: str

    def prepare(self) -> None:
        _network.cache_clear()
        _network(self.place, Path(self.folder))

    @torch.inference_mode()
    def __call__(self, batch: list[Loaded]) -> list[Files]:
        network, encoder, grid = _network(self.place, Path(self.folder))
        values = infer.signed(network, inputs(batch, encoder, self.place), grid).cpu().numpy()
        high, low = self.options.delta_foreground, self.options.delta_background
        rows = (
            sign.sums(values[row], strength(SEEDS, picture), high, low)
            for row, (picture, _) in enumerate(batch)
        )
        return [{"*.json": json.dumps(row.tolist()).encode()} for row in rows]


@dataclass(frozen=True)
class FirstMaps:
    scales: tuple[float, ...]
    flip: bool
    turn: int
    place: str
    folder: str

    def prepare(self) -> None:
        _network(self.place, Path(self.folder))

    @torch.inference_mode()
    def __call__(self, batch: list[Loaded]) -> list[Files]:
        network, encoder, grid = _network(self.place, Path(self.folder))
        x = inputs(batch, encoder, self.place)
        return _files(batch, infer.salient(network, self.turn, x, list(self.scales), self.flip, grid))


@dataclass(frozen=True)
class SecondMaps:
    flip: bool
    place: str
    folder: str

    def prepare(self) -> None:
        refine.load.cache_clear()
        refine.load(self.place, Path(self.folder))

    @torch.inference_mode()
    def __call__(self, batch: list[Loaded]) -> list[Files]:
        network, encoder = refine.load(self.place, Path(self.folder))
        return _files(batch, infer.refined(network, inputs(batch, encoder, self.place), self.flip))


def inputs(batch: list[Loaded], encoder: Encoder, place: str) -> torch.Tensor:
    arrays = [normalise(pixels, encoder.mean, encoder.std) for _, pixels in batch]
    return torch.from_numpy(np.stack(arrays)).to(place)


def _files(batch: list[Loaded], maps: torch.Tensor) -> list[Files]:
    pairs = zip(batch, maps.cpu().numpy(), strict=True)
    return [packed(found, picture) for (picture, _), found in pairs]


@functools.cache
def _network(place: str, folder: Path) -> tuple[SaliencyNet, Encoder, Grid]:
    """The trained network, its encoder, and where the cells of its map lie."""
    config = store.read_config(folder)
    model = cast(SaliencyNet, store.load_into(rebuild_saliency_net(config), folder, place))
    return model, Encoder.model_validate(config["encoder"]), grid_of(cast(Any, model), LAST)
