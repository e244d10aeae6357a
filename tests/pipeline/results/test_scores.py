"""One number everywhere: each command shows a rung's own file, or says that the run has not scored it."""

import json
import re
import shutil
import socket
import time
from pathlib import Path

import pytest

from pipeline.engine import recipe
from pipeline.flows import publish
from pipeline.memory import plan
from pipeline.memory.graph import Graph
from pipeline.project import ledger
from pipeline.project.outcomes import RAN, RESTORED, Result
from pipeline.results import ends, provenance, scores
from pipeline.results.report import page as report_page
from pipeline.results.snapshot import open_run
from tests.conftest import Project
from tests.pipeline import made_runs, stub
from tests.pipeline.made_runs import GIT, Runs, entry

NEW = {"seeds": 11.15, "crf": 22.25, "pseudo_labels": 33.35, "predictions": 44.45}  # binary .5 rounds down


@pytest.fixture(scope="module")
def committed(recipe: Project, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The recipe on 12 pictures as a commit. Tests change copies."""
    project = recipe.copy(tmp_path_factory.mktemp("scores") / "project")
    project.run(*GIT, "add", "-A")
    project.run(*GIT, "commit", "-qm", "run")
    return Runs(project.root)


def copy(project: Runs, place: Path) -> Runs:
    return Runs(project.copy(place).root)


def metrics(project: Project, rung: str) -> dict[str, float]:
    return json.loads((project.root / f"reports/rungs/{rung}/metrics.json").read_text())


def published(project: Runs) -> str:
    return publish.report(publish.About(project.root, "x", plan.Plan(Graph({}), {}), {}), "HEAD").text


def test_every_command_shows_each_rung_s_own_number(committed: Runs, tmp_path: Path) -> None:
    """As after `wsss run evaluation@RUNG`: what the stage `report` wrote, ladder.csv and so on, is older."""
    project = copy(committed, tmp_path / "project")
    old = {rung: metrics(project, rung) for rung in NEW}
    for rung, miou in NEW.items():
        made_runs.score(project, rung, **old[rung] | {"miou": miou, "over_segmentation": 20.05})
    moved = json.loads(project.run("dvc", "metrics", "diff", "--json").stdout)
    change = {rung: moved[f"reports/rungs/{rung}/metrics.json"]["miou"] for rung in NEW}
    assert {rung: values["new"] for rung, values in change.items()} == NEW

    ladder = stub.wsss(project, "ladder").stdout
    stub.wsss(project, "ladder", "--svg", "ladder.svg")
    drawn = (project.root / "ladder.svg").read_text()
    page = report_page.values(project.root)
    diff = json.loads(stub.wsss(project, "diff", "--json", "--html", "diff.html").stdout)
    texts = [stub.wsss(project, "diff").stdout, stub.wsss(project, "diff", "--md").stdout, published(project)]
    texts.append((project.root / "diff.html").read_text())
    for rung, miou in NEW.items():
        new, moves = f"{miou:.2f}", f"{change[rung]['diff']:+.2f}"
        (row,) = (line for line in ladder.splitlines() if re.match(rf"│ {rung} ", line))
        assert row.split("│")[3].strip() == new
        assert f">{new}<" in drawn and f">{new}<" in page["ladder_chart"] and f">{new}<" in page["areas"]
        (line,) = (line for line in page["ladder"] if line["rung"] == rung)
        assert (line["miou"], line["state"]) == (new, scores.CURRENT)
        (number,) = (n for n in diff["ladder"] if (n["rung"], n["metric"]) == (rung, "miou"))
        assert (number["a"], number["b"]) == (old[rung]["miou"], miou)
        assert f"{number['change']:+.2f}" == moves
        assert all(new in text and moves in text for text in texts)
    assert f"fixed: {NEW['seeds']:.2f} at" in page["curve"]
    assert "seeds on 8 of train" in dict(page["card"])["scored"]


def test_a_partial_run_leaves_no_number_that_is_not_its_own(committed: Runs, tmp_path: Path) -> None:
    project = copy(committed, tmp_path / "project")
    before = f"{metrics(project, 'predictions')['miou']:.2f}"
    project.change(pseudo_labels__random_walk__beta=4)
    for name in ("train_00001", "train_00004"):  # the walk got them right: they are the truth
        shutil.copy(project.root / f"data/masks/{name}.png", project.root / f"data/pseudo_labels/{name}.png")
    project.run("dvc", "commit", "-f", "pseudo_labels")
    done = stub.wsss(project, "run", "evaluation@pseudo_labels").stdout.splitlines()
    assert done[-1] == (
        "reports/index.html shows it: open it in a browser; not scored in this run: predictions"
    )
    moved = json.loads(project.run("dvc", "metrics", "diff", "--json").stdout)
    assert moved.keys() == {"reports/rungs/pseudo_labels/metrics.json"}
    change = moved["reports/rungs/pseudo_labels/metrics.json"]["miou"]
    assert change["diff"]

    why = "stale, not scored in this run: data/pseudo_labels was made anew; an earlier run had"
    told = f"predictions: {why} {before}: `wsss run evaluation@predictions`"
    ladder = stub.wsss(project, "ladder").stdout
    assert told in ladder and f"{change['new']:.2f}" in ladder
    (row,) = (line for line in ladder.splitlines() if line.startswith("│ predictions "))
    assert not re.search(r"\d", row)
    assert re.search(r"^pseudo_labels: made \d{4}-\d\d-\d\d \d\d:\d\d by wsss-run-\d+$", ladder, re.MULTILINE)
    page = report_page.values(project.root)
    assert [row["state"] for row in page["ladder"]] == ["current"] * 3 + ["stale"]
    assert before not in page["ladder_chart"] + page["areas"] and "predictions" not in page["per_class"][0]
    assert "predictions" not in page["confusions"]
    assert {rung["name"] for one in page["gallery"]["pictures"] for rung in one["rungs"]} == {"seeds", "crf"}
    assert len(page["trainings"]) == 2  # the segmenter learnt from other labels
    assert told in published(project) and f"| {change['new']:.2f} |" in published(project)
    diff = json.loads(stub.wsss(project, "diff", "--json").stdout)
    assert {row["rung"] for row in diff["ladder"]} == {"seeds", "crf", "pseudo_labels"}
    (unscored,) = diff["unscored"]
    assert (unscored["rung"], unscored["b"]) == ("predictions", None)
    assert any(f"workspace: predictions is {why}" in note for note in diff["notes"])
    stub.wsss(project, "show", "val_00000", "--html", "one.html")
    assert "not of this run: data/pseudo_labels was made anew" in (project.root / "one.html").read_text()

    made = provenance.read(open_run(project.root, "workspace"))
    assert made.keys() == {"pseudo_labels"}  # the others are of a plain dvc repro
    assert made["pseudo_labels"].machine == provenance.machine()
    text = (project.root / provenance.FILE).read_text()
    assert str(Path.home().name) not in text and str(project.root) not in text


def test_a_failed_run_on_other_pictures_shows_nobody_s_numbers(committed: Runs, tmp_path: Path) -> None:
    project = copy(committed, tmp_path / "project")
    old = {f"{metrics(project, rung)['miou']:.2f}" for rung in NEW}
    (project.root / "data/raw/mine").mkdir()
    project.change(dataset__name="mine", dataset__source="folder")
    done = stub.wsss(project, "run", check=False)
    assert done.returncode == 1 and "shows it" not in done.stdout
    assert "reports/index.html has no numbers: no rung is scored in this run" in done.stdout
    page = (project.root / "reports/index.html").read_text()
    assert "mine" in page and page.count("not scored in this run: ") == len(NEW)
    texts = [page, stub.wsss(project, "ladder").stdout, published(project)]
    assert not any(number in text for number in old for text in texts)
    assert report_page.values(project.root)["data"]["why_not"].startswith("dataset.")
    assert "there is no number to draw" in stub.wsss(project, "ladder", "--svg", "x.svg", check=False).stdout


def test_a_fresh_clone_has_the_committed_numbers_and_says_whose(committed: Runs, tmp_path: Path) -> None:
    shutil.copytree(committed.root / ".git", tmp_path / "clone" / ".git")
    clone = Runs(tmp_path / "clone")
    clone.run("git", "checkout", "-qf", "HEAD")
    value = open_run(clone.root, "HEAD").hash("reports/rungs/seeds/metrics.json")
    made = {"metrics": value, "date": "2026-01-02", "machine": "Author's CPU, 2 cores", "run": "r"}
    clone.write(provenance.FILE, json.dumps({"seeds": made}))
    head = clone.run("git", "rev-parse", "--short=7", "HEAD").stdout.strip()
    ladder = stub.wsss(clone, "ladder").stdout
    assert (
        f"seeds: the committed numbers ({head}), made on Author's CPU, 2 cores 2026-01-02 by r; "
        "nothing was run here" in ladder
    )
    assert f"predictions: the committed numbers ({head}), made by a plain `dvc repro`" in ladder
    assert stub.wsss(clone, "diff").stdout.endswith("no difference\n")
    for text in ("", "[1]", "{", '{"seeds": 3}', '{"seeds": {"machine": ["\\u001b[31m"]}}'):
        clone.write(provenance.FILE, text)
        assert f"predictions: the committed numbers ({head}), made by" in stub.wsss(clone, "ladder").stdout


def test_a_rung_of_a_part_of_an_output_is_the_run_s_as_long_as_that_part_is(
    committed: Runs, tmp_path: Path
) -> None:
    """DVC writes the part's hash into the entry of its evaluation, and only that of the whole above."""
    project = copy(committed, tmp_path / "project")

    def change(part: str) -> None:
        shutil.copy(project.root / "data/masks/val_00000.png", project.root / part / "train_00000.png")
        project.run("dvc", "commit", "-f", "affinity_labels@seeds")

    change("data/affinity_labels/affinity")
    rung = scores.workspace(project.root).rung("crf")
    assert rung is not None and rung.good
    change("data/affinity_labels/crf")
    for name in ("workspace", "HEAD"):
        rung = scores.read(open_run(project.root, name)).rung("crf")
        assert rung is not None and rung.state == scores.STALE and not rung.numbers
        assert "data/affinity_labels/crf was made anew" in rung.standing
        project.commit()
    for place in (project.root / ".dvc" / "cache").rglob("*.dir"):
        place.unlink()
    rung = scores.workspace(project.root).rung("crf")
    assert rung is not None and rung.good  # nothing says any more that it is not


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """dataset -> labels -> their evaluation, with a file of code, committed."""
    made = made_runs.make(tmp_path / "project")
    made.write("work.py", "print(1)\n")
    code = {"path": "work.py", "hash": "md5", "md5": made.store(b"print(1)\n")}
    stages = {
        "dataset": entry({"data/raw/toy": "r"}, {"dataset": {"name": "toy"}}, {"data/dataset": "d"}),
        "labels": entry({"data/dataset": "d"}, {"pseudo_labels": {"beta": 8}}, {"data/labels": "l"}),
        "evaluation@labels": entry({"data/labels": "l"}, None, {"reports/labels/metrics.json": ""}),
    }
    stages["labels"]["deps"].append(code)
    made_runs.lock(made, stages)
    made_runs.score(made, "labels", miou=70.0, images=3)
    made.commit()
    return made


def only(runs: Runs, name: str = "workspace") -> scores.Rung:
    (rung,) = scores.read(open_run(runs.root, name)).rungs
    assert rung.good or not (rung.numbers or rung.classes)
    return rung


@pytest.mark.parametrize(
    ("path", "old", "new", "state", "why"),
    [
        ("params.yaml", "beta: 8", "beta: 4", scores.STALE, "pseudo_labels.beta was 8, is 4"),
        ("params.yaml", "lr: 0.1", "lr: 0.2", scores.COMMITTED, ""),  # nothing of the rung's reads it
        ("params.yaml", "name: toy", "name: mine", scores.MISSING, "dataset.name was toy, is mine"),
        ("work.py", "1", "2", scores.STALE, "work.py was changed"),
        ("dvc.lock", "md5: d\n", "md5: e\n", scores.MISSING, "data/dataset was made anew"),
        ("reports/labels/metrics.json", "70.0", "99.0", scores.MISSING, "is not the one of dvc.lock"),
    ],
)
def test_whose_a_rung_is(runs: Runs, path: str, old: str, new: str, state: str, why: str) -> None:
    """In the workspace, and in a commit that has it so."""
    assert only(runs).state == scores.COMMITTED
    text = (runs.root / path).read_text()
    assert old in text
    runs.write(path, new.join(text.rsplit(old, 1)))
    rung = only(runs)
    assert rung.state == state and why in rung.standing
    assert ("70.00" in rung.standing) == (state == scores.STALE)
    runs.commit()
    assert only(runs, "HEAD").state == state


def test_what_the_last_run_did_not_finish_is_stale_until_it_does(runs: Runs) -> None:
    bad = {"labels": Result("labels", "failed"), "evaluation@labels": Result("x", "blocked")}
    ends.note(runs.root, bad, changed=())
    rung = only(runs)
    assert (rung.state, rung.numbers) == (scores.STALE, {})
    assert "labels: failed in the last run" in rung.standing
    assert only(runs, "HEAD").good  # of the commit nothing is said
    ends.note(runs.root, {"labels": Result("labels", "ran")}, changed=())
    assert "evaluation@labels: blocked in the last run" in only(runs).standing
    ends.note(runs.root, {"evaluation@labels": Result("x", "unchanged")}, changed=())
    assert only(runs).good
    ends.path(runs.root).write_text("[")
    assert only(runs).good


def test_a_failure_says_nothing_once_its_cause_is_taken_back(runs: Runs) -> None:
    """Nor once a plain `dvc repro` has written another entry, of equal bytes."""
    runs.change(pseudo_labels__beta=4)
    changed = scores.workspace(runs.root).standings.changed()
    assert changed == {"labels"}
    ends.note(runs.root, {"labels": Result("labels", "failed")}, changed)
    assert "labels: failed in the last run" in only(runs).standing
    runs.change(pseudo_labels__beta=8)
    assert only(runs).good
    ends.note(runs.root, {"labels": Result("labels", "failed")}, changed=())
    assert not only(runs).good
    lock = open_run(runs.root, "HEAD").lock
    lock["labels"]["deps"].append({"path": "more.txt", "md5": "m"})
    made_runs.lock(runs, lock)
    assert only(runs).good


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("cmd: work l", "cmd: work more l", "the command changed"),
        ("- data/dataset", "- data/dataset\n    - more.txt", "more.txt is read now"),
        ("- pseudo_labels", "- pseudo_labels\n    - generate", "generate is read now"),
        ("cmd: work l", "cmd: work ${evaluation.threshold}", ""),  # a number, as DVC writes it: not known
    ],
)
def test_what_dvc_yaml_says_of_a_stage_is_compared(runs: Runs, old: str, new: str, why: str) -> None:
    lock = open_run(runs.root, "HEAD").lock
    lock["labels"]["cmd"] = "work labels"
    made_runs.lock(runs, lock)
    text = """\
stages:
  labels:
    cmd: work labels
    deps:
    - data/dataset
    - work.py
    params:
    - pseudo_labels
    outs: [data/labels]
  evaluation:
    foreach: {labels: {reads: "data/labels"}}
    do:
      cmd: work
      deps: ["${item.reads}"]
      outs: ["reports/${key}/metrics.json"]
"""
    runs.write("dvc.yaml", text)
    assert only(runs).good
    assert old in text
    runs.write("dvc.yaml", text.replace(old, new))
    rung = only(runs)
    assert rung.good == (not why) and why in rung.standing


