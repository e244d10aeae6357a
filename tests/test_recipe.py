"""The recipe on 12 pictures, end to end, through DVC: what runs and what is cached.

All in one file, so that xdist's loadscope builds the recipe once.
"""

import csv
import json
import multiprocessing
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from stages.common.artifacts import csv_text, mask_bytes, read_json, read_mask, read_npz
from stages.common.fingerprint import file_hash
from stages.segmenter.class_balance import class_weights, count
from tests.conftest import drawn

ORDER = ["seeds", "crf", "pseudo_labels", "predictions"]
ALL = {
    "code", "parameters", "generate@synthetic", "dataset", "classifier", "seeds", "affinity_labels@seeds",
    "affinity@affinity_labels", "pseudo_labels", "segmenter", "predictions",
    *(f"{stage}@{rung}" for rung in ORDER for stage in ("evaluation", "gallery")), "report",
}  # fmt: skip
GALLERIES = {f"gallery@{rung}" for rung in ORDER}
STATES = ("unchanged", "restorable", "will run", "may run", "blocked", "frozen")


@pytest.fixture
def project(recipe, tmp_path):
    return recipe.copy(tmp_path / "project")


def test_every_stage_ran_and_the_ladder_has_its_rungs(recipe):
    assert recipe.stages_that_ran(recipe.first_run) == ALL
    rows = list(csv.DictReader((recipe.root / "reports/ladder.csv").open()))
    assert list(rows[0]) == ["rung", "split", "miou", "miou_best_threshold", "precision", "recall", "images"]
    assert [row["rung"] for row in rows] == ORDER
    assert [row["split"] for row in rows] == ["train"] * 3 + ["val"]
    assert [row["images"] for row in rows] == ["8", "8", "8", "4"]
    assert [bool(row["miou_best_threshold"]) for row in rows] == [True, False, False, False]
    for row in rows:
        assert 0 < float(row["miou"]) < 100 and row["miou"] == f"{float(row['miou']):.2f}"


def test_one_picture_through_all_formats(recipe):
    data = recipe.root / "data"
    row = next(csv.DictReader((data / "dataset/index.csv").open()))
    name, size = row["id"], (int(row["height"]), int(row["width"]))
    seeds = read_npz(data / f"seeds/{name}.npz")
    assert seeds["maps"].dtype == "float16" and seeds["maps"].shape == (len(row["labels"].split(";")), 8, 8)
    assert tuple(seeds["size"]) == size and seeds["maps"].max() <= 1
    affinity = read_npz(data / f"affinity/maps/{name}.npz")
    assert affinity["affinities"].shape == (34, 16, 16) and affinity["affinities"].dtype == "float16"
    for folder in ("masks", "affinity_labels/affinity", "affinity_labels/crf", "pseudo_labels"):
        assert read_mask(data / folder / f"{name}.png").shape == size, folder


def empty_two(project):
    """The pictures as a folder of one's own, of which one of each split shows nothing: their ids.

    Two of val keep the first class, for an episode.
    """
    rows = list(csv.DictReader((project.root / "data/dataset/index.csv").open()))
    names = read_json(project.root / "data/dataset/classes.json")[1:]
    val = [row for row in rows if row["split"] == "val" and names[0] not in row["labels"].split(";")]
    empty = [rows[0]["id"], val[0]["id"]]
    mine = project.root / "data/raw/mine"
    shutil.copytree(project.root / "data/dataset/images", mine / "images")
    (mine / "masks").mkdir()
    for row in rows:
        mask = read_mask(project.root / f"data/masks/{row['id']}.png")
        (mine / f"masks/{row['id']}.png").write_bytes(mask_bytes(mask * (row["id"] not in empty)))
        row["labels"] *= row["id"] not in empty
    (mine / "labels.csv").write_text(csv_text(
        [("file", "split", "labels"), *((row["file"], row["split"], row["labels"]) for row in rows)]
    ))  # fmt: skip
    (mine / "classes.txt").write_text("\n".join(names))
    project.change(dataset__source="folder", dataset__name="mine", generate__of=[])
    return empty


