"""The step on tiny pictures: its three files against sums over pictures, and what is computed again."""

import csv
import json
import statistics
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from stages.common.artifacts import csv_text, write_atomic, write_json
from stages.common.networks import store
from stages.common.pictures import Picture
from stages.diagnosis import __main__ as step
from stages.diagnosis import check
from stages.diagnosis.params import Diagnosis
from tests.seeds import tiny

CLASSES = ["background", "cat", "dog", "cow", "hen"]
LABELS = {"a": (1,), "b": (1, 2), "c": (2, 3, 4), "d": (3,), "e": (), "t": (4,)}
MEAN, STD = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])
DVC = "stages:\n  diagnosis:\n    foreach: [classifier]\n    do: {params: [diagnosis]}\n"
PARAMS = {
    "of": ["classifier"], "pictures": 9, "layers": ["input", "encoder.levels.1", "last"],
    "methods": ["vgatt_raw", "grad_cam", "occlusion", "random"], "shares": [2, 30.5], "fill": "black",
    "occlusion": {"patch": 16, "stride": 12}, "seed": 0,
}  # fmt: skip


def size(name: str) -> tuple[int, int]:
    return (33, 40) if name == "d" else (24, 33)


def ask(**changes: Any) -> None:
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe").dump({"diagnosis": PARAMS | changes}, file)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No masks are there. `t` is of train, `e` shows no class."""
    monkeypatch.chdir(tmp_path)
    step._classifier.cache_clear()
    Path("dvc.yaml").write_text(DVC)
    ask()
    write_json(Path("data/dataset/classes.json"), CLASSES)
    index(*LABELS)
    rng = np.random.default_rng(0)
    Path("data/dataset/images").mkdir()
    for name in LABELS:
        cv2.imwrite(
            f"data/dataset/images/{name}.png", rng.integers(0, 256, (*size(name), 3)).astype(np.uint8)
        )
    save(tiny.classifier().float())
    return tmp_path


def save(model: torch.nn.Module) -> None:
    encoder = tiny.encoder("small", 8).model_dump() | {"mean": MEAN.tolist(), "std": STD.tolist()}
    store.save_network(step.CLASSIFIER, model, {"classes": CLASSES, "encoder": encoder}, [{"epoch": 1}])
    step._classifier.cache_clear()


def index(*names: str) -> None:
    rows = [(n, f"{n}.png", "train" if n == "t" else "val", *size(n)[::-1],
             ";".join(CLASSES[c] for c in LABELS[n])) for n in names]  # fmt: skip
    write_atomic(
        Path("data/dataset/index.csv"),
        csv_text([("id", "file", "split", "width", "height", "labels"), *rows]),
    )


def metrics() -> dict[str, Any]:
    return json.loads(Path("reports/diagnosis/metrics.json").read_text())


