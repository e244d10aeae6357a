"""What is drawn on a scene: where it lies, how long it is, and that no picture depends on it."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stages.common.artifacts import read_mask
from stages.generate import __main__ as step
from stages.generate.scene import Scene, labels
from stages.generate.strokes import clicks, inner, longest, part, scribble, sweep
from tests.generate.test_main import OUT, generate, hashes, listed
from tests.generate.test_scene import scenes

__all__ = ["generate"]  # the fixture
DRAWN = ("Scribbles/", "points.json")


def rng(index: int) -> np.random.Generator:
    return np.random.default_rng((7, index, 1))


def test_no_stroke_is_wrong_and_every_object_has_one() -> None:
    for index, scene in enumerate(scenes(40)):
        found, truth = scribble(rng(index), scene, 1), labels(scene)
        assert {*np.unique(found).tolist()} == {0, 255, *(kind + 1 for kind in scene.classes)}
        known = (found != 255) & (truth != 255)
        assert known.any() and (found == truth)[known].all()
        for number, kind in enumerate(scene.classes, 1):
            assert (found[scene.instances == number] == kind + 1).any()


def test_as_many_pixels_as_measured() -> None:
    """The strokes of 128-pixel scenes label about 4.4 %; of 0.3 of their length, 0.3 of that and the ends."""
    shares = {
        length: np.mean(
            [(scribble(rng(i), scene, length) != 255).mean() for i, scene in enumerate(scenes(40))]
        )
        for length in (1, 0.3)
    }
    assert 0.04 < shares[1] < 0.05
    assert 0.3 < shares[0.3] / shares[1] < 0.45


def test_a_shorter_stroke_lies_on_the_longer_one_and_moves_no_click() -> None:
    for index, scene in enumerate(scenes(12)):
        one, other = rng(index), rng(index)
        long, short = scribble(one, scene, 1), scribble(other, scene, 0.3)
        assert ((short == long) | (short == 255)).all() and (short != long).any()
        assert clicks(one, scene) == clicks(other, scene)


def test_a_click_lies_half_as_deep_as_the_deepest_pixel() -> None:
    """The depth by brute force: the nearest pixel outside the region, the picture's edge included."""
    for index, scene in enumerate(scenes(4, size=48)):
        found = clicks(rng(index), scene)
        assert [click["cls"] for click in found] == [*(kind + 1 for kind in scene.classes), 0]
        for number, click in zip([*range(1, len(scene.classes) + 1), 0], found, strict=True):
            region = np.pad(scene.instances == number, 1)
            (inside, outside) = (np.argwhere(region), np.argwhere(~region))
            depth = np.sqrt(((inside[:, None] - outside) ** 2).sum(2).min(1))
            at = [click["y"] + 1, click["x"] + 1]
            (mine,) = depth[(inside == at).all(1)]
            assert mine >= 0.95 * depth.max() / 2  # OpenCV's distance is within 2 %


def test_clicks_differ_from_picture_to_picture() -> None:
    scene = scenes(1)[0]
    assert len({(click["x"], click["y"]) for i in range(20) for click in clicks(rng(i), scene)}) > 20


def thin(*rows: str) -> np.ndarray:
    return np.array([[sign == "#" for sign in row] for row in rows])


def test_the_longest_way_of_a_tree() -> None:
    """A T with arms of 2 and 4 and a foot of 3: along the longer arm and the foot, or over both arms."""
    tree = thin("#######", "..#....", "..#....", "..#....")
    way = longest(tree)
    assert {way[0], way[-1]} == {(0, 6), (3, 2)} and len(way) == 7  # the corner is cut: 8 neighbours
    assert all(max(abs(a[0] - b[0]), abs(a[1] - b[1])) == 1 for a, b in pairwise(way))
    assert len({*way}) == len(way) and all(tree[pixel] for pixel in way)
    assert longest(thin("#")) == [(0, 0)]


def test_a_sweep_is_a_shortest_way() -> None:
    ring = thin("#####", "#...#", "#...#", "#...#", "#####")
    pixels = {(int(y), int(x)) for y, x in np.argwhere(ring)}
    assert len(sweep(pixels, (0, 0))) - 1 == 7  # of 16 pixels around, less the corners that are cut


def test_a_part_is_connected_and_of_its_share() -> None:
    way = [(0, x) for x in range(100)]
    for place in (0.0, 0.5, 1.0):
        found = part(way, 0.6, 1, np.array([place, 0.3]))
        assert found == way[round(40 * place) : round(40 * place) + 60]
        short = part(way, 0.6, 0.3, np.array([place, 0.5]))
        assert len(short) == 18 and short == found[21:39]
    assert part(way[:1], 0.6, 0.3, np.array([0.5, 0.5])) == [(0, 0)]


def test_erosion_that_leaves_nothing_is_taken_back() -> None:
    region = np.zeros((20, 20), bool)
    region[2:12, 2:12], region[15:18, 15:18] = True, True
    assert inner(region, 5).sum() == 6 * 6  # the larger piece, without two pixels on each side
    region[2:12] = False
    assert np.argwhere(inner(region, 5)).tolist() == [[16, 16]]  # by squares of 3


def test_a_scene_without_ground() -> None:
    none = np.zeros((32, 32), bool)
    whole = Scene(np.zeros((32, 32, 3), np.uint8), np.ones((32, 32), np.uint8), none, none, (2,))
    assert {*np.unique(scribble(rng(0), whole, 1)).tolist()} == {3, 255}
    assert [click["cls"] for click in clicks(rng(0), whole)] == [3]


def test_no_picture_mask_or_box_depends_on_what_is_drawn(generate, monkeypatch: pytest.MonkeyPatch) -> None:
    generate()
    drawn = hashes()
    assert sum(name.startswith("Scribbles/") for name in drawn) == 12

    def other(random: np.random.Generator, scene: Scene, length: float) -> np.ndarray:
        return random.integers(0, 2, scene.instances.shape, np.uint8)

    monkeypatch.setattr(step, "scribble", other)
    generate()
    changed = {name for name, value in hashes().items() if value != drawn[name]}
    assert changed == {name for name in drawn if name.startswith(DRAWN)}


def test_the_length_changes_scribbles_alone(generate) -> None:
    generate()
    first = hashes()
    generate(scribbles=0.3)
    changed = {name for name, value in hashes().items() if value != first[name]}
    assert changed == {name for name in first if name.startswith("Scribbles/")}


def test_files_of_scribbles_and_points(generate) -> None:
    generate()
    points = json.loads((OUT / "points.json").read_text())
    assert [*points] == [*listed("train"), *listed("val")]
    for name, found in points.items():
        mask = read_mask(OUT / f"SegmentationClass/{name}.png")
        strokes = read_mask(OUT / f"Scribbles/{name}.png")
        known = (strokes != 255) & (mask != 255)
        assert strokes.shape == mask.shape and (strokes == mask)[known].all()
        assert all(mask[click["y"], click["x"]] in (click["cls"], 255) for click in found)
        assert {click["cls"] for click in found} == {*np.unique(strokes).tolist()} - {255}
    assert Path(OUT / "Annotations").is_dir()