def test_pictures_that_show_nothing_through_the_whole_recipe(project):
    train, val = empty_two(project)
    project.change(
        segmenter__without_class="skip",
        segmenter__cross_entropy={"balance": "inverse"},
        ceiling__of={"segmenter": "nothing"},
    )
    said = project.run("dvc", "repro").stdout
    assert "8 train and 4 val pictures (1 and 1 without a class), 3 classes, 12 masks" in said
    data, reports = project.root / "data", project.root / "reports"
    seeds = read_npz(data / f"seeds/{train}.npz")
    assert seeds["maps"].shape == (0, 8, 8) and seeds["classes"].shape == (0,)
    for folder in ("affinity_labels/affinity", "affinity_labels/crf", "pseudo_labels", "masks"):
        assert not read_mask(data / folder / f"{train}.png").any(), folder
    learnt = sorted(path.stem for path in (data / "pseudo_labels").glob("*.png") if path.stem != train)
    for labels, network in (("pseudo_labels", "segmenter"), ("masks", "ceiling/segmenter")):
        masks = [read_mask(data / labels / f"{name}.png") for name in learnt]
        wanted = class_weights("inverse", count(masks, 4))  # of the seven that show something
        assert read_json(data / network / "config.json")["class_weights"] == wanted, labels
    for rung in ORDER:
        scores, shown = (
            {row["id"]: row for row in csv.DictReader((reports / file).open())}
            for file in (f"rungs/{rung}/per_picture.csv", f"gallery/{rung}/tiles/index.csv")
        )
        name, pictures = (val, 4) if rung == "predictions" else (train, 8)
        assert len(scores) == pictures and shown[name]["labels"] == ""
        assert rung == "predictions" or scores[name]["miou"] == "100.00"
    files = sorted((data / "predictions").glob("*.png"))
    found, true = (
        np.stack([read_mask(data / folder / file.name) for file in files])
        for folder in ("predictions", "masks")
    )
    both, either = (found == 0) & (true == 0), ((found == 0) | (true == 0)) & (true != 255)
    ground = next(csv.DictReader((reports / "rungs/predictions/per_class.csv").open()))
    assert ground["class"] == "background"
    assert float(ground["iou"]) == pytest.approx(100 * both.sum() / either.sum(), abs=0.006)
    project.run(sys.executable, "-m", "pipeline.cli", "report")
    page = (reports / "index.html").read_text()
    assert '<option value=";">no class</option>' in page and page.count("· no class</span>") == 2
    for name in (train, val):
        show = ("-m", "stages.commands.show", name, "--tiles", f"shown/{name}", "--png", f"{name}.png")
        project.run(sys.executable, *show)
        assert (project.root / f"{name}.png").stat().st_size > 1000


