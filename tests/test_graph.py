"""The rules that dvc.yaml keeps: what a stage depends on, what sees a pixel label, what is cached."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import pytest

from stages.common.fingerprint import ROOT, closure, is_schema
from stages.parameters.params import Parameters

STAMP = "data/parameters.ok"
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


def resolve(folder: Path, methods: dict[str, str], ceiling: bool = False) -> dict[str, Stage]:
    """The stages of the project with these methods chosen; `folder` gets a copy of the two files."""
    from dvc.repo import Repo
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe")
    values = yaml.load(ROOT / "params.yaml")
    for step, method in methods.items():
        values[step]["method"] = method
    values["ceiling"]["of"] = ["segmenter"] if ceiling else []
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    yaml.dump(values, folder / "params.yaml")
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


@pytest.mark.parametrize("methods", CHOICES, ids=lambda chosen: "-".join(chosen.values()) or "shipped")
def test_code_deps_are_the_import_closure(tmp_path: Path, methods: dict[str, str]) -> None:
    """A file that a stage runs and does not name: stale results. One too many: results thrown away."""
    found = resolve(tmp_path / "repo", methods, ceiling=True)
    lists = [text for stage in found.values() if (text := differences(stage))]
    assert not lists, "dvc.yaml, code deps that differ from what is imported:\n" + "\n".join(lists)


def differences(stage: Stage) -> str:
    """What the stage's code deps lack or have too many, and the list to paste; empty if right."""
    right, named = needed(stage), code(stage.deps)
    missing, extra = right - named, named - allowed(stage)
    if not missing and not extra:
        return ""
    own = f"stages/{stage.step}/{stage.method}.py"
    template = f'"stages/{stage.step}/${{{stage.step}.method}}.py"'
    paste = [template if file == own else file for file in sorted(right)]
    lines = [f"{stage.name}:"]
    lines += [f"  missing: {file}" for file in sorted(missing)]
    lines += [f"  extra:   {file}" for file in sorted(extra)]
    return "\n".join([*lines, "  all of them, to paste:", *(f"      - {file}" for file in paste)])


def needed(stage: Stage) -> set[str]:
    """The files that the stage runs with its method and that can change its result.

    Left out: files without a statement (a package's docstring), and the schemas of parameters,
    which hold types, choices and ranges, so that adding a method reruns nothing. For the stage
    `parameters` the schemas are what it computes with.
    """
    return {file for file in imported(stage, stage.method) if _has_code(ROOT / file)}


def allowed(stage: Stage) -> set[str]:
    """What any of the step's methods runs, for one list serves all, but no other method's own file."""
    methods = methods_of_steps().get(stage.step, ())
    others = {f"stages/{stage.step}/{method}.py" for method in methods}
    shared = set[str]().union(*(imported(stage, method) for method in methods)) - others
    return shared | imported(stage, stage.method)


def imported(stage: Stage, method: str | None) -> set[str]:
    modules = [f"stages.{stage.step}.__main__", *([f"stages.{stage.step}.{method}"] if method else [])]
    files = {ROOT / "stages" / stage.step / "__main__.py", *closure(*modules)}
    keep = [file for file in files if stage.step == "parameters" or not is_schema(file)]
    return {str(file.relative_to(ROOT)) for file in keep}


def code(deps: tuple[str, ...]) -> set[str]:
    """The code files among the deps, folders opened."""
    files: set[str] = set()
    for dep in deps:
        if dep.split("/")[0] in ("stages", "pipeline", "tests", "benchmarks"):
            place = ROOT / dep
            found = place.rglob("*.py") if place.is_dir() else [place]
            files |= {str(file.relative_to(ROOT)) for file in found}
    return files


def _has_code(file: Path) -> bool:
    if not file.exists():
        return True
    body = ast.parse(file.read_text()).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def test_every_method_has_its_file() -> None:
    for step, methods in methods_of_steps().items():
        assert methods
        for method in methods:
            assert (ROOT / "stages" / step / f"{method}.py").is_file(), f"{step}: {method}"


def overlap(one: str, other: str) -> bool:
    a, b = PurePosixPath(one), PurePosixPath(other)
    return a == b or a in b.parents or b in a.parents


def test_no_training_sees_a_pixel_label(stages: dict[str, Stage]) -> None:
    """Everything that descends from data/masks is evaluation or report."""
    seen = tainted(stages)
    assert seen, "nothing reads data/masks: then nothing is evaluated"
    assert {stages[name].step for name in seen} <= set(READS_MASKS)


def test_the_ceiling_is_outside_the_recipe(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """Asked for, it adds one stage that nothing depends on, and changes no other."""
    asked = resolve(tmp_path / "repo", {}, ceiling=True)
    assert set(asked) - set(stages) == {"ceiling@segmenter"}
    ceiling = asked.pop("ceiling@segmenter")
    assert asked == stages
    outs = [out.path for out in ceiling.outs]
    assert not any(overlap(dep, out) for stage in asked.values() for dep in stage.deps for out in outs)


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
        assert stage.step == "parameters" or STAMP in stage.deps, f"{stage.name} must depend on {STAMP}"
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


def test_a_command_names_the_step_and_no_machine(stages: dict[str, Stage]) -> None:
    for stage in stages.values():
        pattern = rf"python -m stages\.{stage.step}( [a-z_]+)*"
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
}
SHORT = ("parameters", "report")


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
    assert [out.path for out in constant[0].outs] == [STAMP]


def test_outs_do_not_overlap(stages: dict[str, Stage]) -> None:
    paths = [out.path for stage in stages.values() for out in stage.outs]
    clashes = [(a, b) for n, a in enumerate(paths) for b in paths[:n] if overlap(a, b)]
    assert not clashes


def test_one_name_per_step(tmp_path: Path) -> None:
    """A step's stage, folder, section of params.yaml and output have one name."""
    from stages.common.params import read_yaml

    steps = {stage.step for stage in resolve(tmp_path / "repo", {}, ceiling=True).values()}
    folders = {file.parent.name for file in (ROOT / "stages").glob("*/__main__.py")}
    assert steps == folders
    assert set(read_yaml(ROOT / "params.yaml")) <= steps


def test_declared_parameters_exist(stages: dict[str, Stage]) -> None:
    """DVC takes a key that is not there for an empty one."""
    from stages.common import params

    values = params.read_yaml(ROOT / "params.yaml")
    also = {"gallery": {"evaluation"}}  # what a step reads of another's section
    for stage in {stage.step for stage in stages.values()} - {"parameters", "report"}:
        keys = [params.fill(key, values) for key in _declared(stage)]
        assert {key.split(".")[0] for key in keys} == {stage} | also.get(stage, set())
        for key in keys:
            params.value_of(values, key)


def _declared(stage: str) -> list[str]:
    from stages.common.params import read_yaml

    entry = read_yaml(ROOT / "dvc.yaml")["stages"][stage]
    return list(entry.get("do", entry).get("params", []))
