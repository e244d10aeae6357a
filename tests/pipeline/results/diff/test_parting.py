"""Where two runs part, from entries of dvc.lock made by hand: a -> b -> c, a -> d."""

from copy import deepcopy
from typing import Any

import pytest

from pipeline.results.diff import parting
from tests.pipeline.made_runs import entry

BASE = {
    "c": entry({"data/b": "b0", "stages/c.py": "c"}, {"c": {"epochs": 3}}, {"data/c": "c0"}),
    "a": entry({"data/raw": "r0", "stages/a.py": "a"}, {"a.seed": 0}, {"data/a": "a0"}),
    "b": entry({"data/a": "a0", "stages/b.py": "b"}, {"b": {"beta": 8, "t": 1}}, {"data/b": "b0"}),
    "d": entry({"data/a": "a0"}, None, {"data/d": "d0"}),
}


def changed(**hashes: str) -> dict[str, Any]:
    """BASE with other hashes, wherever they stand: b0="b1"."""
    lock = deepcopy(BASE)
    for stage in lock.values():
        for item in (*stage["deps"], *stage["outs"]):
            item["md5"] = hashes.get(item["md5"], item["md5"])
    return lock


def found(lock: dict[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {stage.stage: (stage.state, stage.causes) for stage in parting.partings(BASE, lock)}


def test_equal_runs_do_not_part():
    assert parting.partings(BASE, deepcopy(BASE)) == []


def test_a_parameter_is_where_they_part_and_what_lies_below_follows():
    lock = changed(b0="b1", c0="c1")
    lock["b"]["params"]["params.yaml"]["b"]["beta"] = 4
    assert found(lock) == {"b": (parting.PARTS, ("params",)), "c": (parting.FOLLOWS, ())}
    b, c = parting.partings(BASE, lock)
    assert b.params == (("b.beta", 8, 4),)
    assert (b.upstream, c.upstream) == ((), ("b",))


def test_code_and_raw_data_are_told_from_results_of_stages():
    assert found(changed(b="new", b0="b1"))["b"] == (parting.PARTS, ("code",))
    assert found(changed(r0="r1", a0="a1"))["a"] == (parting.PARTS, ("data",))
    lock = changed(b0="b1")
    lock["b"]["cmd"] = "work harder"
    assert parting.partings(BASE, lock)[0].code == ("the command",)


def test_a_change_without_effect_ends_where_it_was_made():
    assert found(changed(b="new")) == {"b": (parting.SAME_RESULT, ("code",))}
    assert found(changed(a="new", a0="a1", b0="b0")) == {
        "a": (parting.PARTS, ("code",)),
        "b": (parting.SAME_RESULT, ()),
        "d": (parting.SAME_RESULT, ()),
    }


def test_a_stage_below_may_differ_by_itself_too():
    lock = changed(b="new", b0="b1", c0="c1")
    lock["c"]["params"]["params.yaml"]["c"]["epochs"] = 5
    assert found(lock) == {"b": (parting.PARTS, ("code",)), "c": (parting.FOLLOWS, ("params",))}


def test_equal_inputs_and_another_result_is_chance():
    assert found(changed(d0="d1")) == {"d": (parting.PARTS, ("chance",))}


def test_a_stage_of_one_side_is_named():
    lock = deepcopy(BASE)
    lock["ceiling"] = lock.pop("d")
    assert found(lock) == {"d": (parting.ONLY_A, ()), "ceiling": (parting.ONLY_B, ())}


def test_what_checks_all_parameters_counts_only_if_its_result_differs():
    a = {"check": entry({"params.yaml": "p0"}, None, {"data/ok": "ok"})}
    b = {"check": entry({"params.yaml": "p1"}, None, {"data/ok": "ok"})}
    assert parting.partings(a, b) == []
    b["check"]["outs"][0]["md5"] = "other"
    assert [stage.state for stage in parting.partings(a, b)] == [parting.PARTS]


def test_stages_come_in_the_order_of_the_graph():
    order = parting.ordered(BASE, {})
    assert set(order) == set("abcd")
    assert order.index("a") < order.index("b") < order.index("c")
    assert order.index("a") < order.index("d")


def test_a_folder_and_what_lies_in_it_are_one_output():
    a = {"x": entry(None, None, {"data/x": "1"}), "y": entry({"data/x/part": "p"}, None, {"data/y": "2"})}
    b = {"x": entry(None, None, {"data/x": "3"}), "y": entry({"data/x/part": "q"}, None, {"data/y": "4"})}
    assert [(s.stage, s.upstream) for s in parting.partings(a, b)] == [("x", ()), ("y", ("x",))]


@pytest.mark.parametrize(("now", "expected"), [(8, []), (4, [("b.beta", 8, 4)])])
def test_parameters_that_are_set_but_were_not_run(now, expected):
    params = {"a": {"seed": 0}, "b": {"beta": now, "t": 1}, "c": {"epochs": 3}, "more": {"x": 1}}
    assert parting.not_run(params, BASE) == expected


def test_a_parameter_that_is_gone_was_not_run():
    assert ("a.seed", 0, None) in parting.not_run({"b": {"beta": 8, "t": 1}, "c": {"epochs": 3}}, BASE)


STAMPED = {
    "code": entry({"stages": "s0.dir"}, None, {"data/code": "k0.dir", "data/nothing": "n"}),
    "a": entry({"data/code/a": "ka", "data/raw": "r0"}, None, {"data/a": "a0"}),
    "b": entry({"data/code/b": "kb", "data/a": "a0"}, None, {"data/b": "b0"}),
}


def stamped(**hashes: str) -> dict[str, Any]:
    lock = deepcopy(STAMPED)
    for stage in lock.values():
        for item in (*stage["deps"], *stage["outs"]):
            item["md5"] = hashes.get(item["path"].replace("/", "_"), item["md5"])
    return lock


def test_a_stamp_is_code_of_the_stage_and_no_result_of_another():
    """What writes the stamps is no part of the recipe."""
    lock = stamped(stages="s1.dir", data_code="k1.dir", data_code_b="other", data_b="b1")
    (b,) = parting.partings(STAMPED, lock)
    assert (b.stage, b.state, b.causes, b.code) == ("b", parting.PARTS, ("code",), ("data/code/b",))


def test_a_run_from_before_the_stamps_is_compared():
    """Its files of code stand for nothing that can be compared; the rest can."""
    old = deepcopy(STAMPED)
    del old["code"]
    for name in "ab":
        old[name]["deps"][0] = {"path": f"stages/{name}.py", "md5": "x"}
    assert [(one.stage, one.state, one.code) for one in parting.partings(old, STAMPED)] == [
        ("a", parting.SAME_RESULT, ("data/code/a",)), ("b", parting.SAME_RESULT, ("data/code/b",)),
    ]  # fmt: skip
    lock = stamped(data_a="a1", data_b="b1")
    lock["b"]["deps"][1]["md5"] = "a1"
    a, b = parting.partings(old, lock)
    assert (a.state, b.state, b.upstream) == (parting.PARTS, parting.FOLLOWS, ("a",))


def test_a_step_that_became_a_foreach_of_one_is_the_same_step():
    renamed = {("b@a" if name == "b" else name): one for name, one in stamped(data_code_b="other").items()}
    (b,) = parting.partings(STAMPED, renamed)
    assert (b.stage, b.state) == ("b", parting.SAME_RESULT)
    many = {**renamed, "b@x": deepcopy(renamed["b@a"])}  # no longer one
    assert {one.stage for one in parting.partings(STAMPED, many)} == {"b", "b@a", "b@x"}
