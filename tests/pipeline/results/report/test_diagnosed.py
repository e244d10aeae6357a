"""The page's part about the diagnosis, of runs whose numbers were made up."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from pipeline.results import diagnosis, scores
from pipeline.results.report import diagnosed
from pipeline.results.report import diagnosed_charts as drawings
from pipeline.results.report import page as report_page
from stages.diagnosis.params import Method
from tests import browser
from tests.pipeline import made_runs
from tests.pipeline.made_runs import Runs

NUMBERS = {"images": 150, "pairs": 112, "left_out": 58.67, "accuracy": 75.33, "agreement_vgatt_raw": 11.4,
           "agreement_grad_cam": 39.2, "agreement_random": -0.3, "change_vgatt_raw": 427.8}  # fmt: skip
BIAS = [
    ("input", 112, "58.67", "-0.4301", "-0.9240", "0.0639", "-0.2257", "0.2903", "0.4452"),
    ("encoder.levels.0", 112, "58.67", "-0.3722", "-0.9675", "0.2231", "0.0181", "0.3245", "0.5046"),
    ("encoder.levels.3", 112, "58.67", "1.4863", "0.9528", "2.0197", "0.5999", "0.9991", "2.2362"),
    ("last", 112, "58.67", *["0.0000"] * 6),
]
ENDS = {"vgatt_raw": (81.35, 149.54, 38.67), "vgatt_normalised": (56.7, 128.02, 39.33),
        "grad_cam": (8.95, 50.41, 72), "occlusion": (12.92, 69.99, 65.33),
        "random": (63.1, 137.25, 38.67)}  # fmt: skip


def curve(method: str) -> list[tuple[Any, ...]]:
    """From 0 over 1 to 8 percent."""
    one, eight, accuracy = ENDS[method]
    rows: list[tuple[Any, ...]] = [(method, 0, 150, "0.00", "0.00", "0.00", "75.33")]
    for share in range(1, 9):
        change, right = one + (eight - one) * (share - 1) / 7, 75.33 + (accuracy - 75.33) * share / 8
        rows.append((method, share, 150, f"{3 * change:.2f}", f"{change:.2f}", "80.00", f"{right:.2f}"))
    return rows


REMOVAL = [row for method in ENDS for row in curve(method)]


def diagnose(runs: Runs, numbers: dict[str, Any] | None = None) -> None:
    made_runs.diagnose(runs, numbers or NUMBERS, BIAS, REMOVAL)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return made_runs.unmasked(tmp_path / "project", "diagnosis", "classifier")


def part(runs: Runs) -> dict[str, Any]:
    return diagnosed.part(scores.workspace(runs.root))


def test_the_part_has_both_tables(runs: Runs) -> None:
    diagnose(runs)
    found = part(runs)
    assert [row["layer"] for row in found["bias"]] == [row[0] for row in BIAS]
    first, *_ = found["methods"]
    assert first == {"name": "VGatt, raw", "changes": ["81.35", "149.54"], "accuracies": ["70.75", "38.67"],
                     "agreement": "11.40"}  # fmt: skip
    assert found["methods"][-1]["agreement"] == "\u22120.30" and found["methods"][3]["agreement"] == ""
    assert [row["share"] for row in found["ends"]] == ["1", "8"]
    assert found["bias"][0]["mean"] == "\u22120.43" and found["bias"][0]["half"] == "0.49"
    assert len(found["methods"]) == 5 and found["agrees"] and found["left_out"] == "58.67"
    assert (found["images"], found["pairs"], found["accuracy"]) == (150, 112, "75.33")


def test_a_recipe_that_does_without_has_no_part(runs: Runs) -> None:
    assert part(runs) == {"why_not": "not run: `wsss run diagnosis`"}
    values = YAML(typ="safe").load(runs.root / "params.yaml")
    values["diagnosis"]["of"] = []
    YAML().dump(values, runs.root / "params.yaml")
    assert part(runs) == {}
    assert "diagnosis" not in report_page.write(runs.root).read_text().split("</style>")[1].lower()


def test_numbers_that_are_not_the_run_s_are_not_shown(runs: Runs) -> None:
    diagnose(runs)
    lock = YAML(typ="safe").load(runs.root / "dvc.lock")["stages"]
    lock["classifier"]["outs"][0]["md5"] = "c1"  # trained again
    made_runs.lock(runs, lock)
    found = part(runs)
    assert found.keys() == {"why_not"} and "data/classifier was made anew" in found["why_not"]
    text = report_page.write(runs.root).read_text()
    assert "data/classifier was made anew" in text and "58.67" not in text


def test_no_picture_and_no_score_have_no_drawing(runs: Runs) -> None:
    made_runs.diagnose(
        runs, {"images": 0, "pairs": 0}, [("last", 0, *[""] * 7)], [("random", 0, 0, *[""] * 4)]
    )
    found = part(runs)
    assert found["bias_chart"] == found["removal_chart"] == "" and found["methods"] == found["bias"] == []
    report_page.write(runs.root)
    made_runs.diagnose(runs, {"images": 3, "pairs": 0, "left_out": 100.0, "accuracy": 0.0},
                       [("last", 0, "100.00", *[""] * 6)], curve("random")[:2])  # fmt: skip
    found = part(runs)
    assert found["bias_chart"] == "" and len(found["methods"]) == 1 and not found["agrees"]
    report_page.write(runs.root)


def test_the_bias_is_drawn_by_layer(runs: Runs) -> None:
    diagnose(runs)
    rows = diagnosis.read(scores.workspace(runs.root)).bias
    axes = drawings.bias(rows).axes[0]
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches[:4]]
    assert bars[0] == pytest.approx((-0.2257, 0.6709)) and bars[2] == pytest.approx((0.5999, 1.6363))
    middle = [line.get_xdata()[0] for line in axes.lines if line.get_gid() == "median"]
    assert middle == [0.2903, 0.3245, 0.9991, 0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [row[0] for row in BIAS]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the pixels are on top


def test_the_curves_begin_at_the_whole_picture(runs: Runs) -> None:
    diagnose(runs)
    methods = diagnosis.by_method(diagnosis.read(scores.workspace(runs.root)).removal)
    above, below = drawings.removal(methods).axes
    lines = {line.get_label(): line for line in above.lines}
    assert list(lines) == [diagnosis.WORDS[name].name for name in ENDS]
    for line in (*above.lines, *below.lines):
        assert list(line.get_xdata()) == list(range(9))
    first = lines["VGatt, raw"].get_ydata()
    assert (first[0], first[1], first[8]) == (0, 81.35, 149.54)
    assert {line.get_ydata()[0] for line in below.lines} == {75.33}
    assert len({(line.get_color(), line.get_linestyle()) for line in above.lines}) == 5


def test_every_method_has_words_and_a_line() -> None:
    assert tuple(diagnosis.WORDS) == tuple(drawings.STYLES) == get_args(Method)
    assert diagnosis.name_of("mine") == "mine"


@pytest.mark.parametrize(("width", "scheme"), [(1240, "light"), (390, "dark"), (390, "light")])
def test_the_part_in_a_browser(runs: Runs, page: Any, width: int, scheme: str) -> None:
    """Also without masks; nothing is wider than the window, a header sorts."""
    diagnose(runs)
    written = report_page.write(runs.root)
    wrong = browser.look(page, written, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    browser.keep(page, f"diagnosis-{width}-{scheme}")
    drawn = page.locator("#diagnosis ~ .pair figure svg")
    assert drawn.count() == 2 and all(one.bounding_box()["width"] > 300 for one in drawn.all())
    assert page.locator("nav.contents a[href='#diagnosis']").count() == 1
    table = page.locator("#diagnosis ~ .pair table.sortable")
    heads = [re.sub(r"\s+", " ", text) for text in table.locator("thead th").all_inner_texts()]
    assert heads == ["pixels by", "change at 1 %", "change at 8 %", "accuracy at 1 %", "accuracy at 8 %",
                     "like occlusion"]  # fmt: skip
    table.locator("th", has_text="change").first.click()
    assert table.locator("tbody td:first-child").all_inner_texts()[0] == "VGatt, raw"
    assert wrong == []
