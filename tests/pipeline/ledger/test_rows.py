"""What ledger/*.yaml may say, and that the project's own rows are sound and leave no method out."""

from pathlib import Path

import pytest

from pipeline.ledger import points, rows
from pipeline.ledger.numbers import EXPLAINED
from pipeline.project import keys
from stages.common.params import parse_yaml, value_of
from stages.parameters.params import Parameters
from tests.pipeline.ledger.conftest import ROWS, SETS, row, write

ROOT = Path(__file__).parents[3]
CHOICES = (  # every method that a key may name has a row
    "classifier.method", "classifier.head", "seeds.method", "affinity_labels.method", "affinity.method",
    "pseudo_labels.method",
    "pseudo_labels.maps", "pseudo_labels.merge", "cues.regions", "cues.saliency",
    "segmenter.loss", "segmenter.network", "dataset.annotations", "saliency.of",
    "graph.of",
    "one_step.of", "one_step.heads.attention",
)  # fmt: skip


def ledger(root: Path, **kinds: list) -> rows.Ledger:
    write(root, "ledger/sets", SETS)
    for kind, found in kinds.items():
        write(root, f"ledger/{kind}", found)
    return rows.read(root)


def system(name: str, of: list[str]) -> dict:
    return {"name": name, "source": "by hand", "rows": of}


def test_rows_of_a_set_and_those_elsewhere(tmp_path):
    found = ledger(tmp_path, **ROWS)
    assert [(kind, [one.name for one in of]) for kind, of in found.of("demo").items()] == [
        ("plain", ["plain"]), ("gear", ["device"]), ("way", ["more", "both", "short"])
    ]  # fmt: skip
    assert [(kind, one.name) for kind, one in found.elsewhere("large")] == [
        ("gear", "device"), ("way", "more"), ("way", "short")
    ]  # fmt: skip
    kinds = found.of("demo")
    assert [one.name for one in rows.chosen(kinds, ["gear", "short"])] == ["device", "short"]
    assert len(rows.chosen(kinds, [])) == 5


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        ({"way": [row("a", sets=["none"])]}, "ledger/way.yaml, a: there is no set none"),
        ({"way": [row("a", on={"large": {}})]}, "ledger/way.yaml, a: `on` has large, and `sets` has not"),
        ({"way": [row("a"), row("a")]}, "ledger/way.yaml: two rows are called a"),
        ({"way": [row("a")], "gear": [row("a")]}, "ledger/gear.yaml and ledger/way.yaml: two rows are"),
        ({"way": [row("a"), row("way")]}, "ledger/way.yaml: way is a kind and a row"),
        (
            {
                "sets": {"a": SETS["demo"], "a-b": SETS["demo"]},
                "way": [row("b-c", sets=["a"]), row("c", sets=["a-b"])],
            },
            "ledger/way.yaml, c: on a-b its runs are called as those of b-c on a",
        ),
        ({"sets": {"d" * 31: SETS["demo"]}, "way": [row("r" * 31, sets=["d" * 31])]}, "61 of them at most"),
        ({"sets": {"index": SETS["demo"]}}, "ledger/sets.yaml: no set is called index"),
        ({"way": [row("A b")]}, "ledger/way.yaml: row 1 (A b).name: "),
        ({"way": [row("a"), row("b", colour="red")]}, "ledger/way.yaml: row 2 (b).colour: "),
        ({"way": [row("a", needs=["luck"])]}, "row 1 (a).needs.0: "),
        ({"systems": [system("s", ["a"])]}, "ledger/systems.yaml, s: there is no row a"),
        ({"systems": [system("s", [])]}, "ledger/systems.yaml: system 1 (s).rows: "),
    ],
)
def test_what_is_wrong_with_a_row_is_a_line(tmp_path, kinds, says):
    with pytest.raises(ValueError, match="ledger: 1 problem") as error:
        ledger(tmp_path, **kinds)
    assert says in str(error.value) and str(error.value).count("\n") == 1


