"""The ledger's files, from a table made by hand."""

import csv
import io
import re
from dataclasses import replace

import pytest

from pipeline.ledger import page, table
from pipeline.ledger.numbers import Cost, Costs, Numbers
from pipeline.ledger.rows import Row, System
from pipeline.ledger.table import Line, Score, Table
from pipeline.project import ledger
from pipeline.results import noise
from tests import browser
from tests.pipeline.ledger.conftest import row

PLAIN = {0: 49.25, 1: 49.17, 2: 49.41}
LIFTED = {0: 50.42, 1: 50.33, 2: 50.03}  # the differences 1.17, 1.16, 0.62: mean 0.98, sd 0.315, margin 0.78
NOISY = {0: 49.71, 1: 48.16, 2: 49.60}  # 0.46, -1.01, 0.19: mean -0.12, within a margin of 1.94
DROPPED = {0: 3.0, 1: 3.1, 2: 3.2}
UNKNOWN = Cost(None, None, None)


def score(values: dict, plain: dict | None = None, sense: int = 1) -> Score:
    return Score(values, noise.compare(plain, values) if plain else None, sense)


def line(kind: str, name: str, scores: dict, cost: Cost, state: str = "finished", **more) -> Line:
    made = Row(**row(name, **more))
    finished = 3 if scores else 0
    return Line(kind, made, f"ledger-demo-{name}", 3, finished, state, scores, cost)


def made(name: str = "demo") -> Table:
    published = {"value": "VOC 2012, CAM on train: 47.8 -> 51.5", "source": "Jo and Yu 2021"}
    lines = [
        line("plain", "plain", {"seeds": score(PLAIN), "ARO": score(DROPPED)}, Cost(600, 0, 2**30)),
        line("strategy", "lifted", {"seeds": score(LIFTED, PLAIN)}, Cost(1200, 660, 2**31), preset="high",
             changes={"seeds.method": "lift", "evaluation.bins": 9}),
        line("strategy", "noisy", {"seeds": score(NOISY, PLAIN)}, UNKNOWN, published=published),
        line("attribution", "same", {"ARO": score(DROPPED, DROPPED, -1)}, Cost(630, 30, 2**30)),
        line("attribution", "less", {"ARO": score({n: v - 1 for n, v in DROPPED.items()}, DROPPED, -1)},
             Cost(630, 30, 2**30)),
        line("network", "absent", {}, UNKNOWN, "not run: <weights> are not there"),
    ]  # fmt: skip
    far = [("strategy", Row(**row(one, sets=["voc2012"], file=f"{one}.py"))) for one in ("far", "farther")]
    systems = [
        System(name="Lift <and> fall", source="a paper", rows=["far", "lifted", "noisy"]),
        System(name="Other", source="a book", rows=["farther", "far"]),
        System(name="Map", source="a talk", rows=["plain", "same"], file="map.py", keys="seeds.method=map"),
        System(name="Metric", source="a note", rows=["plain", "less"], scores=["ARO", "none"]),
    ]
    return Table(name, "the generated pictures", "0123456789" * 4, 3, lines, far, systems)


def test_a_score_that_the_plain_line_lacks_stands_behind_what_it_follows():
    found, one = made(), score(DROPPED)
    lines = [
        line("way", "cues", {"seeds": one, "cues": one, "cues (best)": one}, UNKNOWN),
        line("way", "boxes", {"nodes": one, "cues": one, "ARO": one}, UNKNOWN),
    ]
    assert page._columns(found, lines) == ["seeds", "cues", "cues (best)", "ARO", "nodes"]
    assert page._columns(found, lines[1:]) == ["ARO", "nodes", "cues"]


def test_a_line_per_score_and_nothing_where_nothing_is_known(tmp_path):
    page.write(tmp_path, made())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "reports/ledger/ledger.csv").read_text())))
    assert [(one["row"], one["score"]) for one in rows] == [
        ("plain", "seeds"), ("plain", "ARO"), ("lifted", "seeds"), ("noisy", "seeds"), ("same", "ARO"),
        ("less", "ARO"), ("absent", ""),
    ]  # fmt: skip
    keys = ("mean", "deviation", "change", "margin", "verdict", "minutes", "own_minutes", "memory_gib")
    assert [rows[2][key] for key in keys] == [
        "50.26", "0.20", "0.98", "0.78", "beyond noise", "20.0", "11.0", "2.00"
    ]  # fmt: skip
    assert [rows[3][key] for key in keys] == ["49.16", "0.86", "-0.12", "1.94", "noise", "", "", ""]
    assert [rows[6][key] for key in keys] == [""] * 8
    assert rows[6]["state"] == "not run: <weights> are not there"
    assert rows[2]["again"] == "wsss ledger --only lifted"


def test_the_summary():
    text = page.to_markdown(made())
    assert (
        "6 rows with 3 seeds on the generated pictures, commit 0123456789: 15 of 18 runs are finished" in text
    )
    assert "| row |  | seeds | minutes | memory, GiB | published | state |" in text
    assert "| plain | Plain | 49.28 ± 0.12 | 10.0 | 1.00 |  | finished |" in text
    assert "| lifted | Lifted | 50.26 ± 0.20 (+0.98) | 20.0 | 2.00 |  | finished |" in text
    assert (
        "| noisy | Noisy | 49.16 ± 0.86 (-0.12 noise) |  |  | VOC 2012, CAM on train: 47.8 -> 51.5 (Jo and"
        in text
    )
    assert "| same | Same | 3.10 ± 0.10 (equal) | 10.5 |" in text
    assert text.count("\n| plain |") == 2  # not where it has none of the scores
    assert "| absent | Absent |  |  |  | not run: <weights> are not there |" in text


