"""`wsss predict --like`: a small few-shot network that nobody trained, on pictures of any size."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML

from stages.commands.predict.__main__ import main
from stages.commands.predict.like import read_object
from stages.common.artifacts import read_mask, read_picture
from stages.common.networks import store
from stages.few_shot.network import build_few_shot, saved_config
from stages.few_shot.segment import FewShotSegmenter
from tests.conftest import ROOT
from tests.few_shot import tiny

MODEL = Path("data/few_shot/0")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network that finds something, three pictures in `in`, and a mask of the first two in `masks`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "1")
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, name)
    for folder in ("in", "masks"):
        Path(folder).mkdir()
    rng = np.random.default_rng(0)
    for name, label in (("a", 1), ("b", 1), ("c", 2)):
        picture, mask = tiny.drawn([label], rng)
        cv2.imwrite(f"in/{name}.png", cv2.resize(picture, (60, 50))[..., ::-1])
        cv2.imwrite(f"masks/{name}.png", cv2.resize((mask == label).astype(np.uint8), (60, 50)))
    torch.manual_seed(1)
    chosen = tiny.params()
    net = build_few_shot(chosen).eval()
    store.save_network(MODEL, net, saved_config(chosen, tiny.CLASSES, {3, 4}), [{"loss": 1.0}])
    seen = FewShotSegmenter.load(MODEL, "cpu", False)
    scores = seen.by_each(read_picture(Path("in/c.png")), supports(seen, "a"))[0]
    with torch.no_grad():  # half of the pixels of c
        net.decoder.whole[-1].bias[1] += (scores[0] - scores[1]).median()
    store.save_network(MODEL, net, saved_config(chosen, tiny.CLASSES, {3, 4}), [{"loss": 1.0}])
    return tmp_path


def supports(net, *names):
    return net.guides(
        [read_picture(Path(f"in/{name}.png")) for name in names],
        [read_mask(Path(f"masks/{name}.png")) for name in names],
    )


def asked(*names: str) -> list[str]:
    return [part for name in names for part in ("--like", f"in/{name}.png", "--mask", f"masks/{name}.png")]


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_it_labels_what_the_supports_show(project, capsys, names):
    assert main([*asked(*names), "in/c.png", "in/b.png", "--out", "out"]) == 0
    net = FewShotSegmenter.load(MODEL, "cpu", False)
    shown = supports(net, *names)
    wanted = net.segmented(read_picture(Path("in/c.png")), shown, net.weights(shown))
    assert np.array_equal(read_mask(Path("out/masks/c.png")), wanted) and 0 < wanted.mean() < 1
    assert Image.open("out/overlays/b.jpg").size[0] >= 60
    lines = Path("out/areas.csv").read_text().splitlines()
    assert lines[0] == "picture,class,pixels,percent" and any(line.startswith("c,object,") for line in lines)
    assert "2 of 2 pictures are labelled" in capsys.readouterr().out


def test_other_supports_are_other_results(project, capsys):
    for out, names in (("first", ("a",)), ("again", ("a",)), ("other", ("c",))):
        assert main([*asked(*names), "in/b.png", "--out", out]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "reused" in line]
    assert ["1 reused" in line for line in told] == [False, True, False]


def test_another_mask_or_network_is_another_result(project, capsys):
    def run(out: str) -> bool:
        assert main([*asked("a"), "in/b.png", "--out", out]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "reused" in line]
        return "1 reused" in line

    assert not run("first")
    mask = read_mask(Path("masks/a.png"))
    mask[np.nonzero(mask)[0][0]] = 0
    cv2.imwrite("masks/a.png", mask)
    assert not run("mask") and run("same")
    net = FewShotSegmenter.load(MODEL, "cpu", False).net
    net.decoder.whole[-1].bias += 1
    chosen = tiny.params()
    store.save_network(MODEL, net, saved_config(chosen, tiny.CLASSES, {3, 4}), [{"loss": 1.0}])
    assert not run("network")


def test_an_object_that_is_lost_in_the_network_s_size_is_refused(project):
    cv2.imwrite("in/large.png", np.full((500, 640, 3), 90, np.uint8))
    mask = np.zeros((500, 640), np.uint8)
    mask[101:104, 201:204] = 1
    cv2.imwrite("masks/large.png", mask)
    with pytest.raises(ValueError, match=r"--mask masks/large.png: nothing is left .* at 32 pixels, .*: cut"):
        main([*asked("a", "large"), "in/c.png", "--out", "out"])
    assert not Path("out").exists()


def test_what_supports_say_of_each_other_is_asked_once(project, monkeypatch):
    """Not for each picture; and of several pairs of them, those of one query are in memory at a time."""
    useful, scores, calls, pairs = FewShotSegmenter.useful, FewShotSegmenter.scores, [], []

    def counted(self, supports):
        calls.append(supports)
        return useful(self, supports)

    def measured(self, features, guide):
        pairs.append((len(features.joined), features.joined.untyped_storage().nbytes()))
        return scores(self, features, guide)

    monkeypatch.setattr(FewShotSegmenter, "useful", counted)
    monkeypatch.setattr(FewShotSegmenter, "scores", measured)
    assert main([*asked("a", "b", "c"), "in/b.png", "in/c.png", "--out", "out"]) == 0
    assert len(calls) == 1
    whole = calls[0].features.joined.untyped_storage().nbytes()
    assert max(number for number, _ in pairs) == 3 and max(size for _, size in pairs) <= whole


def test_what_was_too_large_is_labelled_once_it_may_be(project, capsys):
    """Results are kept by the data set's limit and white too: both make the pixels of a file."""
    cv2.imwrite("in/large.png", np.full((1000, 1200, 3), 90, np.uint8))
    params = YAML().load(Path("params.yaml"))
    told = []
    for out, most, white in (("first", 1, 255), ("again", 100, 255), ("other", 100, 4095)):
        params["dataset"]["max_megapixels"] = most
        YAML().dump(params, Path("params.yaml"))
        Path("data/dataset").mkdir(exist_ok=True)
        Path("data/dataset/white.json").write_text(f'{{"whole": {white}, "real": null}}')
        assert main([*asked("a"), "in/large.png", "--out", out]) == (most == 1)
        told += [line for line in capsys.readouterr().out.splitlines() if "reused" in line]
    assert Path("again/masks/large.png").is_file()
    assert all("0 reused" in line for line in told) and len(told) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--like", "in/a.png"], "each --like needs its --mask, .* found 1 --like and 0 --mask"),
        (["--like", "in/x.png", "--mask", "masks/a.png"], "--like in/x.png: No such file"),
        (["--like", "in/a.png", "--mask", "masks/x.png"], "--mask masks/x.png: No such file"),
        (["--like", "in/a.png", "--mask", "small.png"], "--mask small.png: it is 9x9, its picture is 60x50"),
        (["--like", "in/a.png", "--mask", "empty.png"], "--mask empty.png: it marks nothing"),
        ([*asked("a"), "--tile", "64"], "--tile, --overlap and --batch are of the segmenter"),
        ([*asked("a"), "--batch", "0"], "--tile, --overlap and --batch are of the segmenter"),
        ([*asked("a"), "--model", "in"], r"in holds no few-shot network \(no config.json\)"),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(project, arguments, message):
    Image.new("L", (9, 9), 1).save("small.png")
    Image.new("L", (60, 50), 0).save("empty.png")
    with pytest.raises(ValueError, match=message):
        main([*arguments, "in/c.png", "--out", "out"])
    assert not Path("out").exists()


