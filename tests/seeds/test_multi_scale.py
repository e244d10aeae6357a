import numpy as np
import pytest
import torch
from PIL import Image

from stages.common.params import ParameterError, check
from stages.seeds.__main__ import by_size, padded
from stages.seeds.multi_scale import fitting, multi_scale, normalise, oriented, resize
from stages.seeds.params import Seeds

VALUES = {
    "method": "cam", "layer": "last", "scales": [1.0], "flip": False,
    "negatives": "drop", "normaliser": "max", "precision": "fp32",
}  # fmt: skip


def params(**changes) -> Seeds:
    return check(Seeds, {**VALUES, **changes}, "test")


def test_a_picture_that_fits_keeps_its_map():
    maps = torch.rand(1, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    found = multi_scale(lambda x: maps, torch.zeros(1, 3, 17, 33), params(), 8)
    assert found.shape == (1, 2, 3, 5)
    assert found.amax((2, 3)).tolist() == [[1, 1], [1, 1]][:1]


def test_cells_stay_where_they_are():
    """A blob at one cell of an aligned map stays at its pixel after resizing to the stored grid."""
    x = torch.zeros(1, 3, 65, 65)
    x[:, :, 32, 16] = 1

    def strided(inputs):  # what a stride-8 convolution sees: every eighth pixel, from the first
        smooth = torch.nn.functional.avg_pool2d(inputs[:, :1], 9, 1, 4)
        return smooth[:, :, ::8, ::8]

    full = torch.nn.functional.interpolate(
        multi_scale(strided, x, params(scales=[1.0, 2.0]), 8), (65, 65), mode="bilinear"
    )[0, 0]
    rows, columns = torch.meshgrid(torch.arange(65.0), torch.arange(65.0), indexing="ij")
    assert (full * rows).sum() / full.sum() == pytest.approx(32, abs=1)
    assert (full * columns).sum() / full.sum() == pytest.approx(16, abs=1)


@pytest.mark.parametrize(
    ("size", "scale", "step", "grid"),
    [((33, 50), 1.0, 2, (17, 25)), ((50, 33), 1.0, 2, (25, 17)), ((33, 50), 0.5, 2, (9, 13)),
     ((8, 9), 1.0, 8, (1, 2)), ((5, 5), 1.0, 1, (1, 1)), ((17, 17), 1.0, 1, (17, 17)),
     ((17, 17), 1.0, 16, (2, 2))],
)  # fmt: skip
def test_the_grid_has_the_layers_cells_at_scale_one(size, scale, step, grid):
    """Cells lie every `step` pixels of the input; one that is a single cell has the encoder's stride."""
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    assert multi_scale(lambda x: x[:, :1, ::step, ::step], x, params(scales=[scale]), 8).shape[2:] == grid


def test_the_cells_distance_is_rounded_and_one_pixel_at_least():
    """48 pixels over 23 cells, and two cells a pixel."""
    x = torch.rand(1, 3, 33, 50, generator=torch.Generator().manual_seed(0))
    assert multi_scale(lambda x: torch.rand(1, 1, 16, 24), x, params(), 8).shape[2:] == (17, 25)
    finer = multi_scale(lambda x: torch.rand(1, 1, 33, 33), torch.rand(1, 3, 17, 17), params(), 8)
    assert finer.shape[2:] == (17, 17)


def test_the_scale_nearest_to_one_sets_the_grid():
    seen = []

    def attribution(x):
        seen.append(x.shape[3])
        return x[:, :1, ::4, ::4]

    found = multi_scale(attribution, torch.rand(1, 3, 33, 33), params(scales=[2.0, 0.5, 1.25]), 8)
    assert seen == [41, 17, 65] and found.shape[2:] == (11, 11)  # 40 pixels, 10 steps, 1.25: every third


def test_the_mirrored_picture_is_what_the_flip_shows():
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    found = oriented(lambda x: x[:, :1], x, params(flip=True, negatives="keep"))
    torch.testing.assert_close(found, 2 * x[:, :1])
    assert torch.equal(oriented(lambda x: x[:, :1], x, params(flip=False)), x[:, :1].relu())


@pytest.mark.parametrize("flip", [False, True])
def test_maps_of_half_precision_are_summed_in_full(flip):
    """256 + 1 is not a number of bfloat16."""
    maps = torch.tensor([256.0, 1.0]).expand(1, 1, 1, 2).bfloat16()
    found = oriented(lambda x: maps, torch.zeros(1, 3, 1, 2), params(flip=flip))
    assert found.dtype == torch.float32
    assert found.flatten().tolist() == ([257, 257] if flip else [256, 1])


@pytest.mark.parametrize("size", [(17, 9), (65, 81), (33, 50)])
def test_pictures_are_resized_as_pillow_does(size):
    picture = np.random.default_rng(0).random((33, 50), np.float32)
    given = torch.from_numpy(picture)[None, None]
    found = resize(given, size)
    wanted = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))
    np.testing.assert_allclose(found[0, 0].numpy(), wanted, atol=1e-5)
    assert (found is given) == (size == (33, 50))


