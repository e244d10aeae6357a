"""The rules that dvc.yaml keeps: what a stage depends on, what sees a pixel label, what is cached."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import pytest

from pipeline.project import presets
from stages.common.fingerprint import ROOT
from stages.common.params import read_yaml
from stages.common.stamps import files, reader, stamp
from stages.parameters.params import Parameters
from stages.pseudo_labels.params import PseudoLabels
from tests.conftest import drawn

CHECK = "data/parameters.ok"
READS_MASKS = ("evaluation", "gallery", "report")


def methods_of_steps() -> dict[str, tuple[str, ...]]:
    """Steps whose method is chosen by a parameter, with the choices: a method is a file of the step."""
    sections = {name: field.annotation for name, field in Parameters.model_fields.items()}
    return {
        step: get_args(section.model_fields["method"].annotation)
        for step, section in sections.items()
        if section is not None and "method" in section.model_fields
    }


@dataclass(frozen=True)
class Out:
    path: str
    cached: bool
    persists: bool


@dataclass(frozen=True)
class Stage:
    """A stage as DVC resolves it, templates filled in."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    outs: tuple[Out, ...]
    always_changed: bool
    method: str | None  # of its step
    meta: dict[str, Any]

    @property
    def step(self) -> str:
        return self.name.partition("@")[0]


EVERYTHING: dict[str, Any] = {  # every optional step, and every edge that may lead to one
    "ordinary_classifier.of": ["dataset"],
    "classifier.ordinary": "ordinary_classifier",
    "explanation.of": ["seeds"],
    "diagnosis.of": ["classifier"],
    "saliency.of": ["c2am_h"],
    "saliency.start": "classifier",
    "cues.of": ["seeds"],
    "cues.saliency": "saliency",
    "affinity_labels.of": ["cues"],
    "pseudo_labels.maps": "cues",
    "affinity_labels.hints": "saliency",
    "one_step.of": ["rrm"],
    "segmenter.labels": "one_step/train",
    "graph.of": ["a2gnn"],
    "pseudo_labels.merge": "masks",
    "pseudo_labels.regions": "raw/sam",
    "evaluation.rungs": {**read_yaml(ROOT / "params.yaml")["evaluation"]["rungs"], "graph": "graph"},
    "ceiling.of": {"segmenter": "nothing", "only_true": "pseudo_labels", "all_corrected": "pseudo_labels"},
    "few_shot.folds": [0, 2],
}
GIVEN = EVERYTHING | {"saliency.of": ["folder"], "saliency.maps": "raw/eps", "saliency.start": "nothing"}
FEW_SHOT = ("fold_masks", "few_shot", "episodes")


def resolve(
    folder: Path,
    methods: dict[str, str],
    preset: str | None = None,
    also: dict[str, Any] | None = None,
) -> dict[str, Stage]:
    """The stages of the project with these methods and the values `also`, or a preset.

    `folder` gets a copy of the two files.
    """
    from dvc.repo import Repo
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe")
    values = yaml.load(ROOT / "params.yaml")
    for step, method in methods.items():
        values[step]["method"] = method
    for key, value in (also or {}).items():
        step, name = key.split(".")
        values[step][name] = value
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    yaml.dump(values, folder / "params.yaml")
    if preset:
        shutil.copytree(ROOT / "presets", folder / "presets")
        presets.apply(folder, preset)
    with Repo(str(folder)) as repo:
        return {
            stage.name: Stage(
                stage.name,
                str(stage.cmd),
                tuple(dep.def_path for dep in stage.deps if not _is_params(dep)),
                tuple(Out(out.def_path, out.use_cache, out.persist) for out in stage.outs),
                stage.always_changed,
                values.get(stage.name.partition("@")[0], {}).get("method"),
                stage.meta or {},
            )
            for stage in repo.index.stages
        }


def _is_params(dep: object) -> bool:
    from dvc.dependency.param import ParamsDependency

    return isinstance(dep, ParamsDependency)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    return resolve(tmp_path_factory.mktemp("graph") / "repo", {})


