"""What the page says against the last run, how far seeds scatter, and the tables to paste."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.project import git, ledger, places
from pipeline.results import noise, snapshot
from pipeline.results.report import head, page, paste, previous, protocol, recogniser, seeds
from pipeline.results.snapshot import Snapshot
from tests.pipeline import made_runs


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


def alike(name: str, seed: int = 0, threshold: float = 0.3, code: str = "c", lists: int = 0) -> Snapshot:
    """A run of one stage, whose result its seed makes."""
    params = {"generate": {"seed": lists}, "x": {"seed": seed, "threshold": threshold}}
    files = [{"path": "x.py", "md5": code}, {"path": "params.yaml", "md5": f"p{seed}"}]
    stage = {"cmd": "x", "deps": files, "outs": [{"path": "data/x", "md5": f"o{seed}"}]}
    return Snapshot(Path(), name, "abc", params, {"x": stage})


def test_runs_alike_differ_in_seeds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        alike("a-s0", 0), alike("a-s1", 1), alike("b-s0", 0, 0.4), alike("b-s1", 1, 0.4), alike("c-s0"),
        alike("old-s0", 0, code="b"), alike("old-s1", 1, code="b"), alike("old-s2", 2, code="b"),
        alike("other-s0", 0, lists=1), alike("other-s1", 1, lists=1), alike("other-s2", 2, lists=1),
    ]  # fmt: skip
    names = [run.name for run in runs]

    def open_run(root: Path, name: str) -> Snapshot:
        if name not in names:
            raise ValueError("a branch without params.yaml")
        return runs[names.index(name)]

    def read(run: Snapshot) -> Any:
        miou = 40.0 + 2 * run.params["x"]["seed"]
        rung = SimpleNamespace(name="seeds", numbers={"miou": miou}, classes={"cat": 10.0})
        return SimpleNamespace(run=run, good=[rung], rung=lambda name: rung if name == "seeds" else None)

    monkeypatch.setattr(git, "branches", lambda root: ["a-s2", *names])
    monkeypatch.setattr(snapshot, "open_run", open_run)
    monkeypatch.setattr("pipeline.results.scores.read", read)
    found = seeds.like(SimpleNamespace(run=alike("workspace", 7)))  # type: ignore[arg-type]
    assert [one.run.name for one in found] == ["a-s0", "a-s1"]
    assert seeds.numbers(found) == {"seeds": {"a-s0": 40.0, "a-s1": 42.0}}
    assert seeds.iou(found, "seeds") == {"cat": {"a-s0": 10.0, "a-s1": 10.0}}
    assert seeds.iou(found, "crf") == {}
    assert seeds.spread(seeds.numbers(found)["seeds"]) == pytest.approx((41.0, 2**0.5))
    assert seeds.spread({"a-s0": 1.0}) is None
    assert seeds.like(SimpleNamespace(run=alike("workspace", 0, 0.5))) == []  # type: ignore[arg-type]


def test_a_failed_stage_made_nothing(tmp_path: Path) -> None:
    """Who made what is there is told by the ledger, whatever was tried since, here or in a sweep."""
    lock = {"x": {"outs": [{"path": "data/x", "md5": "o"}]}, "y": {"outs": [{"path": "data/y", "md5": "p"}]}}
    line = {"stage": "x", "outs": ["o"], "device": "CPU", "outcome": "ran", "run": "mine"}
    ledger.append(tmp_path, line | {"ended": "2026-01-02T03:04:05+0000"})
    ledger.append(
        tmp_path, line | {"outcome": "failed", "run": "failed", "ended": "2026-01-03T03:04:05+0000"}
    )
    ledger.append(tmp_path, line | {"outs": ["q"], "run": "grid-s2", "ended": "2026-01-04T03:04:05+0000"})
    taken = line | {"outcome": "restored", "run": "sweep run grid-s0", "ended": "2026-01-05T03:04:05+0000"}
    ledger.append(tmp_path, taken)
    assert head.read(tmp_path, lock)[:2] == ["2026-01-02 03:04", "run mine"]
    run = Snapshot(tmp_path, "workspace", None, {}, lock)
    assert previous.entry(SimpleNamespace(run=run, good=[]))["run"] == "mine"  # type: ignore[arg-type]
    assert [row["time"] != "" for row in protocol.cost(tmp_path, lock)] == [True, False]
    ledger.append(tmp_path, taken | {"stage": "y", "outs": ["p"]})  # which no other run made
    assert head.read(tmp_path, lock)[:2] == ["2026-01-05 03:04", "run sweep run grid-s0"]


ROWS = [
    {"rung": "seeds", "split": "train", "miou": "40.00", "images": "12"},
    {"rung": "pseudo_labels", "split": "train", "miou": "", "images": "12"},
]


def ran(name: str, value: float) -> Any:
    """A run with a rung that it scored, and one that it did not: those numbers are another run's."""
    numbers = {"miou": value, "recall": value}
    rungs = [SimpleNamespace(name=rung, numbers=numbers) for rung in ("seeds", "pseudo_labels")]
    good = rungs[:1] if name == "workspace" else rungs
    return SimpleNamespace(run=SimpleNamespace(name=name), good=good)


def test_tables_to_paste() -> None:
    assert paste.as_csv(ROWS) == "rung,split,miou,images\nseeds,train,40.00,12\npseudo_labels,train,,12\n"
    both = paste.of_ladder([ran("s0", 40.0), ran("s1", 42.0)], ran("workspace", 7.0))
    lines = paste.as_csv(ROWS, both).splitlines()
    assert lines[:2] == ["rung,split,miou,miou sd,images", "seeds,train,41.00,1.41,12"]
    assert both == {"seeds": dict.fromkeys(("miou", "recall"), (41.0, pytest.approx(2**0.5)))}
    assert paste.as_csv([{"class": "=1+1", "seeds": "40.00"}]) == "class,seeds\n'=1+1,40.00\n"
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


@pytest.mark.parametrize(("number", "folded"), [(12, 0), (14, 2)])
def test_the_page_lists_a_dozen_changes_and_folds_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, folded: int
) -> None:
    runs = made_runs.unmasked(tmp_path / "project", "explanation", "seeds")
    changes = [(f"step.key{at}", "0", "1") for at in range(number)]
    against = {"params": changes, "same_data": False, "when": "then", "run": "", "rows": [], "rules": []}
    monkeypatch.setattr(previous, "against", lambda *_: against)
    text = page.write(runs.root).read_text()
    assert all(f"<code>{key}</code> 0 → 1" in text for key, *_ in changes)
    assert ("parameters more" in text) == bool(folded)
    if folded:
        assert text.index(">step.key11<") < text.index("and 2 parameters more") < text.index(">step.key12<")