def test_flip_gives_symmetric_maps_for_a_symmetric_rule():
    pictures = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(0))
    ramp = torch.arange(9.0).expand(1, 1, 8, 9)
    assert torch.equal(oriented(lambda x: ramp, pictures, params(flip=True)), torch.full((1, 1, 8, 9), 8.0))


def test_negatives_are_dropped_before_the_flips_are_summed_or_kept():
    ramp = torch.tensor([-1.0, 2.0]).expand(1, 1, 1, 2)
    x = torch.zeros(1, 3, 1, 2)
    assert oriented(lambda _: ramp, x, params(flip=True)).flatten().tolist() == [2, 2]
    assert oriented(lambda _: ramp, x, params(flip=True, negatives="keep")).flatten().tolist() == [1, 1]


def test_normalisers_by_hand():
    maps = torch.tensor([[[1.0, 2.0], [4.0, 3.0]], [[-3.0, -1.0], [-2.0, -1.0]]])
    assert normalise(maps, "max")[0].tolist() == [[0.25, 0.5], [1, 0.75]]
    assert normalise(maps, "min_max")[0, 0].tolist() == pytest.approx([0, 1 / 3])
    for how in ("max", "min_max"):
        assert torch.equal(normalise(maps, how)[1], maps[1])  # no positive evidence: never seeded
    assert normalise(torch.full((1, 2, 2), 3.0), "min_max").tolist() == [[[0, 0], [0, 0]]]


def test_sizes_are_one_more_than_a_multiple_of_the_stride():
    assert fitting((375, 500), 1.0, 16) == (369, 497)
    assert fitting((1, 3), 0.5, 16) == (1, 1)
    assert fitting((375, 500), 2.0, 16) == (753, 993)
    assert fitting((12, 13), 1.0, 8) == (9, 17)  # 11 / 8 steps, and 12 / 8


def test_one_pixel_high_picture():
    found = multi_scale(
        lambda x: x[:, :1, ::8, ::8], torch.rand(1, 3, 1, 40), params(scales=[0.5, 1.0, 2.0]), 8
    )
    assert found.shape == (1, 1, 1, 5) and torch.isfinite(found).all()


def test_contradicting_parameters_are_refused():
    with pytest.raises(ParameterError, match="needs normaliser: max"):
        params(negatives="keep", normaliser="min_max")
    with pytest.raises(ParameterError, match="use grad_cam or vgatt"):
        params(layer="encoder.stem")


def test_batches_hold_one_size_and_pad_classes():
    from types import SimpleNamespace

    work = [SimpleNamespace(task=SimpleNamespace(height=h, width=4)) for h in [3] * 17 + [5]]
    assert sorted(len(batch) for batch in by_size(work)) == [1, 1, 16]
    assert [item.task.height for batch in by_size(work) for item in batch] == [3] * 17 + [5]
    wide = [SimpleNamespace(task=SimpleNamespace(height=3, width=w)) for w in (4, 5, 4)]
    assert by_size(wide) == [[wide[0], wide[2]], [wide[1]]]
    assert padded([(2,), (1, 3)]).tolist() == [[1, 1], [0, 2]]
    assert padded([(2, 7), (1, 2, 4), ()]).tolist() == [[1, 6, 1], [0, 1, 3], [0, 0, 0]]
    assert padded([()]).tolist() == [[0]]
