"""A comparison of runs made by hand: every number in it was worked out on paper."""

import json
import sys
from pathlib import Path

import pytest

from pipeline.results import noise
from pipeline.results.diff import comparison, parting, tables
from pipeline.results.diff import text as in_words
from pipeline.results.snapshot import open_run
from tests.pipeline import made_runs, stub
from tests.pipeline.made_runs import PARAMS, Runs, entry

PICTURES = {
    "old": "id,miou,recall\nx,50.00,1\ny,40.00,1\nz,30.00,1\n",
    "new": "id,miou,recall\nx,49.00,1\ny,60.50,1\nz,30.00,1\nw,9.00,1\n",
}


def stages(runs: Runs, beta: int, labels: str, pictures: str, dataset: str = "d0") -> dict[str, object]:
    """dataset -> pseudo_labels -> evaluation of the one rung `labels`, beside that of `seeds`."""
    table = runs.store(PICTURES[pictures].encode())
    return {
        "dataset": entry({"data/raw": "r"}, None, {"data/dataset": dataset}),
        "pseudo_labels": entry(
            {"data/dataset": dataset}, {"pseudo_labels": {"beta": beta}}, {"data/labels": labels}
        ),
        "evaluation@seeds": entry({"data/dataset": dataset}, None, {"reports/seeds/metrics.json": "s"}),
        "evaluation@labels": entry(
            {"data/labels": labels},
            None,
            {"reports/labels/metrics.json": labels, "reports/labels/per_picture.csv": table},
        ),
    }