def test_too_little_memory_says_what_helps_here(project, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(FewShotSegmenter, "by_each", full)
    with pytest.raises(
        ValueError, match=r"no memory on cpu .* of 60x50 .*: smaller pictures or fewer --like"
    ):
        main([*asked("a"), "in/c.png", "--out", "out"])


def test_the_model_is_the_one_that_is_there(project):
    shutil.copytree(MODEL, "data/few_shot/1")
    with pytest.raises(ValueError, match=r"so name one: --model data/few_shot/0 or data/few_shot/1"):
        main([*asked("a"), "in/c.png", "--out", "out"])
    assert main([*asked("a"), "in/c.png", "--out", "out", "--model", "data/few_shot/1"]) == 0
    with pytest.raises(ValueError, match=r"no trained segmenter \(a few-shot network, for --like and --mask"):
        main(["in/c.png", "--out", "out2", "--model", "data/few_shot/1"])
    shutil.rmtree("data/few_shot")
    with pytest.raises(ValueError, match=r"holds no network: set few_shot\.folds"):
        main([*asked("a"), "in/c.png", "--out", "more"])


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0, 255], [0, 1]), ([0, 1], [0, 1]), ([0, 7], [0, 1]), ([0, 1, 255], [0, 1, 255]),
        ([0, 3, 9, 255], [0, 1, 1, 255]), ([5], [1]),
    ],
)  # fmt: skip
def test_values_of_masks_as_people_save_them(tmp_path, values, wanted):
    file = tmp_path / "mask.png"
    Image.fromarray(np.array([values], np.uint8)).save(file)
    assert read_object(file, (1, len(values)), 1).tolist() == [wanted]
    Image.fromarray(np.array([[[v] * 3 for v in values]], np.uint8)).save(file)
    assert read_object(file, (1, len(values)), 1).tolist() == [wanted]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_mask_with_soft_edges_is_refused(tmp_path, suffix):
    """Of many values 255 is void: the object would be its edge alone."""
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:45] = 255
    file = tmp_path / f"mask.{suffix}"
    Image.fromarray(mask).resize((90, 60), Image.Resampling.BILINEAR).save(file)
    with pytest.raises(ValueError, match=r"--mask .* grey values, as soft edges or a JPEG .* save it as PNG"):
        read_object(file, (60, 90), 1)


def test_a_mask_of_many_values_is_refused_without_255_too(tmp_path):
    Image.fromarray(np.arange(120, dtype=np.uint8)[None]).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match="120 grey values"):
        read_object(tmp_path / "mask.png", (1, 120), 1)


def test_a_mask_of_one_bit(tmp_path):
    Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1").save(tmp_path / "mask.png")
    assert read_object(tmp_path / "mask.png", (1, 3), 1).tolist() == [[0, 1, 1]]


def test_what_is_transparent_marks_nothing(tmp_path):
    pixels = [[[255, 255, 255, 0], [255, 255, 255, 255], [0, 0, 0, 255]]]
    Image.fromarray(np.array(pixels, np.uint8)).save(tmp_path / "mask.png")
    assert read_object(tmp_path / "mask.png", (1, 3), 1).tolist() == [[0, 1, 0]]


def test_a_mask_that_is_too_large(tmp_path):
    Image.new("L", (1200, 1000), 1).save(tmp_path / "mask.png")
    with pytest.raises(
        ValueError, match=r"--mask .*mask\.png: .* is more than dataset\.max_megapixels \(1\)"
    ):
        read_object(tmp_path / "mask.png", (1000, 1200), 1)
