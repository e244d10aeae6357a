"""The maps that the step keeps: of a batch of one size on a GPU, one by one on a CPU."""

import io

import numpy as np
import torch

from stages.affinity import __main__ as step
from stages.affinity.network import affinities, build_affinity_net
from stages.common.networks import store
from stages.common.pictures import Loaded, Picture
from stages.common.training.augment import normalise
from tests.affinity.test_network import ENCODER


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


def unpack(files: dict[str, bytes]) -> dict[str, np.ndarray]:
    return dict(np.load(io.BytesIO(files["maps/*.npz"])))
