"""After one parameter change on the small recipe: the page of the diff in a browser, and DVC's own diffs."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.results.diff.page import INPUTS, _inputs
from pipeline.results.snapshot import open_run
from tests import browser
from tests.conftest import ROOT, Project
from tests.pipeline import stub
from tests.pipeline.made_runs import GIT

RIGHT = ("train_00001", "train_00004")  # pictures


@pytest.fixture(scope="module")
def changed(recipe: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The recipe committed, then a walk that got two pictures right: they are the truth, put in by hand."""
    project = recipe.copy(tmp_path_factory.mktemp("diff") / "project")
    for name in ("config", "plots.html"):  # of DVC's own page
        shutil.copy(ROOT / ".dvc" / name, project.root / ".dvc" / name)
    project.run(*GIT, "add", "-A")
    project.run(*GIT, "commit", "-qm", "run")
    project.change(pseudo_labels__random_walk__beta=4)
    for name in RIGHT:
        shutil.copy(project.root / f"data/masks/{name}.png", project.root / f"data/pseudo_labels/{name}.png")
    project.run("dvc", "commit", "-f", "pseudo_labels")
    project.run("dvc", "repro", "evaluation@pseudo_labels")
    project.run("dvc", "repro", "-s", "report")
    return project


@pytest.fixture(scope="module")
def file(changed: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page") / "diff.html"
    stub.wsss(changed, "diff", "--html", str(made), "--pictures", "2")
    return made


@pytest.fixture(scope="module")
def plots(changed: Project) -> Path:
    """The page of `dvc plots diff`, the drawing script beside it."""
    stub.wsss(changed, "plots-setup")
    changed.run("dvc", "plots", "diff", "HEAD", "workspace")
    return changed.root / "dvc_plots" / "index.html"


def test_the_diff_says_which_rung_moved_and_why(changed):
    found = json.loads(stub.wsss(changed, "diff", "--json").stdout)
    assert found["params"] == [{"key": "pseudo_labels.random_walk.beta", "a": 8, "b": 4}]
    states = {stage["stage"]: (stage["state"], stage["causes"]) for stage in found["stages"]}
    assert states["pseudo_labels"] == ("parts here", ["params"])
    assert states["evaluation@pseudo_labels"] == states["report"] == ("follows", [])
    assert states.keys() == {"pseudo_labels", "evaluation@pseudo_labels", "report"}

    assert {row["rung"] for row in found["ladder"] if row["change"]} == {"pseudo_labels"}
    committed, now = metrics(changed, "HEAD"), metrics(changed, "workspace")
    (row,) = (row for row in found["ladder"] if (row["rung"], row["metric"]) == ("pseudo_labels", "miou"))
    assert (row["a"], row["b"]) == (committed, now) and now > committed

    (pictures,) = found["pictures"]
    assert {picture["id"] for picture in pictures["changed"]} == set(RIGHT)
    assert {picture["b"] for picture in pictures["changed"]} == {100.0}
    assert (pictures["better"], pictures["equal"]) == (2, 6)


def metrics(project: Project, where: str) -> float:
    """mIoU of the pseudo-labels by reports/metrics.json."""
    path = "reports/metrics.json"
    committed = where == "HEAD"
    text = (
        project.run("git", "show", f"HEAD:{path}").stdout if committed else (project.root / path).read_text()
    )
    return json.loads(text)["pseudo_labels.miou"]


def test_the_page_shows_tables_and_pictures_and_asks_nobody(page, file):
    said = browser.look(page, file, 1300, "light")
    assert said == []
    assert [h.inner_text() for h in page.locator("h2").all()] == [
        "Where they part", "Parameters", "The ladder", "Where the boundary moved", "Classes", "Pictures",
    ]  # fmt: skip
    assert "pseudo_labels.random_walk.beta" in page.inner_text("body")
    assert page.locator("figure svg").count() == 1
    assert page.locator(".picture").count() == 2
    captions = page.locator(".picture").first.locator("figcaption").all_inner_texts()
    assert [text.split(":")[0] for text in captions] == ["picture", "HEAD", "workspace", "truth"]
    seen = page.locator(".picture img:visible")
    assert seen.count() == 8 and all(img.evaluate("i => i.naturalWidth") == 64 for img in seen.all())
    assert file.stat().st_size < 1_000_000


def test_labels_become_errors_and_tables_sort_by_a_click(page, file):
    said = browser.look(page, file, 1300, "dark")
    labels = page.locator("img.labels").first.get_attribute("src")
    assert page.locator("img.labels:visible").count() == 4
    page.select_option("#shown", "errors")
    assert page.locator("img.labels:visible").count() == 0
    assert page.locator("img.errors:visible").count() == 4
    assert page.locator("img.errors").first.get_attribute("src") != labels
    assert "missed" in page.locator("p.errors").inner_text()

    rows = page.locator("table.sortable tbody tr")
    names = [row.locator("td").first.inner_text() for row in rows.all()]
    page.locator("table.sortable th").first.click()
    assert [row.locator("td").first.inner_text() for row in rows.all()] == sorted(names, reverse=True)
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_both_schemes(page, file, scheme):
    said = browser.look(page, file, 400, scheme)
    assert said == [] and page.evaluate("document.documentElement.scrollWidth") <= 400
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", paper)[:3])) > 3 * 128
    assert light == (scheme == "light")


def test_pictures_that_neither_cache_nor_remote_has_are_named(changed, tmp_path):
    """Of an older run; the tables, which git keeps, are there all the same."""
    copy = changed.copy(tmp_path / "project")
    shutil.rmtree(copy.root / ".dvc/cache/files")
    text = stub.wsss(copy, "diff").stdout
    why = "the cache lacks it and there is no DVC remote"
    assert f"note: HEAD has no scores of single pictures at pseudo_labels ({why})" in text
    assert "The runs part at pseudo_labels: params (pseudo_labels.random_walk.beta)." in text


def test_a_page_without_the_pictures_of_a_side_is_written_all_the_same(changed, tmp_path):
    copy = changed.copy(tmp_path / "project")
    value = str(open_run(copy.root, "HEAD").hash("data/dataset"))
    (copy.root / ".dvc/cache/files/md5" / value[:2] / value[2:]).unlink()
    stub.wsss(copy, "diff", "--html", str(tmp_path / "diff.html"))
    text = (tmp_path / "diff.html").read_text()
    assert "no pictures: HEAD has none to draw (the cache lacks it and there is no DVC remote)" in text
    assert "The ladder" in text and "<img" not in text


def test_dvc_s_own_diffs_say_the_same(changed):
    params = json.loads(changed.run("dvc", "params", "diff", "--json").stdout)
    assert params["params.yaml"] == {"pseudo_labels.random_walk.beta": {"old": 8, "new": 4, "diff": -4}}
    moved = json.loads(changed.run("dvc", "metrics", "diff", "--json").stdout)
    change = moved["reports/rungs/pseudo_labels/metrics.json"]["miou"]
    assert (change["old"], change["new"]) == (metrics(changed, "HEAD"), metrics(changed, "workspace"))
    assert moved.keys() == {"reports/rungs/pseudo_labels/metrics.json"}


def test_the_page_of_dvc_plots_diff_names_nothing_outside(plots):
    text = plots.read_text()
    assert (
        "Seeds by threshold" in text and text.count("reports_gallery_pseudo_labels_sheet.png") == 2
    )  # old and new
    loaded = re.sub(r"(?s)<template.*?</template>", "", text)  # what only a page without vega.js would load
    assert 'src="vega.js"' in loaded
    assert not re.search(r"(?:src|href)=[\"']https?:", loaded)


def test_the_page_of_dvc_plots_diff_draws_without_a_network(plots, page):
    said = browser.look(page, plots, 1300, "light")
    page.wait_for_selector("canvas, svg.marks")
    assert [line for line in said if line.startswith("http")] == []  # Vega warns of its own version
    assert page.locator("canvas, svg.marks").count() == 4
    edges = page.locator("img").evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    assert len(edges) == 18 and max(edges) <= 1300  # two revisions beside each other


def test_training_inputs_are_shown_where_the_two_sides_differ(tmp_path: Path) -> None:
    """Files of DVC's cache, which have no suffix."""
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())

    def shown(*files: str) -> list[tuple[str, str]]:
        runs = [
            SimpleNamespace(name=f"of {f}", files=lambda _, f=f: {INPUTS: tmp_path / f} if f else {})
            for f in files
        ]
        return _inputs(SimpleNamespace(pair=runs))  # type: ignore[arg-type]

    assert shown("a", "b") == [("of a", "data:image/png;base64,YQ=="), ("of b", "data:image/png;base64,Yg==")]
    assert shown("a", "a") == shown("a", "") == shown("", "") == []
