"""The maps that the step keeps: of a batch of one size on a GPU, one by one on a CPU."""

import hashlib
import importlib
import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stages.affinity import __main__ as step
from stages.affinity import affinity_net, attention, tokens
from stages.affinity.network import affinities, build_affinity_net
from stages.affinity.offsets import offset_list
from stages.affinity.params import Affinity
from stages.classifier.network import build_classifier
from stages.common.networks import store
from stages.common.networks.encoders import build_encoder
from stages.common.params import check, read_yaml
from stages.common.pictures import Loaded, Picture
from stages.common.training.augment import normalise
from stages.common.training.samples import MaskedSamples, PlacedSamples
from stages.common.training.strategy import MAIN
from tests.affinity.test_network import ENCODER
from tests.segmenter.scenes import SHIPPED

VIT = ENCODER.model_copy(update={"name": "small_vit"})
METHODS = {  # the keys that choose it, the encoder of the network that it reads, cells of 41 x 30 pixels
    "affinity_net": ({"encoder": ENCODER.model_dump(), "grid_stride": 8}, ENCODER, (4, 6)),
    "class_distribution": ({"of": ["classifier"], "grid_stride": 4}, ENCODER, (8, 11)),
    "attention": ({"of": ["classifier"]}, VIT, (4, 5)),
    "tokens": ({"of": ["classifier"]}, VIT, (4, 5)),
}


def section(method: str, **changes: object) -> Affinity:
    values = read_yaml(SHIPPED)["affinity"] | {"method": method, "radius": 2, "levels": [3, 5]}
    values |= {"channels": [4, 6]} | METHODS[method][0] | changes
    values["attention"]["keep"] = True
    return check(Affinity, values, "test")


def network(method: str, params: Affinity, folder: Path) -> torch.nn.Module:
    """The one that the method reads, random, kept in the folder."""
    torch.manual_seed(0)
    encoder = METHODS[method][1]
    config = {"encoder": encoder.model_dump()}
    if method == "affinity_net":
        model = build_affinity_net(encoder, params.levels, params.channels, params.grid_stride)
        config |= params.model_dump(include={"levels", "channels", "grid_stride"})
    else:
        model = build_classifier(encoder, 3)
        torch.nn.init.normal_(model.head.weight)
        config |= {"classes": ["background", "a", "b", "c"]}
    store.save_network(folder, model.eval(), config, [{"loss": 1.0}])
    return model


def pictures(folder: Path) -> list[Loaded]:
    rng = np.random.default_rng(0)
    return [
        Loaded(
            Picture(str(n), folder, "train", 41, 30, (1,)),
            rng.integers(0, 255, (30, 41, 3)).astype(np.uint8),
        )
        for n in range(3)
    ]


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_gives_what_single_pictures_give(method, tmp_path):
    """And that is what the method makes of the normalised picture."""
    params = section(method)
    model, folder = network(method, params, tmp_path / "network"), str(tmp_path / "network")
    own = model.encoder if method in ("attention", "tokens") else model
    compute, read = step.AffinityMaps(params, "cpu", folder), pictures(tmp_path)
    for (picture, pixels), files in zip(read, compute(read), strict=True):
        (alone,) = compute([Loaded(picture, pixels)])
        one, found = unpack(alone), unpack(files)
        assert set(files) == {"maps/*.npz"} | ({"attention/*.npz"} if method == "attention" else set())
        assert found["size"].tolist() == [30, 41] and found["offsets"].tolist() == [
            list(o) for o in offset_list(2)
        ]
        np.testing.assert_allclose(
            found["affinities"].astype(float), one["affinities"].astype(float), atol=1e-3
        )
        x = torch.from_numpy(normalise(pixels, ENCODER.mean, ENCODER.std))[None]
        module = importlib.import_module(f"stages.affinity.{method}")
        with torch.inference_mode():
            wanted = module.maps(own, x, params, offset_list(2))["maps"][0]
        np.testing.assert_allclose(found["affinities"].astype(float), wanted.numpy(), atol=1e-3)
        assert found["affinities"].dtype == np.float16
        assert found["affinities"].shape == (len(offset_list(2)), *METHODS[method][2])
        assert found["affinities"].std() > 1e-4 and found["affinities"].min() >= 0
        assert found["affinities"].max() <= 1