def test_a_system_has_those_of_its_rows_that_the_set_has():
    """Each with its file, changes, numbers and times; where there is none, another set's row without numbers.

    Without `scores` the explanation's metrics are left out: they are not what a map is for.
    """
    table = page.to_markdown(made()).partition("## The documents' systems")[2]
    keys, lifted = "preset high, seeds.method=lift", "seeds 50.26 ± 0.20 (+0.98)"
    assert [line for line in table.splitlines() if line.startswith("| ")][2:] == [
        f"| Lift <and> fall | a paper | lifted | work.py | {keys} | {lifted} | 20.0 | 11.0 |",
        "|  |  | noisy | work.py |  | seeds 49.16 ± 0.86 (-0.12 noise) |  |  |",
        "| Other | a book | farther | farther.py |  |  |  |  |",
        "| Map | a talk | plain | map.py | seeds.method=map | seeds 49.28 ± 0.12 | 10.0 |  |",
        "|  |  | same | work.py |  |  | 10.5 | 0.5 |",
        "| Metric | a note | plain | work.py |  | ARO 3.10 ± 0.10 | 10.0 |  |",
        "|  |  | less | work.py |  | ARO 2.10 ± 0.10 (-1.00) | 10.5 | 0.5 |",
    ]
    html = page.render(made())
    text = words(html)
    assert "3 of 4 have a result on these pictures" in text
    assert f"Lift &lt;and&gt; fall a paper lifted work.py {keys} {lifted} 20:00 11:00 its own 2.00" in text
    assert "Other a book farther other sets farther.py" in text
    assert html.count('rowspan="2"') == 3 and html.count('rowspan="1"') == 1


def words(html: str) -> str:
    html = re.sub(r"<(style|script).*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html))


def test_the_page_says_what_is_noise_and_what_is_not_there():
    html = page.render(made())
    text = words(html)
    assert "Lifted lifted does it 50.26 ± 0.20 +0.98 20:00 11:00 its own 2.00" in text
    assert "Noisy noisy does it 49.16 ± 0.86 -0.12 noise VOC 2012, CAM on train: 47.8 -&gt; 51.5" in text
    assert (
        '<small class="good">+0.98</small>' in html and '<small class="good">-1.00</small>' in html
    )  # of ARO
    assert "not run: &lt;weights&gt; are not there" in html
    assert "Rows of other sets" in text and "Far far does it voc2012 strategy" in text
    assert "wsss ledger --only absent" in text
    assert not re.search(r'(src|href)="(?!data:|#)', html)


def test_the_command_that_makes_a_row_again():
    found = made("voc-mobilenet")
    found = Table(found.name, found.title, found.revision, 2, found.lines, [])
    assert found.again(found.plain) == "wsss ledger --only plain --set voc-mobilenet --seeds 2"
    alone = replace(made(), seeds=1, seed=1)
    assert alone.again(alone.plain) == "wsss ledger --only plain --seed 1"
    assert replace(alone, seed=4).again(alone.plain) == "wsss ledger --only plain --seeds 5 --seed 4"


def test_what_a_run_took_is_what_its_results_took(tmp_path):
    """Of the plain run's stages `dataset` is shared; a stage that nobody noted makes the sum unknown."""
    for stage, seconds, memory, outs, outcome in (
        ("dataset", 10, 500, ["d"], "ran"), ("seeds", 99, 700, ["old"], "ran"),
        ("seeds", 20, 900, ["s"], "ran"), ("seeds", 0, 0, ["s"], "restored"),
    ):  # fmt: skip
        entry = {"stage": stage, "seconds": seconds, "memory": memory, "outs": outs, "outcome": outcome}
        ledger.append(tmp_path, entry)
    costs = Costs(tmp_path)
    plain = Numbers((), (("dataset", ("d",)),))
    mine = Numbers((), (("dataset", ("d",)), ("seeds", ("s",))))
    assert costs.of(mine, plain) == Cost(30, 20, 900)
    assert costs.of(mine, None) == Cost(30, None, 900)
    other = Numbers((), (*mine.stages, ("crf", ("c",))))
    assert costs.of(other, plain) == Cost(None, None, None)


def test_labels_are_in_the_order_of_the_first_that_has_each():
    assert table.labels(made().lines) == ["seeds", "ARO"]


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (400, "dark")])
def test_the_page_in_a_browser(tmp_path, width, scheme):
    """It says nothing to the console, asks nobody, fits its window, and sorts by a click."""
    file = page.write(tmp_path, made())
    with browser.opened() as window:
        said = browser.look(window, file, width, scheme)
        assert window.evaluate("document.documentElement.scrollWidth") == width
        rows = window.locator("table.sortable").first
        rows.locator("th", has_text="seeds").click()
        assert [text.split("\n")[0] for text in rows.locator("tbody td:first-child").all_inner_texts()] == [
            "Lifted", "Plain, for comparison", "Noisy"
        ]  # fmt: skip
        browser.keep(window, f"ledger-{width}-{scheme}")
    assert said == []