CHOICES = [{}, *({step: method} for step, methods in methods_of_steps().items() for method in methods)]


# No file of code hangs on a method, so the shipped ones stand for all; `make storm` asks each.
@pytest.mark.parametrize(
    "methods", drawn(CHOICES, 1), ids=lambda chosen: "-".join(chosen.values()) or "shipped"
)
def test_a_stage_depends_on_the_stamp_of_its_step_and_on_no_file_of_code(
    tmp_path: Path, methods: dict[str, str]
) -> None:
    found = resolve(tmp_path / "repo", methods, also=EVERYTHING)
    for stage in found.values():
        stamps = [dep for dep in stage.deps if dep.startswith("data/code")]
        assert stamps == ([] if stage.step == "code" else [f"data/code/{stage.step}"]), stage.name
        code = {dep for dep in stage.deps if dep.split("/")[0] in ("stages", "pipeline", "tests")}
        assert code == ({"stages"} if stage.step == "code" else set()), stage.name


def needed(stage: Stage) -> set[str]:
    """The files that the stage runs, as its stamp names them."""
    return set(files(stamp(stage.step, read_yaml(ROOT / "params.yaml"), reader(ROOT))))


def test_every_method_has_its_file() -> None:
    for step, methods in methods_of_steps().items():
        assert methods
        for method in methods:
            assert (ROOT / "stages" / step / f"{method}.py").is_file(), f"{step}: {method}"


def test_every_kind_of_regions_has_its_file_and_runs_no_other() -> None:
    kinds = get_args(PseudoLabels.model_fields["merge"].annotation)
    values = read_yaml(ROOT / "params.yaml")
    rule = "stages/pseudo_labels/merge.py"
    own = {kind: f"stages/pseudo_labels/merges/{kind}.py" for kind in kinds}
    for kind in kinds:
        values["pseudo_labels"]["merge"] = kind
        run = set(files(stamp("pseudo_labels", values, reader(ROOT))))
        wanted = set() if kind == "none" else {rule, own[kind]}
        assert run & {rule, *own.values()} == wanted


def test_what_somebody_made_is_read_and_made_by_no_stage(tmp_path: Path) -> None:
    """Maps for the saliency, regions for the pseudo-labels: each a folder that no stage leaves."""
    found = resolve(tmp_path / "repo", {"affinity_labels": "saliency"}, also=GIVEN)
    own = found["saliency@folder"]
    assert "data/raw/eps" in own.deps and own.cmd == "python -m stages.saliency folder"
    assert "data/saliency" in found["affinity_labels@cues"].deps
    assert "data/raw/sam" in found["pseudo_labels"].deps
    given = [dep for stage in found.values() for dep in stage.deps if dep in ("data/raw/eps", "data/raw/sam")]
    outs = [out.path for stage in found.values() for out in stage.outs]
    assert len(given) == 2 and not [out for out in outs for dep in given if overlap(dep, out)]
    values = read_yaml(ROOT / "params.yaml")
    values["saliency"]["of"] = ["folder"]
    run = set(files(stamp("saliency", values, reader(ROOT))))
    assert "stages/saliency/given.py" in run and "stages/common/training/loop.py" not in run


