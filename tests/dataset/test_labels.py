"""One spelling for one class: what is one name, what is asked, what is no name."""

import unicodedata
from pathlib import Path

import pytest

from stages.common.artifacts import read_json
from stages.dataset.labels import Cells, clean, fold, problem_of, spellings
from tests.dataset.test_bad_input import refused

KAEFER = "K\u00e4fer"


def split(*cells: str, classes: list[str] | None = None, comma: bool = False) -> list[tuple[str, ...]]:
    found = Cells(cells, classes, comma)
    return [found.split(cell)[0] for cell in cells]


@pytest.mark.parametrize(
    "variant",
    [
        unicodedata.normalize("NFD", KAEFER),
        f"\u200b{KAEFER}",
        f" {KAEFER}\u00a0",
        f"\ufeff{KAEFER}",
        "K\u00ad\u00e4fer",
    ],
)
def test_marks_that_nobody_sees_make_no_second_class(variant):
    assert clean(variant) == KAEFER


@pytest.mark.parametrize(
    ("one", "other"),
    [("Cat", "cat"), ("cat.", "cat"), ("traffic_light", "Traffic  light"), ("\uff43at", "cat"), ("1.0", "1"),
     ("stra\u00dfe", "STRASSE"), ("a\u200db", "ab"), ("traffic-light", "traffic light")],
)  # fmt: skip
def test_spellings_of_one_name(one, other):
    assert fold(one) == fold(other) and clean(one) != clean(other)
    (line,) = spellings({clean(one): 2, clean(other): 1})
    assert "(2)" in line and "(1)" in line


@pytest.mark.parametrize(
    ("one", "other"), [("cat", "car"), ("1.5", "15"), ("1", "10"), ("C", "C++"), (".", "-")]
)
def test_different_names(one, other):
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    "cell",
    ["cat;dog", "cat; dog;", "cat|dog", "['cat', 'dog']", '["cat","dog"]', "[cat, dog]", "('cat', 'dog')",
     "cat\ndog", "{'cat', 'dog'}", "cat;cat; dog"],
)  # fmt: skip
def test_labels_that_are_clearly_several(cell):
    assert split(cell) == [("cat", "dog")]


def test_a_comma_separates_where_each_name_is_also_alone():
    assert split("cat,dog", "cat", "dog")[0] == ("cat", "dog")
    assert split("cat,dog", "cat", comma=True)[0] == ("cat", "dog")
    assert split("cat,dog", classes=["cat", "dog"])[0] == ("cat", "dog")
    assert split("cat,dog", classes=["cat", "cat,dog"])[0] == ("cat,dog",)


def test_a_comma_is_asked_about_where_it_could_be_part_of_a_name():
    labels, unclear = Cells(["bat, wild", "cat"], None, False).split("bat, wild")
    assert not labels and "'bat;wild'" in unclear and "classes.txt" in unclear


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Background", "index 0"),
        ("a\x1b[31mb", "control"),
        ("a\x9bb", "control"),
        ("x" * 101, "longer"),
        ("a;b", "';'"),
    ],
)
def test_what_is_no_name(name, why):
    assert why in problem_of(name)


@pytest.mark.parametrize(
    "name", ["[/red]", "@cat", "=cat", "\u732b", "\u06af\u0631\u0628\u0647\u200c\u0647\u0627", "a/b"]
)
def test_what_is_a_name(name):
    assert problem_of(clean(name)) == "" and clean(name) == name


@pytest.mark.parametrize("label", ["nan", "NaN", "None", "null", "N/A", "Background", "background"])
def test_an_empty_cell_in_disguise(good, label):
    good.picture("d.png", "train", label)
    text = refused(good, f"labels.csv: label {label!r}", "1 thing(s) to mend")
    assert len(text.splitlines()) == 2


def test_variants_are_refused_once_by_their_names(good):
    good.picture("d.png", "train", "Cat")
    good.picture("e.png", "val", "cat.")
    text = refused(good, "'Cat' (1), 'cat' (2), 'cat.' (1)", "1 thing(s) to mend")
    assert len(text.splitlines()) == 2
    (good.root / "classes.txt").write_text("cat\ndog\nCat\ncat.\n")  # said to be three
    good.picture("f.png", "train", "cat.")
    assert "warning: names alike: 'Cat' (1), 'cat' (2), 'cat.' (2)" in good.run()


def test_names_that_look_the_same_are_shown_by_their_codes(good):
    good.picture("d.png", "train", "a\u200db")
    good.picture("e.png", "train", "ab")
    refused(good, r"'a\u200db' (1)")


def test_a_label_beside_the_class_list_is_named_once_with_its_pictures(good):
    (good.root / "classes.txt").write_text("cat\ndog\n")
    for name in "defgh":
        good.picture(f"{name}.png", "train", "CAT")
    text = refused(good, "d, e, f and 2 more: label 'CAT' is not in the class list; did you mean cat?")
    assert len(text.splitlines()) == 2


def test_more_classes_than_a_mask_holds(good):
    good.rows = [("a.png", "train", ";".join(f"c{number}" for number in range(255)))]
    refused(good, "labels.csv: 255 classes (c0, c1, c10, c100, c101, ...); at most 254 are possible")
    (good.root / "classes.txt").write_text("".join(f"c{number}\n" for number in range(255)))
    refused(good, "classes.txt: 255 classes")


def test_254_classes_are_as_many_as_a_mask_holds(good):
    good.rows = [(file, where, ";".join(f"c{n}" for n in range(254))) for file, where, _ in good.rows[:3]]
    good.run()
    assert len(read_json(Path("data/dataset/classes.json"))) == 255