def numbers(runs: Runs, miou: float, dog: float, cat: float) -> None:
    shared = {"images": 3, "precision": 60.0, "recall": 70.0}
    iou = {"dog": 50.0, "cat": 46.0}
    made_runs.score(runs, "seeds", miou=48.0, miou_best_threshold=49.0, iou=iou, **shared)
    shared = {"images": 3, "precision": 81.0, "recall": 82.0}
    made_runs.score(runs, "labels", miou=miou, iou={"dog": dog, "cat": cat}, **shared)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Two commits: beta 8 and beta 4, which moved the rung `labels` and left `seeds` alone."""
    made = made_runs.make(tmp_path / "project")
    made_runs.lock(made, stages(made, 8, "l8", "old"))
    numbers(made, 70.00, 75.00, 65.00)
    made.commit()
    made.write("params.yaml", PARAMS.replace("beta: 8", "beta: 4"))
    made_runs.lock(made, stages(made, 4, "l4", "new"))
    numbers(made, 72.50, 74.00, 71.00)
    made.commit()
    return made


@pytest.fixture
def found(runs: Runs) -> comparison.Diff:
    return comparison.make(runs.root, "HEAD~1", "HEAD")


def point(runs: Runs, name: str, mious: dict[int, float], beta: int = 8) -> None:
    """The runs of a point of a sweep: branches wsss/run/NAME-sK whose parameter `seed` is K."""
    for seed, miou in mious.items():
        text = PARAMS.replace("0.1, seed: 0", f"0.1, seed: {seed}").replace(
            "{seed: 0, epochs", f"{{seed: {seed}, epochs"
        )
        runs.write("params.yaml", text.replace("beta: 8", f"beta: {beta}"))
        made_runs.lock(runs, stages(runs, beta, f"l{beta}{seed}", "old"))
        numbers(runs, miou, miou, miou)
        runs.commit()
        runs.run("git", "branch", f"wsss/run/{name}-s{seed}")


def test_parameters_stages_and_ladder(found):
    assert found.notes == ()
    assert found.params == (("pseudo_labels.beta", 8, 4),)
    assert [(stage.stage, stage.state, stage.causes) for stage in found.stages] == [
        ("pseudo_labels", parting.PARTS, ("params",)),
        ("evaluation@labels", parting.FOLLOWS, ()),
    ]
    changes = {(number.rung, number.what): number.value.change for number in found.ladder}
    assert changes == {
        ("seeds", "miou"): 0, ("seeds", "miou_best_threshold"): 0, ("seeds", "precision"): 0,
        ("seeds", "recall"): 0, ("labels", "miou"): 2.5, ("labels", "precision"): 0, ("labels", "recall"): 0,
    }  # fmt: skip
    assert {number.value.verdict for number in found.ladder} == {noise.UNKNOWN, noise.EQUAL}


def test_classes_come_by_the_size_of_their_change(found):
    first, second, *equal = found.classes
    assert (first.rung, first.what, first.value.change) == ("labels", "cat", 6.0)
    assert (second.rung, second.what, second.value.change) == ("labels", "dog", -1.0)
    assert {number.value.change for number in equal} == {0.0}


def test_pictures_that_both_scored_come_by_the_size_of_their_change(found):
    (pictures,) = found.pictures  # not of seeds, which is equal
    assert pictures.rung == "labels"
    assert [(picture.id, picture.change) for picture in pictures.changed] == [("y", 20.5), ("x", -1.0)]
    assert (pictures.better, pictures.equal) == (1, 1)


def test_a_run_against_itself_is_empty_and_says_so_in_one_line(runs):
    assert comparison.make(runs.root, "HEAD", "HEAD").is_empty
    for arguments in (("HEAD", "HEAD"), ("HEAD", "workspace"), ()):
        done = stub.wsss(runs, "diff", *arguments)
        assert done.stdout.splitlines()[1:] == ["no difference"]
    assert json.loads(stub.wsss(runs, "diff", "HEAD", "HEAD", "--json").stdout)["empty"] is True
    assert stub.wsss(runs, "diff", "HEAD", "HEAD", "--md").stdout.splitlines()[-2:] == ["No difference.", ""]


def test_the_workspace_is_not_touched(runs):
    before = runs.run("git", "status", "--porcelain", "--ignored").stdout
    stub.wsss(runs, "diff", "HEAD~1", "HEAD", "--html", str(runs.root.parent / "page.html"))
    assert runs.run("git", "status", "--porcelain", "--ignored").stdout == before


def test_a_side_without_scores_of_pictures_is_named_and_the_rest_goes_on(runs):
    found = comparison.make(runs.root, "HEAD~1", "workspace")  # git does not keep them
    assert found.pictures == () and found.ladder
    assert found.notes == ("workspace has no scores of single pictures at labels: none are compared there",)


def test_other_classes_and_other_pictures_are_said_first(runs):
    made_runs.lock(runs, stages(runs, 4, "l4", "new", dataset="d1"))
    made_runs.score(runs, "seeds", miou=48.0, iou={"dog": 50.0, "cow": 46.0})
    made_runs.score(runs, "labels", miou=72.5, iou={"dog": 74.0, "cow": 71.0})
    runs.commit()
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    assert found.notes[:2] == (
        "the classes differ (cat only in HEAD~1; cow only in HEAD): means are over different classes",
        "the data sets differ (data/dataset): the numbers are not of the same pictures",
    )
    assert {number.what for number in found.classes} == {"dog"}


def test_parameters_that_were_not_run_are_said(runs):
    runs.write("params.yaml", PARAMS)  # beta is 8 again, results are of 4
    found = comparison.make(runs.root, "HEAD", "workspace")
    assert found.params == (("pseudo_labels.beta", 4, 8),)
    assert found.notes == (
        "workspace: labels is stale, not scored in this run: pseudo_labels.beta was 4, is 8; an earlier run "
        "had 72.50: `wsss run evaluation@labels`",
        "workspace was not run with its pseudo_labels.beta: `wsss run`",
    )
    assert {number.rung for number in found.ladder} == {"seeds"} and found.pictures == ()
    (labels,) = found.unscored
    assert (labels.rung, labels.a, labels.b) == ("labels", 72.5, None)
    assert not found.is_empty
    text = stub.wsss(runs, "diff").stdout
    (row,) = (line.split() for line in text.splitlines() if line.startswith("labels "))
    assert row == ["labels", "72.50", "not", "scored"]
    assert "| labels | 72.50 | not scored |  |" in stub.wsss(runs, "diff", "--md").stdout


def test_a_rung_of_one_side_and_another_number_of_pictures_are_said(runs):
    found = stages(runs, 4, "l4", "new") | {
        "evaluation@ceiling": entry(None, None, {"reports/ceiling/metrics.json": ""})
    }
    made_runs.lock(runs, found)
    numbers(runs, 72.5, 74.0, 71.0)
    made_runs.score(runs, "labels", miou=72.5, images=2)
    made_runs.score(runs, "ceiling", miou=90.0, images=3)
    found = comparison.make(runs.root, "HEAD", "workspace")
    assert found.notes[:2] == (
        "only workspace has the rung ceiling",
        "labels is scored on 3 pictures in HEAD, 2 in workspace",
    )
    assert "ceiling" not in found.rungs


def test_a_revision_where_nothing_was_run_is_named(runs):
    (runs.root / "dvc.lock").unlink()  # reports/ is there all the same: nobody knows of which run
    runs.commit()
    found = comparison.make(runs.root, "HEAD~1", "HEAD")
    assert found.notes == ("HEAD has no dvc.lock: nothing was run there",)
    assert found.ladder == () and {stage.state for stage in found.stages} == {parting.ONLY_A}
    names = "dataset, pseudo_labels, evaluation@seeds, evaluation@labels"
    assert tables.where(found) == [f"Only HEAD~1 ran {names}."]


def test_points_are_paired_by_seed_and_a_change_within_the_scatter_is_noise(runs):
    point(runs, "lr-01", {0: 80.0, 1: 82.0, 2: 84.0})
    point(runs, "lr-02", {0: 81.0, 1: 84.0, 2: 85.0}, beta=4)
    point(runs, "lr-03", {0: 83.0, 1: 85.0, 2: 87.5}, beta=2)
    noisy, clear = (comparison.make(runs.root, "lr-01", name) for name in ("lr-02", "lr-03"))
    assert noisy.params == (("pseudo_labels.beta", 8, 4),)  # not the seeds
    values = {number.rung: number.value for number in noisy.ladder if number.what == "miou"}
    assert (values["labels"].a, values["labels"].sd_a, values["labels"].rule) == (82.0, 2.0, noise.PAIRED)
    assert values["labels"].verdict == noise.NOISE  # d = 1, 2, 1: 1.33 within 1.43
    assert values["seeds"].verdict == noise.EQUAL
    assert {n.value.verdict for n in clear.ladder if n.rung == "labels" and n.what == "miou"} == {
        noise.BEYOND
    }
    assert noisy.notes == (
        "numbers are means over runs; stages and pictures are those of lr-01-s0 and lr-02-s0",
    )


def test_a_single_run_against_a_point_does_not_compare_seeds(runs):
    point(runs, "lr-01", {1: 80.0, 2: 82.0})
    found = comparison.make(runs.root, "HEAD~2", "lr-01")
    assert {number.value.rule for number in found.ladder} == {noise.ONE_AGAINST_N}
    assert found.params == (("pseudo_labels.beta", 4, 8),)


def test_runs_of_a_point_that_differ_in_more_than_their_seeds_are_named(runs):
    point(runs, "lr-01", {0: 80.0})
    point(runs, "lr-01", {1: 80.0}, beta=4)
    notes = comparison.make(runs.root, "lr-01", "HEAD").notes
    assert "lr-01-s0 and lr-01-s1 differ in more than their seeds: pseudo_labels.beta" in notes


def test_json_holds_everything(runs):
    values = json.loads(stub.wsss(runs, "diff", "HEAD~1", "--json").stdout)
    assert values["params"] == [{"key": "pseudo_labels.beta", "a": 8, "b": 4}]
    assert values["a"]["runs"][0]["commit"] == runs.run("git", "rev-parse", "HEAD~1").stdout.strip()
    row = next(row for row in values["ladder"] if (row["rung"], row["metric"]) == ("labels", "miou"))
    assert (row["a"], row["b"], row["change"], row["verdict"]) == (70.0, 72.5, 2.5, "noise unknown")
    assert values["stages"][0]["causes"] == ["params"]


def test_markdown_is_a_comment_of_a_pull_request(runs, found):
    text = in_words.markdown(found)
    commits = [runs.run("git", "rev-parse", "--short=7", name).stdout.strip() for name in ("HEAD~1", "HEAD")]
    assert text.startswith(f"### `HEAD~1 ({commits[0]})` → `HEAD ({commits[1]})`\n")
    assert "| labels | 70.00 | 72.50 | **+2.50** |  | 0.00 | 0.00 |\n" in text
    assert "The runs part at pseudo\\_labels: params (pseudo\\_labels.beta).\n" in text
    assert "| pseudo\\_labels.beta | 8 | 4 |\n" in text
    assert "| cat | labels | 65.00 | 71.00 | **+6.00** |\n" in text
    assert "| labels | y +20.50, x -1.00 | 1 | 1 | 1 |\n" in text
    assert noise.RULES[noise.ONE_EACH].rstrip(".") in text


def test_names_cannot_break_the_markdown_or_the_page(runs):
    made_runs.score(runs, "labels", miou=72.5, iou={"<b>|dog*": 74.0, "cat": 72.0})
    name = r"\<b\>\|dog\*"
    runs.commit()
    made_runs.score(runs, "labels", miou=72.5, iou={"<b>|dog*": 75.0, "cat": 72.0})
    assert f"| {name} | labels |" in stub.wsss(runs, "diff", "--md").stdout
    page = runs.root.parent / "page.html"
    stub.wsss(runs, "diff", "--html", str(page))
    assert "&lt;b&gt;|dog*" in page.read_text() and "<b>|dog" not in page.read_text()


def test_the_terminal_says_where_they_part_and_how_much(runs):
    text = stub.wsss(runs, "diff", "HEAD~1").stdout
    assert "The runs part at pseudo_labels: params (pseudo_labels.beta)." in text
    assert "What lies below follows: evaluation@labels." in text
    (row,) = (line.split() for line in text.splitlines() if line.startswith("labels") and "72.50" in line)
    assert row[:4] == ["labels", "70.00", "72.50", "+2.50"]


def test_a_rounded_nothing_has_no_sign():
    assert tables.signed(-0.001) == "0.00"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("nothing",), "git knows no revision 'nothing'"), (("--md", "--json"), "choose one")],
)
def test_what_cannot_be_compared_is_one_error(runs, arguments, words):
    done = runs.run(
        sys.executable, "-m", "pipeline.cli", "diff", *arguments, check=False, PYTHONPATH=stub.ROOT
    )
    assert done.returncode == 1
    assert done.stdout.startswith("error: ") and words in done.stdout and "Traceback" not in done.stdout


def test_equal_inputs_with_other_results_are_told_to_be_another_machine_s(runs):
    """As of who clones, runs, and compares with the author's numbers."""
    runs.write("reports/provenance.json", json.dumps({"labels": {"machine": "Author's CPU, 64 cores",
               "metrics": open_run(runs.root, "HEAD").hash("reports/labels/metrics.json")}}))  # fmt: skip
    runs.commit()
    made_runs.lock(runs, stages(runs, 4, "l4 of this machine", "new"))
    numbers(runs, 75.31, 76.0, 73.0)
    note, *_ = comparison.make(runs.root, "HEAD", "workspace").notes
    assert note.startswith(
        "pseudo_labels: equal inputs gave other results, so HEAD and workspace were made on different "
        "machines (HEAD: Author's CPU, 64 cores; workspace: not noted), or by chance"
    )
    assert "`git commit -am baseline`" in note


def test_what_another_result_was_scored_of_is_not_compared(runs):
    """The pseudo-labels are made anew, their evaluation is not: its numbers are of those before."""
    found = stages(runs, 4, "l4", "new")
    found["pseudo_labels"] = entry(
        {"data/dataset": "d0"}, {"pseudo_labels": {"beta": 4}}, {"data/labels": "l5"}
    )
    made_runs.lock(runs, found)
    numbers(runs, 72.5, 74.0, 71.0)
    made = comparison.make(runs.root, "HEAD~1", "workspace")
    assert {number.rung for number in (*made.ladder, *made.classes)} == {"seeds"}
    assert made.unscored[0].why.startswith("stale, not scored in this run: data/labels was made anew")