def test_affinity_net_s_maps_are_those_of_its_features(tmp_path):
    params = section("affinity_net")
    model = network("affinity_net", params, tmp_path / "network")
    x = torch.randn(2, 3, 30, 41, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = affinity_net.maps(model, x, params, offset_list(2))
        assert torch.equal(found["maps"], affinities(model(x), offset_list(2))[0])


def test_the_attention_that_is_kept_is_that_of_the_patches(tmp_path):
    params = section("attention")
    model = network("attention", params, tmp_path / "network")
    (files,) = step.AffinityMaps(params, "cpu", str(tmp_path / "network"))(pictures(tmp_path)[:1])
    kept = dict(np.load(io.BytesIO(files["attention/*.npz"])))
    assert set(kept) == {"attention", "size"} and kept["attention"].dtype == np.float16
    np.testing.assert_allclose(kept["attention"].astype(float).sum(1), np.ones(20), atol=2e-3)
    assert kept["attention"].shape == (20, 20) and len(model.encoder.model.blocks) == 4


def test_clip_s_attention_is_read_of_its_classifier(tmp_path):
    pytest.importorskip("open_clip")
    from stages.classifier import clip
    from tests.classifier import tiny_clip

    tiny_clip.install(tmp_path)
    texts = torch.nn.functional.normalize(torch.randn(3, 12), dim=1)
    model = clip.ClipNet(tiny_clip.model().visual, texts[:2], texts[2:], 20.0).eval()
    config = {"encoder": tiny_clip.ENCODER, "classes": ["background", "a", "b"], "background": ["ground"]}
    store.save_network(tmp_path / "network", model, config, [{"loss": 1.0}])
    params = section("attention")
    (files,) = step.AffinityMaps(params, "cpu", str(tmp_path / "network"))(pictures(tmp_path)[:1])
    x = torch.from_numpy(normalise(pictures(tmp_path)[0].pixels, [0.5] * 3, [0.5] * 3))[None]
    with torch.inference_mode():
        wanted = attention.maps(model.encoder, x, params, offset_list(2))["maps"][0]
    assert wanted.shape[1:] == (4, 5) and wanted.std() > 1e-3
    np.testing.assert_allclose(unpack(files)["affinities"].astype(float), wanted.numpy(), atol=1e-3)


def test_a_frozen_network_is_read_with_its_file(tmp_path, monkeypatch):
    """Of no stage: its weights are a file's."""
    torch.manual_seed(1)
    model = build_encoder(VIT)
    save_file(model.model.state_dict(), tmp_path / "w.safetensors")
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    digest = hashlib.sha256((tmp_path / "w.safetensors").read_bytes()).hexdigest()
    weights = {"source": "file", "name": "w.safetensors", "sha256": digest}
    params = section("tokens", of=["dataset"], encoder=VIT.model_dump() | {"weights": weights})
    (files,) = step.AffinityMaps(params, "cpu", step.folder_of(params))(pictures(tmp_path)[:1])
    x = torch.from_numpy(normalise(pictures(tmp_path)[0].pixels, VIT.mean, VIT.std))[None]
    with torch.inference_mode():
        wanted = tokens.maps(model.eval(), x, params, offset_list(2))["maps"][0]
    np.testing.assert_allclose(unpack(files)["affinities"].astype(float), wanted.numpy(), atol=1e-3)
    assert step.folder_of(section("tokens")) == "data/classifier"


@pytest.mark.parametrize("method", ["class_distribution", "attention", "tokens"])
def test_maps_without_a_training_are_kept_for_what_they_are_made_of(method, tmp_path, monkeypatch):
    """The classifier's weights, the method's keys and the cells; none of a training's keys."""
    monkeypatch.chdir(tmp_path)
    network(method, section(method), Path("data/classifier"))
    other = {"class_distribution": {"temperature": 0.5, "background": 0.0}, "tokens": {"level": 3},
             "attention": {"blocks": 1, "sinkhorn": 3, "keep": True}}  # fmt: skip
    first = step.network_key(section(method))
    assert step.network_key(section(method, epochs=3, seed=4, batch=2)) == first
    changed = [section(method, radius=3), section(method, **{method: other[method]})]
    changed += [section(method, grid_stride=8)] * (method == "class_distribution")
    keys = [step.network_key(params) for params in changed]
    monkeypatch.setattr(torch, "manual_seed", lambda _, seed=torch.manual_seed: seed(7))
    network(method, section(method), Path("data/classifier"))
    keys.append(step.network_key(section(method)))
    assert len({first, *keys}) == len(keys) + 1


def test_a_step_without_a_training_leaves_maps_alone(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    params = section("class_distribution")
    network("class_distribution", params, Path("data/classifier"))
    read = pictures(tmp_path)
    train = [picture for picture, _ in read]
    monkeypatch.setattr(step, "load", lambda *_: params)
    monkeypatch.setattr(
        step, "load_pictures", lambda: SimpleNamespace(split=lambda _: train, classes=("background", "a"))
    )
    monkeypatch.setattr(step, "loaded", lambda picture: read[int(picture.id)])
    monkeypatch.setattr(Picture, "content_hash", lambda self: self.id)
    line = step.main()
    assert line.startswith("affinity: 3 pictures, 0 reused, 3 computed") and "loss" not in line
    files = sorted(str(file.relative_to("data/affinity")) for file in Path("data/affinity").rglob("*.npz"))
    assert files == [f"maps/{n}.npz" for n in range(3)]
    assert not list(Path("data/affinity").glob("*.*"))


def test_maps_are_kept_for_the_weights_that_made_them(monkeypatch, tmp_path):
    """Not for the training's inputs alone: on another processor these give other weights."""
    params = Affinity.model_validate(read_yaml(SHIPPED)["affinity"])
    nothing = SimpleNamespace(split=lambda _: [], classes=("background", "a"))
    keys = []

    def kept(shift):
        def fit(name, strategy, *_):
            with torch.no_grad():
                strategy.networks[MAIN].join.weight += shift
            return [{"loss": 1.0, "different": 0.5}]

        monkeypatch.setattr(affinity_net, "fit", fit)
        step.main()
        return keys[-1]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(step, "load", lambda *_: params)
    monkeypatch.setattr(step, "load_pictures", lambda: nothing)
    monkeypatch.setattr(step, "save_maps", lambda _, train, key, *rest: keys.append(key) or "done")
    assert kept(0) == kept(0) != kept(1e-6)


@pytest.mark.parametrize(("weight", "samples"), [(0, MaskedSamples), (12, PlacedSamples)])
def test_where_a_view_lies_is_asked_for_by_the_term_alone(monkeypatch, tmp_path, weight, samples):
    """Without it the batches, the loss and the history are those of a training that knows no term."""
    values = read_yaml(SHIPPED)["affinity"]
    params = Affinity.model_validate(values | {"regularised": values["regularised"] | {"weight": weight}})
    nothing = SimpleNamespace(split=lambda _: [], classes=("background", "a"))
    seen = []

    def fit(name, strategy, drawn, *_):
        seen.append((type(drawn), strategy.turns[0].loss.keywords["term"]))
        return [{"loss": 1.0, "different": 0.5}]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(affinity_net, "fit", fit)
    monkeypatch.setattr(step, "load", lambda *_: params)
    monkeypatch.setattr(step, "load_pictures", lambda: nothing)
    monkeypatch.setattr(step, "save_maps", lambda *_: "done")
    step.main()
    ((kind, term),) = seen
    assert kind is samples and (term is None) == (weight == 0)


def unpack(files: dict[str, bytes]) -> dict[str, np.ndarray]:
    return dict(np.load(io.BytesIO(files["maps/*.npz"])))