def test_every_optional_step_runs_through_dvc_and_a_second_time_nothing_does(project):
    """P-NOC with its ordinary classifier, C2AM-H with its second network, cues, explanation, diagnosis, RRM.

    A picture of each split shows nothing.
    """
    train, val = empty_two(project)
    project.change(
        classifier__method="p_noc",
        classifier__ordinary="ordinary_classifier",
        ordinary_classifier__of=["dataset"],
        explanation__of=["seeds"],
        diagnosis__of=["classifier"],
        saliency__of=["c2am_h"],
        saliency__start="classifier",
        saliency__c2am_h__delta_background=0.3,  # networks of two epochs are unsure
        saliency__refine="network",
        saliency__network__epochs=1,
        saliency__network__batch=4,
        saliency__network__augment__crop=64,
        cues__of=["seeds"],
        cues__saliency="saliency",
        cues__regions="slic",
        affinity_labels__of=["cues"],
        affinity_labels__hints="saliency",
        affinity_labels__method="saliency",
        pseudo_labels__maps="cues",
        one_step__of=["rrm"],
        one_step__classification__epochs=1,
        one_step__energy__scale=0.25,
        few_shot__folds=[0],
        few_shot__epochs=1,
        few_shot__batch=4,
        few_shot__augment__crop=64,
        few_shot__threads=1,
        fold_masks__fold_classes=1,
        fold_masks__min_area=4,
        fold_masks__supports=1,
        fold_masks__episodes=2,
        fold_masks__runs=1,
        episodes__shots=[1],
        evaluation__rungs={
            "seeds": "seeds",
            "saliency": "saliency",
            "cues": "cues",
            "crf": "affinity_labels/crf",
            "pseudo_labels": "pseudo_labels",
            "one_step_train": "one_step/train",
            "one_step": "one_step/val",
        },
    )
    targets = (
        "evaluation@seeds",
        "evaluation@saliency",
        "evaluation@cues",
        "evaluation@crf",
        "evaluation@pseudo_labels",
        "evaluation@one_step_train",
        "evaluation@one_step",
        "explanation@seeds",
        "diagnosis@classifier",
        "episodes@0",
        "affinity",
    )
    ran = project.stages_that_ran(project.run("dvc", "repro", *targets).stdout)
    optional = {
        "ordinary_classifier@dataset",
        "saliency@c2am_h",
        "cues@seeds",
        "evaluation@cues",
        "one_step@rrm",
        "evaluation@one_step",
        "explanation@seeds",
        "diagnosis@classifier",
        "evaluation@saliency",
        *(f"{step}@0" for step in ("fold_masks", "few_shot", "episodes")),
    }
    assert ran >= optional | {"classifier", "seeds", "affinity_labels@cues", "affinity@affinity_labels"}
    assert "generate@synthetic" not in ran
    assert not read_mask(project.root / f"data/affinity_labels/affinity/{train}.png").any()
    for split, name in (("train", train), ("val", val)):
        assert (project.root / f"data/one_step/{split}/{name}.png").is_file()
    assert read_json(project.root / "reports/explanation/metrics.json")["images"] == 7
    assert read_json(project.root / "reports/diagnosis/metrics.json")["images"] == 3
    values = read_json(project.root / "reports/rungs/saliency/metrics.json")
    assert values["classes"] == "merged" and 0 < values["miou"] < 100 and values["images"] == 8
    for rung in ("cues", "pseudo_labels"):
        values = read_json(project.root / f"reports/rungs/{rung}/metrics.json")
        assert 0 < values["miou"] < 100 and values["images"] == 8
    values = read_json(project.root / "reports/rungs/one_step/metrics.json")
    assert values["images"] == 4 and values["split"] == "val"
    values = read_json(project.root / "reports/few_shot/0/metrics.json")
    assert values["episodes"] == 2 and 0 <= values["miou_1"] <= 100
    history = next(csv.DictReader((project.root / "data/classifier/history.csv").open()))
    assert {"reconstruction", "suppression", "ordinary.loss"} <= set(history)
    assert (project.root / "reports/classifier/inputs.png").stat().st_size > 1000
    assert project.stages_that_ran(project.run("dvc", "repro", *targets).stdout) == set()


def test_second_run_is_all_cached(recipe):
    output = recipe.run("dvc", "repro").stdout
    assert recipe.stages_that_ran(output) == set()
    assert output.count("didn't change, skipping") == len(ALL)
    assert "up to date" in output


def test_beta_reruns_from_the_walk_only(project):
    project.change(pseudo_labels__random_walk__beta=2)
    ran = project.stages_that_ran(project.run("dvc", "repro").stdout)
    assert "pseudo_labels" in ran
    scores = {"evaluation@pseudo_labels", "evaluation@predictions", *GALLERIES, "report"}
    below = {"segmenter", "predictions", *scores}
    assert ran <= {"code", "parameters", "pseudo_labels", *below}


def test_code_of_a_method_reruns_only_what_uses_it(project):
    with (project.root / "stages/seeds/vgatt.py").open("a") as file:
        file.write("EDITED = True\n")
    walk = project.root / "stages/pseudo_labels/random_walk.py"
    walk.write_text(walk.read_text() + "# a word that computes nothing\n")
    assert project.stages_that_ran(project.run("dvc", "repro").stdout) == {"code"}
    walk.write_text(walk.read_text() + "EDITED = True\n")
    ran = project.stages_that_ran(project.run("dvc", "repro", "pseudo_labels").stdout)
    assert ran == {"code", "pseudo_labels"}


def test_methods_switch_and_come_back_from_the_cache(project):
    before = project.hashes("data/seeds")
    project.change(seeds__method="vgatt", seeds__layer="encoder.levels.1")
    project.run("dvc", "repro", "seeds")
    assert project.hashes("data/seeds") != before
    project.change(seeds__method="cam", seeds__layer="last")
    output = project.run("dvc", "repro", "seeds").stdout
    assert "is cached" in output and project.hashes("data/seeds") == before


