import numpy as np
import pytest
import torch
from PIL import Image

from stages.common.params import ParameterError, check
from stages.seeds.__main__ import padded
from stages.seeds.grid import Grid
from stages.seeds.multi_scale import fitting, multi_scale, normalise, oriented, reading, resize
from stages.seeds.params import Seeds

EVERY_EIGHTH = Grid(8, 0.0)
VALUES = {
    "method": "cam", "layer": "last", "scales": [1.0], "flip": False,
    "negatives": "drop", "normaliser": "max", "precision": "fp32",
}  # fmt: skip


def params(**changes) -> Seeds:
    return check(Seeds, {**VALUES, **changes}, "test")


def test_a_picture_that_fits_keeps_its_map():
    maps = torch.rand(1, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    found = multi_scale(lambda x: maps, torch.zeros(1, 3, 17, 33), params(), EVERY_EIGHTH, EVERY_EIGHTH)
    assert found.shape == (1, 2, 3, 5)
    assert found.amax((2, 3)).tolist() == [[1, 1], [1, 1]][:1]


def test_a_picture_that_fits_is_read_as_it_is_though_its_sides_differ():
    x = torch.rand(1, 3, 17, 33, generator=torch.Generator().manual_seed(0))
    found = multi_scale(lambda x: x[:, :1, ::8, ::8], x, params(), EVERY_EIGHTH, EVERY_EIGHTH)
    first = (17 / 6 - 0.5) / 8  # the centre of the first third of 17 pixels, in cells
    centres = torch.tensor([first, 1, 2 - first])
    rows = (1 - (centres[:, None] - torch.arange(3)).abs()).clamp_min(0)
    wanted = rows @ x[0, 0, ::8, ::8] @ reading(5, 33, 5, EVERY_EIGHTH).T
    torch.testing.assert_close(found[0, 0], wanted / wanted.max())


def test_cells_stay_where_they_are():
    """A blob at one cell of an aligned map stays at its pixel after resizing to the stored grid."""
    x = torch.zeros(1, 3, 65, 65)
    x[:, :, 32, 16] = 1

    def strided(inputs):  # what a stride-8 convolution sees: every eighth pixel, from the first
        smooth = torch.nn.functional.avg_pool2d(inputs[:, :1], 9, 1, 4)
        return smooth[:, :, ::8, ::8]

    full = torch.nn.functional.interpolate(
        multi_scale(strided, x, params(scales=[1.0, 2.0]), EVERY_EIGHTH, EVERY_EIGHTH),
        (65, 65),
        mode="bilinear",
    )[0, 0]
    rows, columns = torch.meshgrid(torch.arange(65.0), torch.arange(65.0), indexing="ij")
    assert (full * rows).sum() / full.sum() == pytest.approx(32, abs=1)
    assert (full * columns).sum() / full.sum() == pytest.approx(16, abs=1)


@pytest.mark.parametrize(
    ("size", "stride", "grid"),
    [((33, 50), 2, (17, 25)), ((50, 33), 8, (7, 5)), ((8, 9), 8, (1, 2)), ((5, 5), 16, (1, 1))],
)
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_grid_has_a_place_for_each_stride_at_any_scale(size, stride, grid, scale):
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    cells = Grid(stride, 0.0)
    found = multi_scale(lambda x: x[:, :1, ::stride, ::stride], x, params(scales=[scale]), cells, cells)
    assert found.shape[2:] == grid


def test_scales_are_summed():
    """One everywhere at scale 1, at scale 2 the cell's number, read at the centres of five places."""
    cells = Grid(4, 0.0)

    def attribution(x):
        row = torch.ones(5) if x.shape[3] == 17 else torch.arange(9.0)
        return row.expand(1, 1, x.shape[2] // 4 + 1, len(row))

    x = torch.rand(1, 3, 17, 17, generator=torch.Generator().manual_seed(0))
    found = multi_scale(attribution, x, params(scales=[1.0, 2.0]), cells, cells)
    wanted = 1 + ((torch.arange(5) + 0.5) * 33 / 5 - 0.5) / 4
    torch.testing.assert_close(found[0, 0], (wanted / wanted[-1]).expand(5, 5))


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


def test_sizes_put_the_first_and_the_last_cell_alike():
    assert fitting((375, 500), 1.0, Grid(16, 0.0)) == (369, 497)
    assert fitting((1, 3), 0.5, Grid(16, 0.0)) == (1, 1)
    assert fitting((375, 500), 2.0, Grid(16, 0.0)) == (753, 993)
    assert fitting((12, 13), 1.0, Grid(8, 0.0)) == (9, 17)  # 11 / 8 steps, and 12 / 8
    assert fitting((375, 500), 1.0, Grid(16, 7.5)) == (368, 496)
    assert fitting((1, 3), 0.5, Grid(16, 7.5)) == (16, 16)
    assert fitting((128, 128), 1.0, Grid(16, 3.5)) == (136, 136)  # 3.5 + 8 * 16 + 3.5, and the pixel itself


def test_cells_are_read_where_they_lie():
    """Two pixels a place: the places' centres are pixels .5, 2.5, 4.5, 6.5; the cells' are 1.5 and 5.5."""
    assert reading(4, 8, 2, Grid(4, 1.5)).tolist() == [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]


def test_one_pixel_high_picture():
    found = multi_scale(
        lambda x: x[:, :1, ::8, ::8],
        torch.rand(1, 3, 1, 40),
        params(scales=[0.5, 1.0, 2.0]),
        EVERY_EIGHTH,
        EVERY_EIGHTH,
    )
    assert found.shape == (1, 1, 1, 5) and torch.isfinite(found).all()


def test_contradicting_parameters_are_refused():
    with pytest.raises(ParameterError, match="needs normaliser: max"):
        params(negatives="keep", normaliser="min_max")
    with pytest.raises(ParameterError, match="use grad_cam or vgatt"):
        params(layer="encoder.stem")


@pytest.mark.parametrize("method", ["gradient", "smooth_grad", "full_grad"])
def test_methods_of_the_pixels_take_the_input_alone(method):
    params(method=method, layer="input")
    with pytest.raises(
        ParameterError, match=f"{method} is taken at the pixels, not at last: set layer: input"
    ):
        params(method=method, layer="last")
    with pytest.raises(ParameterError, match=f"{method} has no negatives to keep: set negatives: drop"):
        params(method=method, layer="input", negatives="keep")


@pytest.mark.parametrize("method", ["grad_cam_pp", "score_cam", "minmax_grad_cam", "d_minmax_grad_cam"])
def test_methods_that_weigh_maps_take_no_input(method):
    for layer in ("last", "encoder.stem"):
        params(method=method, layer=layer, negatives="keep")
    with pytest.raises(ParameterError, match=f"{method} weighs the maps of a layer, not the colours"):
        params(method=method, layer="input")


def test_minmax_cam_takes_the_last_layer_alone():
    params(method="minmax_cam")
    for layer in ("input", "encoder.stem"):
        with pytest.raises(ParameterError, match=f"last layer, not {layer}: use minmax_grad_cam there"):
            params(method="minmax_cam", layer=layer)


def test_batches_pad_classes():
    assert padded([(2,), (1, 3)]).tolist() == [[1, 1], [0, 2]]
    assert padded([(2, 7), (1, 2, 4), ()]).tolist() == [[1, 6, 1], [0, 1, 3], [0, 0, 0]]
    assert padded([()]).tolist() == [[0]]
