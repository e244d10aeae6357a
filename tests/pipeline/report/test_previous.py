"""What the page says against the last run, how far seeds scatter, and the tables to paste."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import noise, places, snapshot, worktrees
from pipeline.report import paste, previous, recogniser, seeds


def entry(miou: float = 40.0, threshold: float = 0.3, data: str = "aa") -> dict[str, Any]:
    return {"when": "then", "run": "name", "params": {"evaluation": {"threshold": threshold}}, "data": [data],
            "rungs": {"seeds": [miou, "train", 12], "predictions": [50.0, "val", 4]}}  # fmt: skip


def test_the_last_run_is_the_one_with_other_results(tmp_path: Path) -> None:
    assert previous.remember(tmp_path, entry(40)) is None
    assert previous.remember(tmp_path, entry(40)) is None  # the same page anew
    assert previous.remember(tmp_path, entry(41)) == entry(40)
    assert previous.remember(tmp_path, entry(41)) == entry(40)  # `wsss report` forgets nothing
    assert previous.remember(tmp_path, entry(41, threshold=0.4)) == entry(41)
    nothing = entry() | {"rungs": {}}
    assert previous.remember(tmp_path, nothing) == entry(41, threshold=0.4)  # a failed run scores nothing
    assert len(json.loads((places.state(tmp_path) / "scores.json").read_text())) == 2


@pytest.mark.parametrize("text", ["", "[1]", "{}", '[{"when": 1}]', "\x00"])
def test_a_damaged_note_is_made_anew(tmp_path: Path, text: str) -> None:
    file = places.state(tmp_path) / "scores.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert previous.remember(tmp_path, entry(40)) is None
    assert previous.remember(tmp_path, entry(41)) == entry(40)


def test_one_run_on_each_side_is_never_called_significant() -> None:
    found = previous.compare(entry(40), entry(45, threshold=0.4), {})
    assert found["params"] == [("evaluation.threshold", "0.3", "0.4")]
    first = found["rows"][0]
    assert (first["before"], first["now"], first["change"], first["noise"]) == ("40.00", "45.00", "+5.00", "")
    assert found["rules"] == [noise.RULES[noise.ONE_EACH]]


def test_seeds_tell_noise_from_change() -> None:
    known = {"seeds": {"s0": 45.0, "s1": 45.2, "s2": 44.8}, "predictions": {"s0": 47.0, "s1": 55.0}}
    rows = previous.compare(entry(40), entry(45), known)["rows"]
    assert [row["noise"] for row in rows] == [noise.BEYOND, noise.NOISE]
    assert (rows[1]["now"], rows[1]["change"], rows[1]["seeds"]) == ("51.00", "+1.00", 2)  # of the mean


def test_another_data_set_is_not_compared() -> None:
    found = previous.compare(entry(40, data="bb"), entry(45), {})
    assert not found["same_data"] and found["rows"] == []
    fewer = entry(40)
    fewer["rungs"]["seeds"][2] = 3
    assert [row["rung"] for row in previous.compare(fewer, entry(45), {})["rows"]] == ["predictions"]


def test_runs_alike_differ_in_seeds_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs = {"a-s0": (0, 0.3), "a-s1": (1, 0.3), "b-s0": (0, 0.4), "b-s1": (1, 0.4), "c-s0": (0, 0.3)}

    def open_run(root: Path, name: str) -> Any:
        seed, threshold = runs[name]
        return SimpleNamespace(name=name, params={"x": {"seed": seed, "threshold": threshold}})

    def read(run: Any) -> Any:
        miou = 40.0 + 2 * run.params["x"]["seed"]
        rung = SimpleNamespace(name="seeds", numbers={"miou": miou}, classes={"cat": 10.0})
        return SimpleNamespace(run=run, good=[rung], rung=lambda name: rung if name == "seeds" else None)

    monkeypatch.setattr(worktrees, "branches", lambda root: list(runs))
    monkeypatch.setattr(snapshot, "open_run", open_run)
    monkeypatch.setattr("pipeline.scores.read", read)
    found = seeds.like(tmp_path, {"x": {"seed": 7, "threshold": 0.3}})
    assert [one.run.name for one in found] == ["a-s0", "a-s1"]
    assert seeds.miou(found) == {"seeds": {"a-s0": 40.0, "a-s1": 42.0}}
    assert (
        seeds.iou(found, "seeds") == {"cat": {"a-s0": 10.0, "a-s1": 10.0}} and seeds.iou(found, "crf") == {}
    )
    assert seeds.spread(seeds.miou(found)["seeds"]) == pytest.approx((41.0, 2**0.5))
    assert seeds.spread({"a-s0": 1.0}) is None
    assert seeds.like(tmp_path, {"x": {"seed": 0, "threshold": 0.5}}) == []


ROWS = [
    {"rung": "seeds", "split": "train", "miou": "40.00", "images": "12"},
    {"rung": "pseudo_labels", "split": "train", "miou": "", "images": "12"},
]


def test_tables_to_paste() -> None:
    assert paste.as_csv(ROWS) == "rung,split,miou,images\nseeds,train,40.00,12\npseudo_labels,train,,12\n"
    both = paste.of_ladder({"seeds": {"s0": 40.0, "s1": 42.0}, "pseudo_labels": {"s0": 1.0}})
    lines = paste.as_csv(ROWS, both).splitlines()
    assert lines[:2] == ["rung,split,miou,miou sd,images", "seeds,train,41.00,1.41,12"]
    latex = paste.as_latex(ROWS, ("rung", "split"), both).splitlines()
    assert latex[0] == r"\begin{tabular}{llrr}" and latex[-1] == r"\end{tabular}"
    assert r"seeds & train & $41.00 \pm 1.41$ & 12 \\" in latex
    assert r"pseudo\_labels & train & -- & 12 \\" in latex
    assert paste.escape("50% a&b {c}") == r"50\% a\&b \{c\}"
    assert paste.as_latex([], ()) == paste.as_csv([]) == ""
    classes = paste.of_classes({"seeds": {"cat": {"s0": 1.0, "s1": 3.0}}})
    assert classes == {"cat": {"seeds": (2.0, pytest.approx(2**0.5))}}


def test_the_classifier_by_class(tmp_path: Path) -> None:
    assert recogniser.read(tmp_path) == {}
    file = tmp_path / "reports" / "classifier" / "metrics.json"
    file.parent.mkdir(parents=True)
    metrics = {"map": 95.8, "f1": 75, "ap_per_class": {"cat": 100, "dog": 91.6}, "f1_per_class": {"dog": 50}}
    file.write_text(json.dumps(metrics))
    found = recogniser.read(tmp_path)
    assert (found["map"], found["f1"]) == ("95.80", "75.00")
    assert found["rows"] == [
        {"class": "dog", "AP": "91.60", "F1": "50.00"}, {"class": "cat", "AP": "100.00", "F1": ""}
    ]  # fmt: skip
    file.write_text("{}")
    assert recogniser.read(tmp_path) == {}
