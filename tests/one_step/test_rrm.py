"""A step of the second training: the labels it makes, and that it is left as it was."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stages.classifier.loss import soft_margin
from stages.common import reliable
from stages.common.dense_energy import dense_energy
from stages.common.pictures import load_pictures
from stages.common.training.augment import fill_colour, normalise
from stages.common.training.colours import grey_values
from stages.common.training.samples import LabelledSamples
from stages.one_step.losses import class_distance, cross_entropy
from stages.one_step.maps import class_maps
from stages.one_step.network import Rrm
from stages.one_step.rrm import Joint, labels_of, on_cells
from stages.one_step.samples import InsideSamples
from stages.seeds.grid import Grid, grid_of
from stages.seeds.layers import LAST
from tests.one_step.test_network import network
from tests.one_step.tiny import params, project


def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Three views of 40 x 40, the last with a border beside the picture; its classes are both, one, none."""
    rng = np.random.default_rng(0)
    encoder = params().encoder
    views = rng.integers(0, 256, (3, 40, 40, 3)).astype(np.uint8)
    inside = np.ones((3, 40, 40), bool)
    inside[2, :16] = False
    views[~inside] = fill_colour(encoder.mean)
    x = np.stack([normalise(view, encoder.mean, encoder.std) for view in views])
    return torch.from_numpy(x), torch.tensor([[1.0, 1], [0, 1], [0, 0]]), torch.from_numpy(inside)


def joint(model: Rrm, **changes) -> tuple[Joint, list[reliable.View]]:
    own = params(**changes)
    seen: list[reliable.View] = []

    def label(views: list[reliable.View]) -> Iterator[np.ndarray]:
        seen.extend(views)
        return (labels_of(view, own.labels) for view in views)

    return Joint(own, model, grid_of(model.eval(), LAST), label), seen  # type: ignore[arg-type]


def test_a_step_is_the_sum_of_its_parts() -> None:
    model = network()
    step, seen = joint(model, energy__weight=0.7, distance__weight=0.3)
    pictures, targets, inside = batch()
    torch.manual_seed(4)
    found = step({"main": model}, (pictures, targets, inside), 0.0)
    assert list(found) == ["loss", "classes", "cross_entropy", "energy", "distance", "labelled"]
    torch.manual_seed(4)
    out = model(pictures, "all")
    regions = torch.from_numpy(
        np.stack([labels_of(view, step.params.labels) for view in seen]).astype(np.int64)
    )
    scores = torch.nn.functional.interpolate(out.masks, (40, 40), mode="bilinear")
    rgb = torch.stack([torch.from_numpy(view.picture.astype(np.float32)).movedim(2, 0) for view in seen])
    known = regions != 255
    parts = {
        "classes": soft_margin(out.classes, targets),
        "cross_entropy": cross_entropy(scores, regions),
        "energy": 0.7 * dense_energy(scores.softmax(1), rgb, known, inside, step.params.energy),
        "distance": 0.3 * class_distance(out.features, out.masks.argmax(1), on_cells(inside, (5, 5)), 0.5),
    }
    for name, value in parts.items():
        torch.testing.assert_close(found[name], value)
    torch.testing.assert_close(found["loss"], sum(parts.values()))
    share = 100 * float(known[inside].float().mean())
    assert float(found["labelled"]) == pytest.approx(share, rel=1e-5) and 5 < share < 100
    assert not known[~inside].any()


def test_weights_of_zero_leave_a_loss_out() -> None:
    model = network().eval()
    step, _ = joint(model, energy__weight=0.0, distance__weight=0.0)
    found = step({"main": model}, batch(), 0.0)
    assert list(found) == ["loss", "classes", "cross_entropy", "labelled"]
    torch.testing.assert_close(found["loss"], found["classes"] + found["cross_entropy"])