@pytest.mark.parametrize("start", drawn(["forkserver", "spawn", "fork"], 1))
def test_same_inputs_same_bytes_cold_and_with_other_workers(project, start):
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {start}")
    last = ["affinity"] * (start != "spawn")
    steps = ["seeds", "affinity_labels", "pseudo_labels", "predictions", *last]
    before = {step: project.hashes(f"data/{step}") for step in steps}
    subprocess.run(["rm", "-rf", project.root / ".scratch"], check=True)
    for step in steps:
        line = project.run(
            sys.executable, "-m", f"stages.{step}", WSSS_WORKERS="2", WSSS_START_METHOD=start
        ).stdout
        assert "0 reused" in line
        assert project.hashes(f"data/{step}") == before[step], step


def test_only_new_pictures_are_computed(project):
    line = project.run(sys.executable, "-m", "stages.seeds").stdout
    assert "8 pictures, 8 reused, 0 computed" in line
    project.change(generate__train=10)
    project.run("dvc", "repro", "dataset")
    before = file_hash(project.root / "data/classifier/weights.safetensors")
    line = project.run(sys.executable, "-m", "stages.seeds").stdout  # as with a frozen classifier
    assert file_hash(project.root / "data/classifier/weights.safetensors") == before
    assert "10 pictures, 8 reused, 2 computed" in line


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seeds__method", "camm", "seeds.method: Input should be 'cam', 'grad_cam', "),
        ("classifier__batch", "many", "classifier.batch"),
        ("pseudo_labels__random_walk__beta", -1, "pseudo_labels.random_walk.beta"),
        ("dataset__name", "nowhere", "wsss link nowhere PATH"),
    ],
)
def test_a_bad_parameter_stops_before_anything_is_deleted(project, key, value, message):
    before = project.hashes("data/seeds")
    project.change(**{key: value})
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0 and message in done.stdout
    assert project.hashes("data/seeds") == before
    for out in ("data/dataset", "data/masks", "data/classifier", "data/pseudo_labels", "data/predictions"):
        assert (project.root / out).is_dir(), out


def test_a_damaged_map_is_named(project):
    file = next((project.root / "data/seeds").glob("*.npz"))
    os.chmod(file, 0o644)
    file.write_bytes(file.read_bytes()[:50])
    done = project.run(sys.executable, "-m", "stages.affinity_labels", check=False)
    assert done.returncode == 2 and file.name in done.stdout and "Traceback" not in done.stdout
    assert (project.root / "data/affinity_labels/crf").is_dir()  # the old result stays


def test_diffs_say_what_changed(project):
    """dvc params diff and dvc metrics diff after one change, as the README shows them."""
    project.run("git", "add", "-A")
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "run")
    project.change(evaluation__threshold=0.6)
    project.run("dvc", "repro", "evaluation@seeds")
    assert "evaluation.threshold" in project.run("dvc", "params", "diff").stdout
    metrics = project.run("dvc", "metrics", "diff").stdout
    changed = ["reports/rungs/seeds/metrics.json", "threshold", "0.35", "0.6"]
    assert any(row.split()[:4] == changed for row in metrics.splitlines())
    assert read_json(project.root / "reports/rungs/seeds/metrics.json")["threshold"] == 0.6


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    drawn(
        [
            ("pseudo_labels__random_walk__beta", 3, {"pseudo_labels"}),
            ("predictions__flip", False, {"predictions"}),
            ("evaluation__threshold", 0.5, {*GALLERIES, *(f"evaluation@{rung}" for rung in ORDER)}),
        ],
        0,
    ),
)
def test_a_run_keeps_the_plan_s_word(project, key, value, stages):
    """All that "will run" has run, and nothing but that and what "may run"; then nothing is left to do."""

    def planned() -> dict[str, set[str]]:
        rows = json.loads(project.run(*wsss, "plan", "--json").stdout)["stages"]
        return {state: {row["stage"] for row in rows if row["state"] == state} for state in STATES}

    wsss = [sys.executable, "-m", "pipeline.cli"]
    assert planned()["unchanged"] == ALL
    project.change(**{key: value})
    before = planned()
    assert before["will run"] == {"code", "parameters", *stages} and "report" in before["may run"]
    output = project.run(*wsss, "run").stdout
    ran = {line.split()[0] for line in output.splitlines() if "│ Running stage '" in line}
    assert before["will run"] <= ran <= before["will run"] | before["may run"], output
    assert planned()["unchanged"] == ALL