def test_a_file_that_is_no_yaml_is_a_line(tmp_path):
    ledger(tmp_path, plain=[row("plain")])
    (tmp_path / "ledger/way.yaml").write_text("- name: [\n")
    with pytest.raises(ValueError, match=r"ledger: 1 problem\(s\)\n  ledger/way.yaml is not valid YAML: "):
        rows.read(tmp_path)


def test_a_file_that_would_not_be_read_is_a_line(tmp_path):
    ledger(tmp_path, plain=[row("plain")])
    (tmp_path / "ledger/mine.yml").write_text("[]")
    (tmp_path / "ledger/way.yaml").write_bytes(b"# gr\xfcn\n[]\n")
    with pytest.raises(ValueError) as error:
        rows.read(tmp_path)
    assert str(error.value).splitlines() == [
        "ledger: 2 problem(s)",
        "  ledger/mine.yml is not read: call it mine.yaml",
        "  ledger/way.yaml is not UTF-8 (byte 4): save it as UTF-8",
    ]


def test_a_set_needs_one_plain_row(tmp_path):
    with pytest.raises(ValueError, match=r"ledger/plain.yaml: one row of large, please"):
        ledger(tmp_path, plain=[row("plain")]).of("large")


def test_our_own_rows_name_files_that_are_there():
    found = rows.read(ROOT)
    files = {one.file for of in found.rows.values() for one in of}
    files |= {one.file for one in found.systems if one.file}
    assert len(files) > 50 and {file for file in files if not (ROOT / file).is_file()} == set()


def test_our_own_rows_leave_no_method_out():
    found = rows.read(ROOT)
    text, schema = (ROOT / "params.yaml").read_text(), Parameters.model_json_schema()
    every = [
        points.params(recipe, found.sets[name], one, name)
        for name in found.sets
        for recipe in [points.recipes(ROOT, text, found.sets[name])]
        for of in found.of(name).values()
        for one in of
    ]
    for key in CHOICES:
        used: set[str] = set()
        for values in every:
            value = value_of(values, key)
            used |= set(value) if isinstance(value, list) else {value}
        known = keys.allowed(schema, key).removeprefix("list of ").partition(" (")[0].split(" | ")
        assert {*known} - used == set(), key
    assert {term for values in every for term in value_of(values, "segmenter.terms")} == {
        "sobel", "semeda", "dense_energy", "gated_crf", "dfr"
    }  # fmt: skip


def test_each_of_the_documents_systems_has_a_row_that_runs_on_the_demo():
    found = rows.read(ROOT)
    here = {one.name for of in found.of("demo").values() for one in of if not one.needs}
    assert len({one.name for one in found.systems}) == 28
    assert [one.name for one in found.systems if one.rows[0] not in here] == []


def test_the_scores_that_our_own_systems_name_are_scores_of_a_row():
    rungs = parse_yaml((ROOT / "params.yaml").read_text(), "params.yaml")["evaluation"]["rungs"]
    known = {*rungs, "seeds (best)", *EXPLAINED}
    named = [score for one in rows.read(ROOT).systems for score in one.scores]
    assert len(named) > 10 and {*named} - known == set()


def test_presets_and_changes_of_our_own_rows():
    found = rows.read(ROOT)
    text = (ROOT / "params.yaml").read_text()
    of = {one.name: one for kind in found.rows.values() for one in kind}
    voc, demo = found.sets["voc-mobilenet"], found.sets["demo"]
    puzzle = points.params(points.recipes(ROOT, text, voc), voc, of["puzzle"], "voc-mobilenet")
    assert (puzzle["classifier"]["method"], puzzle["classifier"]["augment"]["crop"]) == ("puzzle", 416)
    assert puzzle["dataset"]["name"] == "voc2012-mini" and puzzle["generate"]["of"] == []
    assert puzzle["ordinary_classifier"]["encoder"] == puzzle["classifier"]["encoder"]
    base = parse_yaml(text, "params.yaml")
    recipe = points.recipes(ROOT, text, demo)
    points.params(recipe, demo, of["minmax-cam"], "demo")["seeds"]["method"] = "spoilt"
    assert points.params(recipe, demo, of["plain"], "demo") == {
        **base, "explanation": {**base["explanation"], "of": ["seeds"]}
    }  # fmt: skip