def table(name: str) -> list[dict[str, str]]:
    with Path(f"reports/diagnosis/{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pixels(name: str) -> np.ndarray:
    return cv2.imread(f"data/dataset/images/{name}.png")[..., ::-1] / 255


def network(raw: torch.Tensor) -> torch.Tensor:
    """Scores [C] of RGB [H, W, 3] in 0..1."""
    model, _ = step._classifier("cpu")
    x = (raw - torch.from_numpy(MEAN)) / torch.from_numpy(STD)
    return model(x.permute(2, 0, 1)[None].float())[0]


def removed(name: str, share: float) -> tuple[float, bool, bool]:
    """|S' - S| / |S|, whether it fell, whether it is right; VGatt at raw pixels, black."""
    raw = torch.from_numpy(pixels(name).copy()).requires_grad_()
    scores = network(raw)
    target = int(scores.argmax())
    scores[target].backward()
    relevance = (raw.grad * raw).sum(2).detach().numpy()
    dark = pixels(name).copy()
    for place in np.argsort(-relevance, axis=None)[: round(share / 100 * relevance.size)]:
        dark[np.unravel_index(place, relevance.shape)] = 0
    after = network(torch.from_numpy(dark)).detach()
    before = float(scores[target].detach())
    return (
        abs(float(after[target]) - before) / abs(before),
        float(after[target]) < before,
        int(after.argmax()) + 1 in LABELS[name],
    )


def test_the_files_hold_what_loops_over_pictures_give(project: Path) -> None:
    said = step.main()
    assert said == "diagnosis: 4 pictures, 20 of 20 results computed"
    rows = {(row["method"], row["share"]): row for row in table("removal")}
    assert list(rows)[:4] == [
        ("vgatt_raw", "0"),
        ("vgatt_raw", "2"),
        ("vgatt_raw", "30.5"),
        ("grad_cam", "0"),
    ]
    for share in ("2", "30.5"):
        found = [removed(name, float(share)) for name in "abcd"]
        sizes = [100 * one[0] for one in found]
        row = rows["vgatt_raw", share]
        assert float(row["change"]) == pytest.approx(statistics.fmean(sizes), rel=1e-3, abs=0.006)
        assert float(row["change_median"]) == pytest.approx(statistics.median(sizes), rel=1e-3, abs=0.006)
        assert float(row["fell"]) == 25 * sum(one[1] for one in found)
        assert float(row["accuracy"]) == 25 * sum(one[2] for one in found)
    whole = [rows[method, "0"] for method in PARAMS["methods"]]
    assert {(row["change"], row["change_median"], row["fell"]) for row in whole} == {("0.00", "0.00", "0.00")}
    assert len({row["accuracy"] for row in whole}) == 1
    found = metrics()
    both = [float(rows["random", share]["change"]) for share in ("2", "30.5")]
    assert found["change_random"] == pytest.approx(statistics.fmean(both), abs=0.01)
    assert (found["images"], found["split"], found["accuracy"]) == (4, "val", float(whole[0]["accuracy"]))
    assert -100 <= found["agreement_grad_cam"] <= 100 and "agreement_occlusion" not in found


def test_the_ratios_are_what_the_contributions_leave_over(project: Path) -> None:
    """The table's are of the parameters; here by CHEN's Eq. 4.12, S - sum of gradient times value."""
    step.main()
    model, _ = step._classifier("cpu")
    ratios = []
    for name in "abcd":
        x = ((pixels(name) - MEAN) / STD).transpose(2, 0, 1)[None]
        leaf = torch.from_numpy(x).float().requires_grad_()
        scores = model(leaf)[0]
        for c in LABELS[name]:
            own = scores[c - 1]
            if own > 0 and own > 0.05 * scores.max():
                (gradient,) = torch.autograd.grad(own, leaf, retain_graph=True)
                ratios.append(float(((own - (gradient * leaf).sum()) / own).detach()))
    first, _, last = table("bias")
    assert 0 < len(ratios) < 7 and (first["layer"], int(first["pairs"])) == ("input", len(ratios))
    assert float(first["left_out"]) == pytest.approx(100 * (1 - len(ratios) / 7), abs=0.01)
    assert float(first["mean"]) == pytest.approx(statistics.fmean(ratios), rel=1e-3)
    assert float(first["median"]) == pytest.approx(statistics.median(ratios), rel=1e-3)
    assert {last[key] for key in ("mean", "low", "high", "median")} == {"0.0000"}
    assert metrics()["bias_input"] == pytest.approx(statistics.median(ratios), rel=1e-3)


def test_only_what_is_new_is_computed_and_gives_the_same_bytes(project: Path) -> None:
    index("a", "b", "t")
    assert step.main() == "diagnosis: 2 pictures, 10 of 10 results computed"
    index(*LABELS)
    assert "10 of 20" in step.main()
    names = ("metrics.json", "removal.csv", "bias.csv")
    before = [Path(f"reports/diagnosis/{name}").read_bytes() for name in names]
    assert "0 of 20" in step.main()
    for changes, count in (
        ({"layers": ["input"]}, 4), ({"seed": 1}, 4), ({"occlusion": {"patch": 16, "stride": 16}}, 4),
        ({"methods": ["vgatt_raw", "vgatt_normalised"]}, 4), ({"shares": [2]}, 16), ({"fill": "mean"}, 16),
    ):  # fmt: skip
        ask(**changes)
        assert f" {count} of " in step.main(), changes
    step.items.SCRATCH.rename("old")
    ask()
    assert "20 of 20" in step.main()
    assert [Path(f"reports/diagnosis/{name}").read_bytes() for name in names] == before
    model = tiny.classifier().float()
    model.head.weight.data *= 2
    save(model)
    assert "20 of 20" in step.main()


def test_pictures_are_drawn_by_the_seed_and_a_new_one_displaces_one_at_most() -> None:
    many = [Picture(f"{n:03}", Path(f"{n}"), "val", 3, 3, (1,) * (n % 5 > 0)) for n in range(100)]
    first = step.chosen(many, 30, 0)
    assert len(first) == 30 and all(picture.labels for picture in first)
    assert [picture.id for picture in first] == sorted(picture.id for picture in first)
    assert step.chosen(many[::-1], 30, 0) == first != step.chosen(many, 30, 1)
    assert len(step.chosen(many, 300, 0)) == 80
    more = step.chosen([*many, Picture("new", Path("new"), "val", 3, 3, (1,))], 30, 0)
    assert len(set(first) - set(more)) <= 1


def test_nothing_to_diagnose(project: Path) -> None:
    index("e", "t")
    assert step.main().startswith("diagnosis: 0 pictures")
    assert metrics() == {"images": 0, "split": "val", "pairs": 0}
    assert all(row["change"] == row["accuracy"] == "" for row in table("removal"))


def test_what_cannot_be_is_said_before_work_starts(project: Path) -> None:
    ask(layers=["encoder.levls.1"])
    with pytest.raises(
        ValueError, match=r"^diagnosis\.layers: the classifier has no layer 'encoder\.levls\.1'; did"
    ):
        step.main()
    ask(layers=["last", "encoder"])
    with pytest.raises(ValueError, match=r"^diagnosis\.layers encoder: its output is no feature map"):
        step.main()
    ask()
    step._classifier("cpu")[0].head.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match=r"scores of [abcd] are not finite: it diverged, train it again"):
        step.main()


def params(**changes: Any) -> Diagnosis:
    return Diagnosis.model_validate(PARAMS | changes)


def test_a_layer_that_a_skip_passes_by_is_refused() -> None:
    model = tiny.classifier("resnet18", 32)
    with pytest.raises(
        ValueError, match=r"^diagnosis\.layers encoder\.layer4\.0\.conv1: a skip passes it by.*take the whole"
    ):
        check.require(model, params(layers=["input", "encoder.layer4.0.conv1"]))
    check.require(model, params(layers=["input", "encoder.layer4.0", "last"]))


def test_a_network_that_is_not_piece_wise_affine_is_refused_below_its_last_layer() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.SiLU())
    model = tiny.chain(module, channels=4)
    said = r"^diagnosis\.layers: encoder\.0\.1 \(SiLU\) is not piece-wise affine.*: set layers: \[last\]$"
    with pytest.raises(ValueError, match=said):
        check.require(model, params(layers=["input", "last"]))
    check.require(model, params(layers=["last"]))
    module[1] = torch.nn.ReLU()
    check.require(model, params(layers=["input", "last"]))