@pytest.mark.parametrize("scales", [[1.0], [0.5, 1.0, 1.5]])
def test_making_labels_leaves_every_buffer_mode_and_gradient_as_it_was(scales: list[float]) -> None:
    model = network()
    step, _ = joint(model, labels__scales=scales)
    model.train()
    model.encoder.levels[1].eval()
    model(batch()[0], "classes").sum().backward()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    slopes = {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None
    }
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    views = step.views({"main": model}, batch(), grey_values(batch()[0], step.params.encoder))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    after = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    assert slopes.keys() == after.keys() and all(torch.equal(after[name], slopes[name]) for name in slopes)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert [view.classes.tolist() for view in views] == [[1, 2], [2], []]
    assert [view.maps.shape for view in views] == [(2, 5, 5), (1, 5, 5), (0, 5, 5)]


def test_the_labels_are_of_the_view_that_is_trained_on() -> None:
    """Its colours to the digit, and the maps that the network has in eval mode."""
    model = network()
    step, _ = joint(model)
    pictures, targets, inside = batch()
    model.train()
    views = step.views(
        {"main": model}, (pictures, targets, inside), grey_values(pictures, step.params.encoder)
    )
    rng = np.random.default_rng(0)
    wanted = rng.integers(0, 256, (3, 40, 40, 3)).astype(np.uint8)
    assert all(
        np.array_equal(view.picture, picture) for view, picture in zip(views[:2], wanted, strict=False)
    )
    assert np.array_equal(views[2].inside, inside[2].numpy())
    with torch.no_grad():
        maps = class_maps(lambda x: model.eval()(x, "maps"), pictures, [1.0], step.grid)
    np.testing.assert_array_equal(views[1].maps, maps[1, 1:].numpy())


def test_the_maps_are_the_mean_over_the_scales_of_what_is_positive() -> None:
    """Of a ramp that every scale sees alike, read at the centres of the cells."""
    grid = Grid(8, 3.5)
    ramp = torch.linspace(-1, 1, 64).expand(1, 1, 64, 64)

    def maps(x: Tensor) -> Tensor:
        signed = torch.nn.functional.avg_pool2d(x, 8)
        return torch.cat([signed, -signed, 0 * signed + x.shape[3] / 64], 1)

    found = class_maps(maps, ramp, [0.5, 1.0, 2.0], grid)
    assert found.shape == (1, 3, 8, 8)
    cells = torch.nn.functional.avg_pool2d(ramp, 8)
    torch.testing.assert_close(found[0, 2], torch.full((8, 8), (0.5 + 1 + 2) / 3))
    inner = slice(1, 3), slice(5, 7)
    for columns in inner:
        torch.testing.assert_close(found[0, 0, :, columns], cells[0, 0, :, columns].relu(), atol=0.02, rtol=0)
        torch.testing.assert_close(
            found[0, 1, :, columns], (-cells[0, 0, :, columns]).relu(), atol=0.02, rtol=0
        )


def test_the_views_are_the_classifier_s_and_know_what_is_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = params(augment__crop=64, augment__scale=[0.5, 1.0])
    project()
    pictures = load_pictures().split("train")
    samples, plain = (kind(pictures, own, 2) for kind in (InsideSamples, LabelledSamples))
    for index in range(4):
        x, targets, inside = samples.sample(index, np.random.default_rng(index))
        view, wanted = plain.sample(index, np.random.default_rng(index))
        assert torch.equal(x, view) and torch.equal(targets, wanted) and inside.dtype == torch.bool
        rows, columns = inside.any(1), inside.any(0)
        assert torch.equal(inside, rows[:, None] & columns[None])
        assert 20 <= int(rows.sum()) <= 41 and 24 <= int(columns.sum()) <= 48
        assert x[:, ~inside].std(1).max() < 1e-5 and x[:, inside].std(1).min() > 0.05


def test_a_cell_counts_if_most_of_it_is_picture() -> None:
    inside = torch.ones(1, 16, 16, dtype=torch.bool)
    inside[0, :4, :8] = False  # half of the first cell
    inside[0, 8:11, 8:] = False
    assert on_cells(inside, (2, 2)).tolist() == [[[False, True], [True, True]]]