def test_who_made_a_rung(runs: Runs) -> None:
    """The run that computed it, on this machine; never the one that restored it."""
    lock, here = open_run(runs.root, "workspace").lock, socket.gethostname()

    def made(**outcomes: str) -> provenance.Made:
        (runs.root / provenance.FILE).unlink(missing_ok=True)
        ledger.path(runs.root).unlink(missing_ok=True)
        names = {"dataset": "dataset", "labels": "labels", "rung": "evaluation@labels"}
        for key, outcome in outcomes.items():
            for what in (outcome, RESTORED):
                outs = ledger.hashes(lock[names[key]])
                line = {"stage": names[key], "outcome": what, "run": what, "host": here, "outs": outs}
                ledger.append(runs.root, line | {"ended": f"20{len(what)}0-01-01T00:00:00+0000"})
        scores.note(runs.root, {"evaluation@labels": Result("x", RESTORED)})
        return provenance.read(open_run(runs.root, "workspace"))["labels"]

    machine = provenance.machine()
    found = made(dataset=RAN, labels=RAN, rung=RAN)
    assert (found.machine, found.date, found.run) == (machine, "2030-01-01", RAN)
    assert made(dataset=RAN, labels=RESTORED, rung=RAN).machine == f"{machine} {scores.PARTLY}"
    found = made(dataset=RAN, labels=RAN, rung=RESTORED)
    assert (found.machine, found.run) == ("", "")
    assert scores._of(found) == f"restored from a cache {time.strftime('%Y-%m-%d')}"
    runs.run("rm", "reports/labels/metrics.json")  # dvc.lock has it still
    scores.note(runs.root, {})
    assert provenance.read(open_run(runs.root, "workspace"))["labels"] == found


def test_a_damaged_file_of_numbers_is_none(runs: Runs) -> None:
    for text in ("{", "[1]", '{"miou": NaN, "iou": {"a": "b"}, "split": 3, "images": true}'):
        lock = open_run(runs.root, "HEAD").lock
        lock["evaluation@labels"]["outs"][0]["md5"] = runs.store(text.encode())
        made_runs.lock(runs, lock)
        runs.write("reports/labels/metrics.json", text)
        assert only(runs).numbers == {} == only(runs).classes


def test_the_end_of_a_run_praises_only_what_is_there() -> None:
    good, bad = scores.Rung("seeds", scores.CURRENT, ""), scores.Rung("crf", scores.STALE, "")
    said = [recipe._praise(scores.Scores(None, rungs, None), Path("p")) for rungs in ((good, bad), (bad,))]  # type: ignore[arg-type]
    assert said[0].endswith("shows it: open it in a browser; not scored in this run: crf")
    assert said[1] == "p has no numbers: no rung is scored in this run"
