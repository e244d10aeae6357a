"""What `wsss params` says: from params.yaml, the schema, dvc.yaml, the presets and docs/methods.md."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.memory import graph
from pipeline.project import keys
from pipeline.project.presets import dotted
from stages.common.params import check, read_yaml, value_of
from stages.parameters.params import Parameters

ROOT = Path(__file__).parents[3]
TEXT = """\
# The head says what the file is.

first:  # a section
  # above the key,
  # in two lines
  one: 1  # and behind it
  two: "# no comment"
  # of a mapping
  three: {four: 4, five: "a: # b"}  # whole

second:
  one: 2
  deep:
    six: [6]  # in it
"""


def test_words_are_the_comments_above_and_behind() -> None:
    assert keys.words(TEXT) == {
        "first": "a section",
        "first.one": "above the key, in two lines and behind it",
        "first.three": "of a mapping whole",
        "second.deep.six": "in it",
    }


def test_what_is_repeated_is_explained_where_it_is_first() -> None:
    found = keys.about(ROOT, "affinity.encoder.output_stride").words
    assert found == (
        "8, 16 or 32, by dilation; of a plain vision transformer the side of its patches "
        "(classifier.encoder.output_stride)"
    )


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("classifier.method", "plain | puzzle | oc_cse | p_oc | p_noc | eader | clip_text"),
        ("classifier.optimizer.lr", "number, above 0"),
        ("classifier.seed", "whole number, 0 to 2147483647"),
        ("classifier.augment.longest_side", "list of number, above 0 (at least 2, at most 2) or null"),
        ("classifier.eader.encoder",
         "section: name, output_stride, weights, mean, std, freeze, batch_norm or null"),
        ("seeds.flip", "true | false"),
        ("seeds.scales", "list of number, above 0 (at least 1)"),
        ("seeds.layer", "text"),
        ("segmenter.labels", "pseudo_labels | affinity_labels/crf | one_step/train | graph | annotations"),
        ("segmenter.options", "mapping, {} for none"),
        ("segmenter.options.decoder_channels", "as the section around says"),
        ("few_shot.folds", "list of whole number, 0 or more"),
    ],
)  # fmt: skip
def test_what_may_stand_there_is_the_schema_s(key: str, wanted: str) -> None:
    assert keys.about(ROOT, key).allowed == wanted


def test_it_says_of_every_choice_what_the_check_says() -> None:
    """The value of params.yaml is one of those that it names, and another word is refused."""
    values = read_yaml(ROOT / "params.yaml")
    schema = Parameters.model_json_schema()
    tried = 0
    for key in dotted(values):
        choices = keys.allowed(schema, key).split(" | ")
        if len(choices) < 2 or not isinstance(value_of(values, key), str):
            continue
        tried += 1
        assert value_of(values, key) in choices, key
        with pytest.raises(ValueError, match=key.rpartition(".")[2]):
            check(Parameters, changed(values, key, "another"), "params.yaml")
    assert tried > 25


def changed(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    first, _, rest = key.partition(".")
    return values | {first: changed(values[first], rest, value) if rest else value}


def test_readers_are_those_of_dvc_s_graph() -> None:
    """Of the shipped recipe; where a parameter chooses what is read, the others read it by that choice."""
    dvc = read_yaml(ROOT / "dvc.yaml")
    for name, stage in graph.read(ROOT).stages.items():
        for key in stage.params:
            assert name.partition("@")[0] in keys.readers(dvc, key), (name, key)
    assert keys.readers(dvc, "classifier.puzzle.weight") == ("classifier",)
    assert keys.readers(dvc, "seeds.scales") == ("seeds",)
    assert keys.readers(dvc, "evaluation.rungs") == ("evaluation", "gallery", "report")
    assert keys.readers(dvc, "ceiling.of") == ("ceiling",)


def test_presets_and_sources() -> None:
    found = keys.about(ROOT, "classifier.method")
    assert found.presets["p-noc"] == "p_noc" and "demo" not in found.presets
    assert found.sources == {"plain": "ZHANG Eq. 2.14"}
    found = keys.about(ROOT, "classifier.puzzle.weight")
    assert found.sources == {"puzzle": 'DAVID, "Puzzle-CAM"; Jo and Yu 2021'} and found.value == 0.31


def test_every_key_has_an_answer() -> None:
    values = read_yaml(ROOT / "params.yaml")
    assert [line.split()[0] for line in keys.show(ROOT, None)] == list(values)
    dvc, schema = read_yaml(ROOT / "dvc.yaml"), Parameters.model_json_schema()
    for key in dotted(values):
        assert keys.allowed(schema, key) != "any value", key
        assert keys.readers(dvc, key), key
    assert "  puzzle: ..." in keys.show(ROOT, "classifier")


def test_a_key_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^params.yaml has no seeds.scale; did you mean seeds.scales\?$"):
        keys.show(ROOT, "seeds.scale")


def test_keys_that_are_no_text_are_shown(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("null: 6\n5: {null: 1}\n")
    assert keys.show(tmp_path, None) == ["None", "5"]
    assert dotted(read_yaml(tmp_path / "params.yaml")) == ["None", "5", "5.None"]


@pytest.mark.parametrize("dvc", [None, {}, {"stages": None}, {"stages": ["seeds"]}, {"stages": {"seeds": 5}}])
def test_a_dvc_yaml_without_stages_is_said(dvc: Any) -> None:
    with pytest.raises(ValueError, match=r"^dvc\.yaml has no stages: "):
        keys.readers(dvc, "seeds.method")
