"""The step as a whole: what it reads and writes, by each way, and what a change computes again."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.segmentation import felzenszwalb, slic

from stages.common.artifacts import npz_bytes, read_npz, read_picture, write_atomic, write_json
from stages.common.labels import upsample
from stages.cues import __main__ as stage
from stages.evaluation.results import read_maps

GRAPH = """
stages:
  cues:
    params: [cues.saliency, cues.regions, "cues.${cues.regions}"]
"""
PARAMS = """
cues:
  of: [seeds]
  saliency: SALIENCY
  regions: REGIONS
  none: {}
  felzenszwalb: {scale: 50, sigma: 0.5, min_size: 8}
  slic: {segments: 12, compactness: 10, sigma: 0}
"""
HEIGHT, WIDTH = 20, 30
Grid = tuple[int, int]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture with two classes, one without any, and one of the other split without seeds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "1")
    Path("dvc.yaml").write_text(GRAPH)
    rows = "id,file,split,width,height,labels\na,a.png,train,30,20,cat;dog\nb,b.png,train,30,20,\n"
    write_atomic(Path("data/dataset/index.csv"), rows + "c,c.png,val,9,9,cat\n")
    write_json(Path("data/dataset/classes.json"), ["background", "cat", "dog"])
    Path("data/dataset/images").mkdir()
    for name, classes in (("a", [1, 2]), ("b", [])):
        pixels = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
        pixels[5:15, 8:20] = 200
        cv2.imwrite(f"data/dataset/images/{name}.png", pixels)
        write_maps("seeds", name, classes, seed=1)
        write_maps("saliency", name, [1], seed=2)
    return tmp_path


def write_maps(folder: str, name: str, classes: list[int], seed: int, grid: Grid = (5, 8)) -> None:
    maps = np.random.default_rng(seed).random((len(classes), *grid)).astype(np.float16)
    content = npz_bytes(maps=maps, classes=np.int16(classes), size=np.int32([HEIGHT, WIDTH]))
    write_atomic(Path(f"data/{folder}/{name}.npz"), content)


def run(saliency: str = "saliency", regions: str = "felzenszwalb") -> str:
    Path("params.yaml").write_text(PARAMS.replace("SALIENCY", saliency).replace("REGIONS", regions))
    return stage.main()


def maps_of(name: str, folder: str = "cues") -> np.ndarray:
    return read_maps(Path(f"data/{folder}/{name}.npz"), (HEIGHT, WIDTH), 3)[0]


def parts_of(regions: str) -> np.ndarray:
    """By the library itself."""
    pixels = read_picture(Path("data/dataset/images/a.png"))
    if regions == "felzenszwalb":
        return felzenszwalb(pixels, scale=50, sigma=0.5, min_size=8)
    return slic(pixels, n_segments=12, compactness=10, sigma=0, start_label=0)


@pytest.mark.parametrize("saliency", ["nothing", "saliency"])
@pytest.mark.parametrize("regions", ["felzenszwalb", "slic"])
def test_means_of_regions_at_the_pictures_size(project: Path, saliency: str, regions: str) -> None:
    """As seeds are kept: the evaluation and the labels read both alike."""
    run(saliency, regions)
    assert sorted(path.name for path in Path("data/cues").iterdir()) == ["a.npz", "b.npz"]
    arrays = read_npz(Path("data/cues/a.npz"))
    assert arrays["maps"].dtype == np.float16 and arrays["classes"].tolist() == [1, 2]
    parts = parts_of(regions)
    assert 2 <= parts.max() + 1 < 40
    seeds = upsample(read_npz(Path("data/seeds/a.npz"))["maps"], (HEIGHT, WIDTH))
    object_ = upsample(read_npz(Path("data/saliency/a.npz"))["maps"], (HEIGHT, WIDTH))[0]
    expected = np.zeros_like(seeds)
    for number in np.unique(parts):
        inside = parts == number
        share = object_[inside].mean()
        for index, one in enumerate(seeds):
            mean = one[inside].mean()
            expected[index][inside] = (mean * share) ** 0.5 if saliency == "saliency" else mean
    np.testing.assert_allclose(maps_of("a"), expected / expected.max(), atol=1e-3)
    assert maps_of("b").shape == (0, HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("saliency_grid", "grid"), [((5, 8), (5, 8)), ((10, 15), (10, 15)), ((3, 9), (5, 9))]
)
def test_without_regions_on_the_finer_grid(project: Path, saliency_grid: Grid, grid: Grid) -> None:
    """So that a picture takes no more room than what was read; the file says its size all the same."""
    write_maps("saliency", "a", [1], seed=2, grid=saliency_grid)
    run(regions="none")
    arrays = read_npz(Path("data/cues/a.npz"))
    assert arrays["maps"].shape == (2, *grid) and arrays["size"].tolist() == [HEIGHT, WIDTH]
    read = [upsample(read_npz(Path(f"data/{name}/a.npz"))["maps"], grid) for name in ("seeds", "saliency")]
    expected = np.sqrt(read[0] * read[1])
    np.testing.assert_allclose(arrays["maps"], expected / expected.max(), atol=1e-3)
    assert maps_of("b").shape == (0, HEIGHT, WIDTH)


def test_only_what_changed_is_computed_again(project: Path) -> None:
    assert "2" in run()
    first = Path("data/cues/a.npz").read_bytes()
    assert "2 reused" in run() and Path("data/cues/a.npz").read_bytes() == first
    write_maps("saliency", "a", [1], seed=3)
    assert "1 reused" in run() and Path("data/cues/a.npz").read_bytes() != first


def test_saliency_that_is_not_read_changes_nothing(project: Path) -> None:
    run("nothing")
    write_maps("saliency", "a", [1], seed=3)
    assert "2 reused" in run("nothing")