def test_a_step_that_a_recipe_does_without_is_absent(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """By parameters alone: no AffinityNet, and every other stage but those of its rung is there."""
    for preset in ("crf-only", "threshold"):
        found = resolve(tmp_path / preset, {}, preset=preset)
        absent = {"affinity_labels@seeds", "affinity@affinity_labels", "evaluation@crf", "gallery@crf"}
        assert set(stages) - set(found) == absent and set(found) <= set(stages)
        assert "data/nothing" in found["pseudo_labels"].deps


@pytest.mark.parametrize("preset", ["class-distribution", "vit-attention"])
def test_affinities_without_a_training_need_no_labels(
    tmp_path: Path, stages: dict[str, Stage], preset: str
) -> None:
    """They are of the classifier, which no mask is above; the walk reads them as it reads AffinityNet's."""
    found = resolve(tmp_path / "repo", {}, preset=preset)
    absent = {"affinity_labels@seeds", "affinity@affinity_labels", "evaluation@crf", "gallery@crf"}
    assert set(stages) - set(found) == absent and set(found) - set(stages) == {"affinity@classifier"}
    own = found["affinity@classifier"]
    assert set(own.deps) == {CHECK, "data/code/affinity", "data/dataset", "data/classifier"}
    assert [out.path for out in own.outs] == ["data/affinity"]
    assert "data/affinity" in found["pseudo_labels"].deps
    assert {found[name].step for name in tainted(found)} <= set(READS_MASKS)


def test_saliency_is_there_where_it_is_read(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """The maps come between seeds and labels, and no mask is near them."""
    found = resolve(tmp_path / "repo", {}, preset="demo-c2am-h")
    new = {"saliency@c2am_h", "evaluation@saliency", "gallery@saliency"}
    assert set(found) - set(stages) == new and set(stages) <= set(found)
    own = found["saliency@c2am_h"]
    assert {"data/seeds", "data/classifier"} <= set(own.deps) and own.cmd.endswith("saliency c2am_h")
    assert "data/saliency" in found["affinity_labels@seeds"].deps
    assert "data/nothing" in stages["affinity_labels@seeds"].deps
    assert {found[name].step for name in tainted(found)} <= set(READS_MASKS)


def test_cues_stand_between_seeds_and_labels(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """Without them both read the seeds; no mask is near them."""
    changes = {"cues.of": ["seeds"], "cues.saliency": "saliency", "saliency.of": ["c2am"]}
    read = {"affinity_labels.of": ["cues"], "pseudo_labels.maps": "cues"}
    found = resolve(tmp_path / "repo", {}, also=changes | read)
    assert {"data/seeds", "data/saliency"} <= set(found["cues@seeds"].deps)
    for name in ("affinity_labels@cues", "pseudo_labels"):
        assert "data/cues" in found[name].deps and "data/seeds" not in found[name].deps
    assert "data/seeds" in stages["pseudo_labels"].deps and "cues@seeds" not in stages
    assert {found[name].step for name in tainted(found)} <= set(READS_MASKS)


def test_the_confident_labels_read_what_people_drew(tmp_path: Path) -> None:
    """No mask is above it: of the data set's outputs it reads the pictures and the annotations."""
    drawn = {"affinity_labels.hints": "annotations", "dataset.annotations": "boxes"}
    found = resolve(tmp_path / "repo", {"affinity_labels": "confident"}, also=drawn)
    own = found["affinity_labels@seeds"]
    made = {out.path for out in found["dataset"].outs}
    assert made & set(own.deps) == {"data/dataset", "data/annotations"} and own.method == "confident"
    assert {found[name].step for name in tainted(found)} <= set(READS_MASKS)


@pytest.mark.parametrize("preset", ["rrm", "rrm-two-step"])
def test_the_one_step_network_stands_beside_the_chain(
    tmp_path: Path, stages: dict[str, Stage], preset: str
) -> None:
    """It reads pictures and their classes; in two steps the segmenter learns from its masks of train."""
    found = resolve(tmp_path / "repo", {}, preset=preset)
    rungs = {
        f"{step}@{rung}" for step in ("evaluation", "gallery") for rung in ("one_step_train", "one_step")
    }
    assert set(found) - set(stages) == {"one_step@rrm", *rungs} and set(stages) <= set(found)
    own = found["one_step@rrm"]
    assert set(own.deps) == {CHECK, "data/code/one_step", "data/dataset"}
    assert [(out.path, out.cached) for out in own.outs] == [("data/one_step", True)]
    assert "data/one_step/train" in found["evaluation@one_step_train"].deps
    assert "data/one_step/val" in found["evaluation@one_step"].deps
    readers = {one.step for one in found.values() if any(overlap(dep, "data/one_step") for dep in one.deps)}
    assert readers == {"evaluation", "gallery"} | ({"segmenter"} if preset == "rrm-two-step" else set())
    assert {found[name].step for name in tainted(found)} <= set(READS_MASKS)
    run = needed(own)
    assert {"stages/common/reliable.py", "stages/common/dense_energy.py"} <= run
    assert not [path for path in run if path.startswith("stages/segmenter/")]
    assert set(own.meta) == set(stages["segmenter"].meta)


@pytest.mark.parametrize("preset", ["scribbles-direct", "points-direct"])
def test_what_people_drew_is_read_where_it_is_learnt_from(
    tmp_path: Path, stages: dict[str, Stage], preset: str
) -> None:
    """It comes from the data set beside the masks, of which none is above what learns from it."""
    found = resolve(tmp_path / "repo", {}, preset=preset)
    assert set(found) == set(stages)
    outs = [out.path for out in found["dataset"].outs]
    assert outs == ["data/dataset", "data/masks", "data/annotations"]
    for every, wanted in ((stages, set()), (found, {"segmenter"})):
        readers = {one.step for one in every.values() if any(overlap(dep, outs[2]) for dep in one.deps)}
        assert readers == wanted
    assert "data/pseudo_labels" not in found["segmenter"].deps
    assert {found[name].step for name in tainted(found)} <= set(READS_MASKS)
    needs = needed(found["segmenter"])
    assert not [path for path in needs if path.startswith("stages/dataset/")]


@pytest.mark.parametrize("preset", ["a2gnn", "boxes", "scribbles", "points"])
def test_no_mask_is_above_what_learns_from_graph_networks(tmp_path: Path, preset: str) -> None:
    found = resolve(tmp_path / "repo", {}, preset=preset)
    assert "data/graph" in found["segmenter"].deps and "data/annotations" in found["graph@a2gnn"].deps
    assert {"evaluation@nodes", "evaluation@graph"} <= tainted(found)
    assert {found[name].step for name in tainted(found)} <= set(READS_MASKS)


def test_the_graph_networks_stand_beside_the_pseudo_labels(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """They read affinities and what these came from; the segmenter may learn from their masks."""
    rungs = read_yaml(ROOT / "params.yaml")["evaluation"]["rungs"] | {"graph": "graph"}
    also = {"graph.of": ["a2gnn"], "segmenter.labels": "graph", "evaluation.rungs": rungs}
    found = resolve(tmp_path / "repo", {}, also=also)
    assert set(found) - set(stages) == {"graph@a2gnn", "evaluation@graph", "gallery@graph"}
    own = found["graph@a2gnn"]
    read = {"dataset", "annotations", "seeds", "affinity_labels", "affinity"}
    assert set(own.deps) == {CHECK, "data/code/graph", *(f"data/{name}" for name in read)}
    assert [(out.path, out.cached) for out in own.outs] == [("data/graph", True)]
    readers = {one.step for one in found.values() if any(overlap(dep, "data/graph") for dep in one.deps)}
    assert readers == {"evaluation", "gallery", "segmenter"}
    assert {found[name].step for name in tainted(found)} <= set(READS_MASKS)
    run = needed(own)
    assert {"stages/common/annotations.py", "stages/affinity/network.py", "stages/common/crf.py"} <= run
    assert not [path for path in run if path.startswith(("stages/segmenter/", "stages/common/training/loop"))]
    assert set(own.meta) == {"gpu", "timeout", "retries"}


def test_real_pictures_generate_nothing(tmp_path: Path, stages: dict[str, Stage]) -> None:
    found = resolve(tmp_path / "repo", {}, preset="voc2012-mini")
    assert set(stages) - set(found) == {"generate@synthetic"}
    assert "data/raw/voc2012-mini" in found["dataset"].deps


def test_nothing_is_computed_that_nothing_reads(stages: dict[str, Stage], tmp_path: Path) -> None:
    """What no other stage reads is a report."""
    everything = EVERYTHING | {"ceiling.of": {}}
    crf_only = resolve(tmp_path / "crf-only", {}, preset="crf-only")
    for found in (stages, crf_only, resolve(tmp_path / "repo", {}, also=everything)):
        for stage in found.values():
            read = any(
                overlap(dep, out.path) for other in found.values() for dep in other.deps for out in stage.outs
            )
            assert read or all(out.path.startswith("reports/") for out in stage.outs), stage.name


def overlap(one: str, other: str) -> bool:
    a, b = PurePosixPath(one), PurePosixPath(other)
    return a == b or a in b.parents or b in a.parents


@pytest.mark.parametrize("also", [{}, EVERYTHING, GIVEN], ids=["shipped", "everything", "given"])
def test_no_training_sees_a_pixel_label(tmp_path: Path, also: dict[str, Any]) -> None:
    """Everything that descends from data/masks is evaluation, report, or outside the recipe."""
    found = resolve(tmp_path / "repo", {}, also=also)
    seen = tainted(found)
    assert seen, "nothing reads data/masks: then nothing is evaluated"
    outside = {"ceiling", *FEW_SHOT} if also else set()
    assert {found[name].step for name in seen} == {*READS_MASKS, *outside}


def test_a_few_shot_training_reads_masks_through_base_alone(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """Where its fold's classes are background; the recipe reads nothing of it, nor it of the recipe."""
    found = resolve(tmp_path / "repo", {}, also={"few_shot.folds": [0, 2]})
    added = {f"{step}@{fold}" for step in FEW_SHOT for fold in (0, 2)}
    assert set(found) - set(stages) == added and {name: found[name] for name in stages} == stages
    for fold in (0, 2):
        masks, own, episodes = (found[f"{step}@{fold}"] for step in FEW_SHOT)
        base, novel = f"data/fold_masks/{fold}/base", f"data/fold_masks/{fold}/novel"
        assert [out.path for out in masks.outs] == [base, novel]
        assert set(own.deps) == {CHECK, "data/code/few_shot", "data/dataset", base}
        read = {"data/dataset", "data/masks", f"data/few_shot/{fold}", novel}
        assert set(episodes.deps) == {CHECK, "data/code/episodes", *read}
        assert not [out.path for out in episodes.outs if not out.path.startswith("reports/few_shot/")]
        assert not [
            path for path in needed(own) if path.startswith(("stages/classifier/", "stages/episodes/"))
        ]
    outs = [out.path for name in added for out in found[name].outs]
    for name, stage in found.items():
        reads = [dep for dep in stage.deps if any(overlap(dep, out) for out in outs)]
        assert name in added or not reads, name


def test_the_ceiling_is_outside_the_recipe(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """Asked for, it adds stages that nothing depends on, and changes no other; oracles alone read labels."""
    of = EVERYTHING["ceiling.of"]
    asked = resolve(tmp_path / "repo", {}, also={"ceiling.of": of})
    added = {name.removeprefix("ceiling@"): asked.pop(name) for name in set(asked) - set(stages)}
    assert added.keys() == of.keys() and asked == stages
    for name, stage in added.items():
        outs = [out.path for out in stage.outs]
        others = [*asked.values(), *added.values()]
        assert not any(overlap(dep, out) for other in others for dep in other.deps for out in outs)
        own = set(stage.deps) - {CHECK, "data/code/ceiling", "data/dataset", "data/masks"}
        assert own == {"data/nothing" if name == "segmenter" else "data/pseudo_labels"}
        assert outs[0] == f"data/ceiling/{name}" and all(f"/ceiling/{name}" in out for out in outs)


def test_the_explanation_is_a_leaf_that_sees_no_pixel_label(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """Asked for, it adds one stage that changes no other; it does not descend from the masks."""
    asked = resolve(tmp_path / "repo", {}, also={"explanation.of": ["seeds"]})
    assert set(asked) - set(stages) == {"explanation@seeds"} and "explanation@seeds" not in tainted(asked)
    explanation = asked.pop("explanation@seeds")
    assert asked == stages
    assert {"data/seeds", "data/classifier", "data/dataset"} <= set(explanation.deps)
    assert [(out.path, out.cached) for out in explanation.outs] == [
        ("reports/explanation/per_class.csv", True), ("reports/explanation/metrics.json", False)
    ]  # fmt: skip
    assert {"gpu", "timeout"} <= set(explanation.meta) <= set(META)
    assert "stages/common/device.py" in needed(explanation)


def test_the_diagnosis_is_a_leaf_that_sees_no_pixel_label(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """It reads pictures, their classes and the classifier, and runs the methods that are named."""
    also = {"diagnosis.of": ["classifier"], "diagnosis.methods": ["random", "grad_cam"]}
    asked = resolve(tmp_path / "repo", {}, also=also)
    assert set(asked) - set(stages) == {"diagnosis@classifier"}
    assert "diagnosis@classifier" not in tainted(asked)
    diagnosis = asked.pop("diagnosis@classifier")
    assert asked == stages
    assert {"data/classifier", "data/dataset"} <= set(diagnosis.deps)
    assert [(out.path, out.cached) for out in diagnosis.outs] == [
        ("reports/diagnosis/bias.csv", True), ("reports/diagnosis/removal.csv", True),
        ("reports/diagnosis/metrics.json", False),
    ]  # fmt: skip
    assert {"gpu", "timeout"} <= set(diagnosis.meta) <= set(META)
    assert "stages/common/device.py" in needed(diagnosis)


def test_the_ordinary_classifier_is_there_where_a_strategy_reads_it(
    tmp_path: Path, stages: dict[str, Stage]
) -> None:
    also = {"ordinary_classifier.of": ["dataset"], "classifier.ordinary": "ordinary_classifier"}
    asked = resolve(tmp_path / "repo", {"classifier": "p_oc"}, also=also)
    assert set(asked) - set(stages) == {"ordinary_classifier@dataset"} and set(stages) <= set(asked)
    assert "data/ordinary_classifier" in asked["classifier"].deps
    assert "data/nothing" in stages["classifier"].deps


def tainted(stages: dict[str, Stage]) -> set[str]:
    """The stages that descend from data/masks."""
    paths, seen = {"data/masks"}, set[str]()
    while True:
        new = {
            stage.name
            for stage in stages.values()
            if any(overlap(dep, path) for dep in stage.deps for path in paths)
        }
        if new == seen:
            return seen
        seen = new
        paths |= {out.path for name in seen for out in stages[name].outs}


def test_every_stage_has_a_dep_an_out_and_waits_for_the_check(stages: dict[str, Stage]) -> None:
    for stage in stages.values():
        assert stage.deps, stage.name
        assert stage.outs, stage.name
        assert stage.step in ("code", "parameters") or CHECK in stage.deps, f"{stage.name}: no {CHECK}"
    assert "params.yaml" in stages["parameters"].deps
    assert len(stages) < 100


def test_nothing_persists_or_always_runs(stages: dict[str, Stage]) -> None:
    for stage in stages.values():
        assert not stage.always_changed, stage.name
        assert not [out.path for out in stage.outs if out.persists], stage.name


def test_only_small_files_of_the_reports_are_in_git(stages: dict[str, Stage]) -> None:
    """An out that is not cached cannot be restored elsewhere: its stage would run again there."""
    for stage in stages.values():
        plain = [out.path for out in stage.outs if not out.cached]
        assert not plain or stage.step in READS_MASKS, f"{stage.name}: {plain}"
        for path in plain:
            assert path.startswith("reports/")
            assert PurePosixPath(path).suffix in (".json", ".csv", ".md"), path


def test_git_keeps_what_the_cache_does_not_and_no_more_of_the_reports(tmp_path: Path) -> None:
    """Also of steps that the recipe does without: what both leave out is lost with the workspace."""
    outs = [out for one in resolve(tmp_path / "repo", {}, also=EVERYTHING).values() for out in one.outs]
    small = {out.path: out.cached for out in outs if out.path.startswith("reports/")}
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    told = subprocess.run(["git", "check-ignore", *small], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert set(told.stdout.split()) == {path for path, cached in small.items() if cached}


def test_a_command_names_the_step_and_no_machine(stages: dict[str, Stage]) -> None:
    for stage in stages.values():
        pattern = rf"python -m stages\.{stage.step}( [a-z_/]+)*"
        assert re.fullmatch(pattern, stage.cmd), f"{stage.name}: {stage.cmd}"
        assert not re.search(r"cuda|gpu|\bcpu\b|device", stage.cmd), f"{stage.name}: {stage.cmd}"
        for path in (*stage.deps, *(out.path for out in stage.outs)):
            assert not PurePosixPath(path).is_absolute(), f"{stage.name}: {path}"
            assert ".." not in PurePosixPath(path).parts, f"{stage.name}: {path}"


META = {  # of a stage, in dvc.yaml: how to run it
    "gpu": lambda value: type(value) is int and value > 0,
    "distributed": lambda value: value is True,
    "timeout": lambda value: isinstance(value, str) and re.fullmatch(r"[1-9]\d*[smhd]", value),
    "retries": lambda value: type(value) is int and value > 0,
    "constant": lambda value: value is True,
    "stamps": lambda value: value is True,
}
SHORT = ("code", "parameters", "report")


def test_meta_has_known_keys_and_values(stages: dict[str, Stage]) -> None:
    for stage in stages.values():
        for key, value in stage.meta.items():
            assert key in META, f"{stage.name}: unknown meta key {key}; known: {', '.join(META)}"
            assert META[key](value), f"{stage.name}: meta.{key} cannot be {value!r}"
        if "distributed" in stage.meta:
            assert "gpu" in stage.meta, f"{stage.name}: distributed over what?"
            loop = "stages/common/training/loop.py"
            assert loop in needed(stage), f"{stage.name}: only trainings have ranks"
        assert ("gpu" in stage.meta) == ("stages/common/device.py" in needed(stage)), stage.name


def test_long_stages_have_a_timeout(stages: dict[str, Stage]) -> None:
    assert {stage.step for stage in stages.values() if "timeout" not in stage.meta} == set(SHORT)


def test_a_constant_stage_is_a_check(stages: dict[str, Stage]) -> None:
    """Its bytes depend on nothing: of `parameters`, tests/parameters/test_main.py shows it."""
    constant = [stage for stage in stages.values() if "constant" in stage.meta]
    assert [stage.cmd for stage in constant] == ["python -m stages.parameters"]
    assert [out.path for out in constant[0].outs] == [CHECK]


def test_outs_do_not_overlap(stages: dict[str, Stage]) -> None:
    paths = [out.path for stage in stages.values() for out in stage.outs]
    clashes = [(a, b) for n, a in enumerate(paths) for b in paths[:n] if overlap(a, b)]
    assert not clashes


def test_one_name_per_step() -> None:
    """A step's stage, folder, section of params.yaml and output have one name."""
    steps = set(read_yaml(ROOT / "dvc.yaml")["stages"])
    folders = {file.parent.name for file in (ROOT / "stages").glob("*/__main__.py")}
    assert steps == folders
    assert set(read_yaml(ROOT / "params.yaml")) <= steps


def test_declared_parameters_exist(stages: dict[str, Stage]) -> None:
    """DVC takes a key that is not there for an empty one."""
    from stages.common import params

    values = params.read_yaml(ROOT / "params.yaml")
    also = {"gallery": {"evaluation"}}  # what a step reads of another's section
    for stage in {stage.step for stage in stages.values()} - {"code", "parameters", "report"}:
        keys = [params.fill(key, values) for key in _declared(stage)]
        assert {key.split(".")[0] for key in keys} == {stage} | also.get(stage, set())
        for key in keys:
            params.value_of(values, key)


def _declared(stage: str) -> list[str]:
    from stages.common.params import read_yaml

    entry = read_yaml(ROOT / "dvc.yaml")["stages"][stage]
    return list(entry.get("do", entry).get("params", []))
