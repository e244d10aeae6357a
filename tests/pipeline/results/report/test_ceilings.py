"""What wrong and missing labels cost: the sentence, its bars, and whose numbers it takes."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.results import scores
from pipeline.results.report import ceilings
from pipeline.results.report import charts as drawings
from pipeline.results.report import page as report_page
from tests.conftest import ROOT
from tests.pipeline import made_runs
from tests.pipeline.made_runs import Runs, entry

OF = {"segmenter": "nothing", "only_true": "pseudo_labels", "all_corrected": "pseudo_labels"}
CHEN = {"own": 39.6, "only_true": 66.7, "all_corrected": 73.0, "segmenter": 73.5}


def test_the_sentence_has_the_differences() -> None:
    assert ceilings.sentence(CHEN) == (
        "Wrong labels cost 33.40 points of mIoU (39.60 as they are, 73.00 all put right); missing labels "
        "cost 0.50 (73.50 with full supervision); where the wrong ones are left out instead of put right, "
        "it is 66.70."
    )
    without = {key: value for key, value in CHEN.items() if key != "all_corrected"}
    assert ceilings.sentence(without).startswith("Where the wrong ones are left out instead of put right, it")
    del without["only_true"]
    assert ceilings.sentence(without | {"all_corrected": 38.6}).startswith("Wrong labels cost -1.00 points")


def test_the_bars_are_in_order_and_say_their_values() -> None:
    bars = [("as they are", 39.6), ("few", 3.25)]
    axes = drawings.oracles(bars).axes[0]
    assert [round(patch.get_width(), 2) for patch in axes.patches] == [39.6, 3.25]
    assert [text.get_text() for text in axes.texts] == ["39.60", "3.25"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["as they are", "few"]
    assert axes.get_xlim() == (0, 100) and axes.yaxis_inverted()


@pytest.fixture
def runs(tmp_path: Any) -> Runs:
    """A recipe whose predictions are scored, and all three of the ceiling."""
    made = made_runs.make(tmp_path / "project")
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    values["ceiling"]["of"], values["evaluation"]["rungs"] = OF, {"last": "predictions"}
    YAML().dump(values, made.root / "params.yaml")
    lock = {
        "predictions": entry({"data/dataset": "d0"}, None, {"data/predictions": "p0"}),
        "evaluation@last": entry({"data/predictions": "p0"}, None, {"reports/rungs/last/metrics.json": ""}),
    }
    for name in OF:
        lock[f"ceiling@{name}"] = entry(
            {"data/masks": "m0"}, None, {f"reports/ceiling/{name}/metrics.json": ""}
        )
    made_runs.lock(made, lock)
    made_runs.score(made, "last", miou=39.6, images=4, split="val")
    for name in OF:
        made_runs.score(made, name, "ceiling", miou=CHEN[name], images=4, split="val")
    return made


def part(runs: Runs) -> dict[str, str]:
    found = scores.workspace(runs.root)
    return ceilings.part(found, ceilings.read(found))


def test_the_page_says_what_labels_cost(runs: Runs) -> None:
    assert part(runs)["says"] == ceilings.sentence(CHEN)
    page = report_page.write(runs.root).read_text()
    assert ceilings.sentence(CHEN) in page and 'id="oracles"' in page
    for text in ("only the right ones", "all put right", "full supervision", "66.70"):
        assert text in page
    assert '<td>fully supervised</td><td>val</td><td class="number">73.50</td>' in page


def test_numbers_of_other_pictures_are_not_compared(runs: Runs) -> None:
    made_runs.score(runs, "all_corrected", "ceiling", miou=73.0, images=3, split="val")
    assert part(runs)["says"].startswith("Where the wrong ones are left out")
    made_runs.score(runs, "only_true", "ceiling", miou=73.0, images=3, split="val")
    assert part(runs) == {}
    assert 'id="oracles"' not in report_page.write(runs.root).read_text()


def test_what_the_run_does_not_ask_for_or_has_not_is_left_out(runs: Runs) -> None:
    values = YAML(typ="safe").load(runs.root / "params.yaml")
    values["ceiling"]["of"] = {"segmenter": "nothing"}
    YAML().dump(values, runs.root / "params.yaml")
    assert part(runs) == {}
    found = scores.workspace(runs.root)
    assert ceilings.of_table(ceilings.read(found))["miou"] == "73.50"
    values["ceiling"]["of"] = {}
    YAML().dump(values, runs.root / "params.yaml")
    found = scores.workspace(runs.root)
    assert ceilings.read(found) == {} and ceilings.of_table({}) == {}
