"""reports/index.html: its numbers worked out by hand, and the page itself in a browser."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.memory import lockfile
from pipeline.project import ledger
from pipeline.results import data_set
from pipeline.results.report import gallery, protocol, published
from pipeline.results.report import page as report_page
from tests import browser
from tests.conftest import Project

PARTS = [
    "ladder", "gallery", "classifier", "threshold", "steps", "boundary", "training", "confusion", "paste",
    "data", "protocol", "cost",
]  # fmt: skip


def row(rung: str, split: str, miou: str) -> dict[str, str]:
    return {"rung": rung, "split": split, "miou": miou}


def test_changes_are_between_rungs_of_one_split() -> None:
    rows = [row("seeds", "train", "40.00"), row("crf", "train", "38.50"), row("predictions", "val", "50.00")]
    assert [line["change"] for line in report_page.with_changes(rows)] == ["", "-1.50", ""]
    rows[0]["miou"] = ""  # no truth
    assert report_page.with_changes(rows)[1]["change"] == ""


MERGED = [row("seeds", "train", "40.00"), row("objects", "train", "70.00"), row("crf", "train", "45.50"),
          row("refined", "train", "72.50"), row("predictions", "val", "50.00")]  # fmt: skip


def test_rungs_of_object_and_ground_are_compared_with_their_like() -> None:
    """The rung of objects is passed over; of other splits nothing is compared."""
    merged = {"objects", "refined"}
    lines = report_page.with_changes(MERGED, merged)
    assert [line["change"] for line in lines] == ["", "", "+5.50", "+2.50", ""]
    assert [line["change"] for line in report_page.with_changes(MERGED)] == [
        "", "+30.00", "-24.50", "+27.00", "",
    ]  # fmt: skip
    table = [{"class": "background", "iou": "50.00", "over": "30.00", "under": "20.00"}]
    found = report_page.steps(MERGED, {line["rung"]: table for line in MERGED}, merged)
    assert [(step["below"], step["above"]) for step in found] == [("seeds", "crf"), ("objects", "refined")]


def test_the_worst_class_of_the_last_rung_comes_first() -> None:
    rows = [
        {"class": "cat", "seeds": "10.00", "crf": "90.00"},
        {"class": "dog", "seeds": "20.00", "crf": "9.00"},
        {"class": "cow", "seeds": "", "crf": ""},
        {"class": "hen", "seeds": "50.00", "crf": ""},
    ]
    assert [line["class"] for line in report_page.worst_first(rows, ["seeds", "crf"])] == [
        "dog",
        "hen",
        "cat",
        "cow",
    ]


def test_steps_are_differences_by_class_the_largest_loss_first() -> None:
    rows = [row("seeds", "train", "1"), row("crf", "train", "1"), row("predictions", "val", "1")]
    before = [{"class": "cat", "iou": "50.00", "over": "30.00", "under": "20.00"},
              {"class": "dog", "iou": "50.00", "over": "30.00", "under": "20.00"}]  # fmt: skip
    after = [{"class": "cat", "iou": "60.00", "over": "10.00", "under": "30.00"},
             {"class": "dog", "iou": "45.50", "over": "34.50", "under": "20.00"}]  # fmt: skip
    found = report_page.steps(rows, {"seeds": before, "crf": after, "predictions": after})
    assert found == [{"below": "seeds", "above": "crf", "rows": [
        {"class": "dog", "iou": "-4.50", "over": "+4.50", "under": "+0.00"},
        {"class": "cat", "iou": "+10.00", "over": "-20.00", "under": "+10.00"},
    ]}]  # fmt: skip


def test_confusions_are_shares_of_the_true_class(tmp_path: Path) -> None:
    file = tmp_path / "confusion.csv"
    file.write_text("truth,background,cat,unknown\nbackground,90,10,0\ncat,30,50,20\n")
    assert [tuple(line.values()) for line in report_page.confusions(file)] == [
        ("cat", "background", "30.00"), ("cat", "unknown", "20.00"), ("background", "cat", "10.00")
    ]  # fmt: skip
    assert report_page.confusions(tmp_path / "none.csv") == []


def test_the_cost_is_of_the_run_that_made_the_present_bytes(tmp_path: Path) -> None:
    for seconds, digest in ((90.0, "aa"), (30.0, "bb"), (31.0, "cc")):
        entry = {"stage": "seeds", "outcome": "ran", "seconds": seconds, "memory": 2**30, "device": "GPU 0"}
        ledger.append(tmp_path, entry | {"outs": [digest], "ended": "2026-01-02T03:04:05+0000"})
    lock = {"seeds": {"outs": [{"path": "data/seeds", "md5": "bb"}]}, "crf": {"outs": [{"md5": "dd"}]}}
    seeds, crf = protocol.cost(tmp_path, lock)
    assert seeds == {"stage": "seeds", "time": "30 s", "seconds": "30.0", "memory": "1024", "on": "GPU 0",
                     "ended": "2026-01-02 03:04"}  # fmt: skip
    assert crf["stage"] == "crf" and not any(value for key, value in crf.items() if key != "stage")


def test_published_numbers_stand_beside_voc_only() -> None:
    voc: dict[str, Any] = {"dataset": {"source": "voc"}}
    assert published.bands(["background", *published.CLASSES], voc) == published.VOC
    assert published.bands(["background", "striped"], voc) == {}
    drawn = {"dataset": {"source": "voc", "annotations": "boxes"}}
    assert published.bands(["background", *published.CLASSES], drawn) == {}
    for made in ({"saliency": {"maps": "raw/eps"}}, {"pseudo_labels": {"regions": "raw/sam"}}):
        assert published.bands(["background", *published.CLASSES], voc | made) == {}
    none = {"saliency": {"maps": "nothing"}, "pseudo_labels": {"regions": "nothing"}}
    assert published.bands(["background", *published.CLASSES], voc | none) == published.VOC
    assert published.bands(["background", *published.CLASSES], {"dataset": {"source": "folder"}}) == {}


def test_what_is_in_a_data_set() -> None:
    def picture(split: str, labels: str, width: int = 10) -> dict[str, str]:
        return {"split": split, "labels": labels, "width": str(width), "height": "20"}

    pictures = [picture("train", "cat;dog"), picture("train", "cat", 30), picture("train", "cat;dog;cow", 20)]
    data = data_set.DataSet(
        ["background", "cat", "dog", "cow"], [*pictures, picture("val", "")], {"train": 2}
    )
    cat, _, cow = data_set.counts(data)
    assert cat == {"class": "cat", "train": "3", "val": "0", "train %": "100.0", "val %": "0.0"}
    assert (cow["train"], cow["train %"]) == ("1", "33.3")
    assert data_set.together(data) == [
        {"class": "cat", "with": "dog", "pictures": "2"},
        {"class": "cat", "with": "cow", "pictures": "1"},
        {"class": "dog", "with": "cow", "pictures": "1"},
    ]
    train, val = data_set.splits(data)
    assert (train["pictures"], train["with a mask"], train["labels each"]) == ("3", "2", "2.00")
    assert (train["smallest"], train["median"], train["largest"]) == ("10x20", "20x20", "30x20")
    assert (val["labels each"], val["with a mask"]) == ("0.00", "0")
    assert data_set.supervision(data) == "image labels alone"


def test_the_legend_has_the_colours_of_the_drawings() -> None:
    from stages.common.drawing.sheet import ERRORS

    assert list(gallery.ERRORS) == list(ERRORS)
    for name, colour in ERRORS.items():
        assert "#{:02x}{:02x}{:02x}".format(*colour) in gallery.ERRORS[name]


def test_pictures_without_a_class_are_a_choice_where_there_are_some(tmp_path: Path) -> None:
    index = tmp_path / "seeds" / "tiles" / "index.csv"
    index.parent.mkdir(parents=True)
    rows = ["id,split,width,height,labels,chosen,miou", "a,train,8,6,cat;dog,sample,50.00"]
    index.write_text("\n".join(rows))
    assert not gallery.read(tmp_path, ["seeds"], ["background", "cat", "dog"])["negatives"]
    index.write_text("\n".join([*rows, "b,train,8,6,,sample,100.00"]))
    found = gallery.read(tmp_path, ["seeds"], ["background", "cat", "dog"])
    assert found["negatives"] and found["classes"] == ["cat", "dog"]
    assert [picture["labels"] for picture in found["pictures"]] == [["cat", "dog"], []]


def test_before_any_run_it_says_what_makes_it(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("{}\n")
    with pytest.raises(ValueError, match=r"has no rung's metrics\.json: `wsss run` makes them"):
        report_page.write(tmp_path)
    assert not (tmp_path / "reports").exists()


@pytest.fixture
def written(recipe: Project, tmp_path: Path) -> Path:
    """The page of the recipe on 12 pictures, by the command."""
    project = recipe.copy(tmp_path / "project")
    said = project.run(sys.executable, "-m", "pipeline.cli", "report").stdout
    assert said.strip() == "reports/index.html is written: open it in a browser"
    assert lockfile.stages(project.root).keys() >= {"seeds", "report"}
    return project.root / "reports" / "index.html"


def column(page: Any, table: str, number: int) -> list[str]:
    cells = page.locator(f"{table} tbody tr td:nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_the_page_in_a_browser(written: Path, page: Any) -> None:
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(written.as_uri())
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")

    assert [heading.get_attribute("id") for heading in page.locator("h2").all()] == PARTS
    for place in ("h2#ladder + .pair figure", "h2#threshold ~ figure", "h2#steps ~ div figure"):
        assert page.locator(f"{place} svg").count() >= 1, place
    assert page.locator(".charts svg").count() == 3
    assert page.locator(".charts ~ details img.inputs").count() == 1  # what the classifier trained on
    assert page.locator("h2#threshold ~ figure svg").count() == 1
    assert "revision" in page.locator(".stamp").inner_text()
    assert (
        page.locator("#against").count() == 1 and page.locator("h2#classifier ~ .wide tbody tr").count() > 0
    )
    assert page.locator("h2#cost ~ .wide tbody tr").count() == 0  # a plain dvc repro made them all
    assert "made by a plain dvc repro" in page.locator("h2#cost ~ .note").inner_text()
    assert page.locator(".picture").count() == 12 and page.locator("details table.matrix").count() == 4

    sorts_by_clicking(page)
    filters_by_choosing(page)
    for scheme in ("light", "dark"):
        for width in (1300, 400):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            browser.keep(page, f"report-{scheme}-{width}")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"  # dark

    assert {url for url in asked if not url.startswith("data:")} == {written.as_uri()}
    assert wrong == []
    assert written.stat().st_size < 8e6 and not re.findall(r"(?:src|href)=.https?:", written.read_text())


def sorts_by_clicking(page: Any) -> None:
    table = "h3#classes ~ .wide table.heat"
    last = len(page.locator(f"{table} th").all())
    numbers = [float(text) for text in column(page, table, last) if text]
    assert len(numbers) > 2 and numbers == sorted(numbers)  # the worst first
    page.locator(f"{table} th").nth(1).click()
    numbers = [float(text) for text in column(page, table, 2) if text]
    assert numbers == sorted(numbers, reverse=True)
    page.locator(f"{table} th").nth(0).click()
    page.locator(f"{table} th").nth(0).click()
    names = column(page, table, 1)
    assert names == sorted(names)


def filters_by_choosing(page: Any) -> None:
    def shown() -> list[Any]:
        return [picture for picture in page.locator(".picture").all() if picture.is_visible()]

    page.select_option("[name=split]", "val")
    assert len(shown()) == 4
    page.select_option("[name=split]", "")
    name = page.locator("[name=class] option").nth(1).inner_text()
    page.select_option("[name=class]", name)
    assert 0 < len(shown()) < 12
    assert all(name in picture.get_attribute("data-labels").split(";") for picture in shown())
    assert page.locator("[name=class] option[value=';']").count() == 0  # all pictures show something
    page.evaluate("document.querySelector('[name=class]').add(new Option('no class', ';'))")
    page.select_option("[name=class]", "no class")
    assert shown() == []
    page.evaluate("document.querySelector('.picture').dataset.labels = ''")
    page.select_option("[name=class]", "")
    page.select_option("[name=class]", "no class")
    assert [picture.get_attribute("data-labels") for picture in shown()] == [""]
    page.select_option("[name=class]", "")
    page.select_option("[name=kind]", "worst")
    scores = [float(picture.get_attribute("data-last")) for picture in shown()]
    assert scores == sorted(scores) and scores
    page.select_option("[name=kind]", "")
    assert page.locator("img[data-view=errors]").first.is_visible()
    page.select_option("[name=view]", "labels")
    assert page.locator("img[data-view=labels]").first.is_visible()
    assert not page.locator("img[data-view=errors]").first.is_visible()


def test_the_card_names_the_seeds_of_the_steps_that_are_there() -> None:
    params = {
        "segmenter": {"seed": 3},
        "saliency": {"of": [], "seed": 0},
        "affinity": {"of": ["a"], "seed": 1},
    }
    assert protocol._seeds(params) == [("segmenter.seed", 3), ("affinity.seed", 1)]
    params["affinity"]["method"] = "attention"  # which draws nothing
    assert protocol._seeds(params) == [("segmenter.seed", 3)]


def test_affinities_without_a_training_are_no_training() -> None:
    lock = {"classifier": {}, "affinity@classifier": {}, "segmenter": {}}
    for method, also in (("affinity_net", ["affinity@classifier"]), ("class_distribution", [])):
        run = SimpleNamespace(params={"affinity": {"method": method}}, lock=lock)
        known = SimpleNamespace(known=lambda name: "affinity@classifier" if name == "affinity" else name)
        found: Any = SimpleNamespace(run=run, standings=known)
        assert protocol.trainings(found) == ["classifier", *also, "segmenter"]


def test_the_one_step_network_has_a_curve(tmp_path: Path) -> None:
    """Its network lies beside its masks."""
    history = tmp_path / "data/one_step/network/history.csv"
    history.parent.mkdir(parents=True)
    history.write_text("epoch,lr,loss,labelled\n1,0.1,2.5,40\n2,0.05,1.5,60\n")
    run = SimpleNamespace(root=tmp_path, params={})
    found: Any = SimpleNamespace(run=run, why_not=lambda name: "" if name == "one_step" else "not there")
    [curve] = report_page._trainings(found)
    assert "One-step network" in curve and "labelled, %" in curve
