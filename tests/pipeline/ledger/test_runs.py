"""What a run is called, and whether a later commit still stands behind it."""

from pipeline.ledger import runs
from tests.pipeline.ledger.test_work import PARAMS, STAGES, committed, dump


def test_a_run_is_of_a_later_commit_that_leaves_what_its_stages_read(made):
    root, run = made
    other = STAGES | {"more": {"cmd": "python -m stages.more", "outs": ["data/more"]}}
    dump(root, "dvc.yaml", {"stages": other})
    later = committed(root, **{"stages/other.py": "A = 2\n"})
    assert runs.is_of(root, run, later, PARAMS, ["seeds"])
    assert not runs.is_of(root, run, later, PARAMS | {"seeds": {"method": "cam", "flip": False}}, ["seeds"])
    assert not runs.is_of(root, run, later, PARAMS, ["seeds", "more"])


def test_the_runs_of_a_row_are_called_by_it():
    points, stops = ({"a": 1}, {}), (("s",), ("t", "u"))
    rows = runs.Rows("ledger-demo", "0" * 40, 2, points, "", names=("x", "y"), stops=stops)
    trials = rows.trials({"m": {"seed": 7}})
    assert [(one.name, one.point, one.seed, one.to) for one in trials] == [
        (f"ledger-demo-{name}-s{seed}", f"ledger-demo-{name}", seed, to)
        for name, to in (("x", ("s",)), ("y", ("t", "u")))
        for seed in (0, 1)
    ]
    assert trials[1].overrides == {"a": 1, "m.seed": 1}
