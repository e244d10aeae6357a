"""How much work a sweep is: equal work is counted once."""

from pipeline.memory.graph import Graph, Meta, Stage
from pipeline.memory.plan import MAY_RUN, RESTORABLE, WILL_RUN, Plan, Row
from pipeline.sweep import plan


def stage(name, *upstream, params=(), deps=(), constant=False, stamps=False):
    meta = Meta(constant=constant, stamps=stamps)
    return Stage(name, f"python -m {name}", tuple(deps), tuple(params), (), upstream, meta, False)


def graph():
    """As in dvc.yaml: a rung reads the seeds; what writes the stamps and a check read all parameters."""
    found = [
        stage("code", deps=["params.yaml"], stamps=True),
        stage("check", "code", deps=["params.yaml"], constant=True),
        stage("classifier", "check", params=["classifier"]),
        stage("seeds", "code", "check", "classifier", params=["seeds.method"], deps=["data/code/seeds"]),
        stage("walk", "check", "seeds", params=["walk.beta"]),
        stage("rung", "seeds", params=["rung"]),
    ]
    return Graph({one.name: one for one in found})


def params(method="cam", beta=4, lr=0.1, code=""):
    return {
        "classifier": {"lr": lr},
        "seeds": {"method": method, "layer": 1},
        "walk": {"beta": beta},
        "rung": {},
    }


def keys(**values):
    return plan.keys(graph(), params(**values), {"data/code/seeds": values.get("code", "cam.py")})


def same(a, b):
    return {name for name in a if a[name] == b[name]}


def test_work_below_a_change_is_other_work():
    assert same(keys(), keys()) == set(graph().stages)
    assert same(keys(), keys(beta=8)) == {"classifier", "seeds", "rung"}
    assert same(keys(), keys(lr=0.2)) == set()
    assert same(keys(), keys(method="vgatt")) == {"classifier"}  # `code` and the check read all parameters


def test_of_a_section_only_what_is_declared_counts():
    other = params()
    other["seeds"]["layer"] = 2
    found = plan.keys(graph(), other, {"data/code/seeds": "cam.py"})
    assert same(keys(), found) == set(graph().stages) - {"code", "check"}


def test_code_alone_is_other_work():
    assert same(keys(), keys(code="vgatt.py")) == {"code", "check", "classifier"}


def rows(states, seconds=10.0):
    """A plan by the state of each stage, and keys that are the stage's name and what is behind the `:`."""
    split = {name: state.partition(":") for name, state in states.items()}
    found = {
        name: Row(name, state, (), None if name == "new" else seconds)
        for name, (state, _, _) in split.items()
    }
    return Plan(Graph({}), found), {name: name + key for name, (_, _, key) in split.items()}


def test_counts_by_hand():
    """Four runs, two of the same seeds; one run's walk is in the cache."""
    will, may = WILL_RUN, MAY_RUN
    found = plan.combine([
        rows({"seeds": f"{will}:a", "walk": f"{may}:a4"}), rows({"seeds": f"{will}:a", "walk": f"{may}:a8"}),
        rows({"seeds": f"{will}:b", "walk": f"{may}:b4"}), rows({"seeds": f"{will}:b", "walk": RESTORABLE}),
    ])  # fmt: skip
    assert found == [plan.Row("seeds", 2, 2, 0, 20.0), plan.Row("walk", 3, 0, 1, 30.0)]
    total = "at most 5 stages to compute, 2 shared between runs, 1 from the cache"
    assert plan.summary(found, 1) == f"{total}; 50 s one after another"
    assert plan.summary(found, 2) == f"{total}; 50 s one after another, with -j 2 no less than 25 s"


def test_a_time_that_nobody_knows():
    found = plan.combine([rows({"seeds": WILL_RUN, "new": WILL_RUN})])
    assert [row.seconds for row in found] == [10.0, None]
    assert plan.summary(found, 1).endswith("; time not known yet")
    assert plan.summary(plan.combine([rows({"new": RESTORABLE})]), 1) == (
        "0 stages to compute, 0 shared between runs, 1 from the cache"
    )
