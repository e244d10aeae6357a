"""The maps that the step keeps: of a batch of one size on a GPU, one by one on a CPU."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stages.affinity import __main__ as step
from stages.affinity.network import affinities, build_affinity_net
from stages.affinity.params import Affinity
from stages.common.networks import store
from stages.common.params import read_yaml
from stages.common.pictures import Loaded, Picture
from stages.common.training.augment import normalise
from stages.common.training.samples import MaskedSamples, PlacedSamples
from stages.common.training.strategy import MAIN
from tests.affinity.test_network import ENCODER
from tests.segmenter.scenes import SHIPPED


def test_a_batch_gives_what_single_pictures_give(tmp_path):
    torch.manual_seed(0)
    model = build_affinity_net(ENCODER, [3, 5], [4, 6], 8).eval()
    config = {"encoder": ENCODER.model_dump(), "levels": [3, 5], "channels": [4, 6], "grid_stride": 8}
    store.save_network(tmp_path, model, config, [{"loss": 1.0}])
    rng = np.random.default_rng(0)
    read = [
        Loaded(
            Picture(str(n), tmp_path, "train", 41, 30, (1,)),
            rng.integers(0, 255, (30, 41, 3)).astype(np.uint8),
        )
        for n in range(3)
    ]
    compute = step.AffinityMaps(2, "cpu", str(tmp_path))
    for (picture, pixels), files in zip(read, compute(read), strict=True):
        (alone,) = compute([Loaded(picture, pixels)])
        one, found = unpack(alone), unpack(files)
        assert found["size"].tolist() == [30, 41] and found["offsets"].tolist() == [
            list(o) for o in step.offset_list(2)
        ]
        np.testing.assert_allclose(
            found["affinities"].astype(float), one["affinities"].astype(float), atol=1e-3
        )
        x = torch.from_numpy(normalise(pixels, ENCODER.mean, ENCODER.std))[None]
        with torch.inference_mode():
            wanted = affinities(model(x), step.offset_list(2))[0][0]
        np.testing.assert_allclose(found["affinities"].astype(float), wanted.numpy(), atol=1e-3)
        assert found["affinities"].dtype == np.float16 and found["affinities"].std() > 0.01


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

        monkeypatch.setattr(step, "fit", fit)
        step.main()
        return keys[-1]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(step, "load", lambda *_: params)
    monkeypatch.setattr(step, "load_pictures", lambda: nothing)
    monkeypatch.setattr(step, "save_maps", lambda _, train, key, network: keys.append(key) or "done")
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
    monkeypatch.setattr(step, "fit", fit)
    monkeypatch.setattr(step, "load", lambda *_: params)
    monkeypatch.setattr(step, "load_pictures", lambda: nothing)
    monkeypatch.setattr(step, "save_maps", lambda *_: "done")
    step.main()
    ((kind, term),) = seen
    assert kind is samples and (term is None) == (weight == 0)


def unpack(files: dict[str, bytes]) -> dict[str, np.ndarray]:
    return dict(np.load(io.BytesIO(files["maps/*.npz"])))
