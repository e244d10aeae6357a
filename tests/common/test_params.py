from pathlib import Path
from typing import Literal

import pytest

from stages.common.params import (
    Count,
    Fraction,
    ParameterError,
    Section,
    check,
    declared_keys,
    load,
    parse_yaml,
    read_yaml,
)


class Walk(Section):
    beta: Fraction
    steps: Count


class Labels(Section):
    method: Literal["walk", "plain"]
    walk: Walk | None = None


GOOD = {"method": "walk", "walk": {"beta": 0.5, "steps": 3}}


def problems(values: dict) -> str:
    with pytest.raises(ParameterError) as error:
        check(Labels, values, "params.yaml")
    return str(error.value)


def test_valid_values_pass() -> None:
    assert check(Labels, GOOD, "here").walk == Walk(beta=0.5, steps=3)


@pytest.mark.parametrize(
    ("walk", "says"),
    [
        ({"beta": 0.5, "stepps": 3, "steps": 3}, "walk.stepps: unknown key; did you mean walk.steps?"),
        ({"beta": 0.5}, "walk.steps: missing"),
        ({"beta": 1.5, "steps": 3}, "walk.beta: Input should be less than or equal to 1, found 1.5"),
        ({"beta": 0.5, "steps": "3"}, "walk.steps: Input should be a valid integer, found '3'"),
        ({"beta": 0.5, "steps": True}, "walk.steps: Input should be a valid integer, found True"),
    ],
)
def test_a_problem_is_one_line_that_says_what_is_allowed(walk: dict, says: str) -> None:
    assert problems({"method": "walk", "walk": walk}) == f"params.yaml: 1 problem(s)\n  {says}"


def test_a_wrong_choice_lists_the_right_ones() -> None:
    assert "method: Input should be 'walk' or 'plain', found 'wlak'" in problems(GOOD | {"method": "wlak"})


def test_all_problems_are_told_at_once() -> None:
    assert problems({"method": "x", "walk": {"beta": 2, "steps": 0}}).startswith("params.yaml: 3 problem(s)")


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1e-4\nb: on\n")  # YAML 1.1 says: "1e-4" and True
    assert read_yaml(tmp_path / "a.yaml") == {"a": 1e-4, "b": "on"}


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "not valid YAML"), ("a: 1\na: 2\n", "not valid YAML"), ("- 1\n", "must hold sections")],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParameterError, match=rf"params\.yaml.*{says}"):
        read_yaml(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "a: [1\nb: 2\n",
            "line 2, column 2: did not find expected ',' or ']' (while parsing a flow sequence, from line 1)",
        ),
        (
            "a:\n\tb: 2\n",
            "line 2, column 1: a tab where YAML takes spaces "
            "(while scanning for the next token, from line 2)",
        ),
        ("a: b: c", "line 1, column 5: mapping values are not allowed in this context"),
        ("a: \x01", "unacceptable character #x0001: control characters are not allowed in "
                    '"<unicode string>", position 3'),
        ("a: 2020-99-99", "month must be in 1..12"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_said_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ParameterError) as error:
        parse_yaml(text, "here")
    assert str(error.value) == f"here is not valid YAML: {says}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="is missing"):
        read_yaml(tmp_path / "params.yaml")


PARAMS = "labels: {method: walk, walk: {beta: 0.5, steps: 3}, plain: {any: 1}}\nother: {a: 1}\n"
STAGES = """stages:
  labels:
    cmd: x
    params: [labels.method, "labels.${labels.method}", other.a]
  each:
    foreach: [a, b]
    do: {cmd: x, params: [other]}
  none: {cmd: x}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "dvc.yaml").write_text(STAGES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_templates_are_filled_in(project: Path) -> None:
    assert declared_keys("labels") == ["labels.method", "labels.walk", "other.a"]
    assert declared_keys("each") == ["other"]


def test_a_stage_sees_the_declared_keys_only(project: Path) -> None:
    assert load("labels", Labels) == Labels(**GOOD)  # `plain` would be an unknown key


def test_an_undeclared_section_is_an_error(project: Path) -> None:
    with pytest.raises(ParameterError, match="declares no parameter of labels for stage none"):
        load("labels", Labels, stage="none")
    with pytest.raises(ParameterError, match="no stage nowhere"):
        load("labels", Labels, stage="nowhere")


def test_a_declared_key_that_is_not_there_is_named(project: Path) -> None:
    (project / "params.yaml").write_text("labels: {method: walk}\nother: {a: 1}\n")
    with pytest.raises(ParameterError, match=r"labels\.walk is missing"):
        load("labels", Labels)


def bomb(levels: int, each: int) -> str:
    """Lists of lists, each named many times in the next: `each` to the power of `levels` values."""
    lines = ["b0: &b0 [lol]"]
    for n in range(1, levels):
        lines.append(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * each)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (bomb(10, 10), "its aliases repeat more than 100000 values"),
        ("a: &a {x: 1}\n" + bomb(7, 12).replace("[lol]", "{<<: *a}"), "its aliases repeat more than 100000"),
        ("a: &a [*a]", r"\*a stands in what it names"),
        ("a: &a {b: {c: *a}}", r"\*a stands in what it names"),
        ("[" * 50_000, "it is nested more than 100 levels deep"),
        ("{a: " * 50_000, "it is nested more than 100 levels deep"),
        ("- " * 50_000, "it is nested more than 100 levels deep"),
        ("a: 1\na: 2", "is not valid YAML"),
        ("a: !!python/object/apply:os.system ['false']", "is not valid YAML"),
        ("a: !mine 1", "is not valid YAML"),
        ("a: *b", "is not valid YAML"),
        ("a: [", "is not valid YAML"),
        ("a: \x07", "is not valid YAML"),
    ],
)
def test_yaml_that_is_no_parameters_but_an_attack(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParameterError, match=says) as error:
        read_yaml(tmp_path / "params.yaml")
    assert str(error.value).startswith(str(tmp_path / "params.yaml")) and len(str(error.value)) < 1000


def test_aliases_and_merges_in_reason_are_yaml() -> None:
    text = "a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a, y: 3}\n"
    assert parse_yaml(text, "here") == {"a": {"x": [1, 2]}, "b": {"x": [1, 2]}, "c": {"x": [1, 2], "y": 3}}


def test_a_message_is_short_whatever_was_found() -> None:
    said = problems({"method": ["x" * 100_000], "walk": {"k" * 100_000: 1, "beta": 0.5, "steps": 3}})
    assert len(said) < 1500 and "(100004 characters)" in said
    many = problems({**GOOD, **{f"k{n}": 1 for n in range(1000)}})
    assert many.startswith("params.yaml: 1000 problem(s)") and many.endswith("  and 960 more")
