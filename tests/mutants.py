"""Break every formula once and see a test fail: `python tests/mutants.py [part of a module's path ...]`.

One mutant has one change in one function: another sign, factor, comparison or axis, or a call left out. A
mutant that passes the tests of its module survives: it is printed, and the exit status is 1 if fewer than
95 % are caught. No file is changed. mutmut and cosmic-ray start pytest anew for each mutant, which imports
torch for seconds; here every mutant is a fork of one process that has imported the libraries.

Tests that start processes of their own do not see a mutant, so none of those is listed. Not mutated: texts,
annotations, decorators, `raise`, messages; and, because no result depends on them, the `strict` of a zip and
the order of the axes that a sum or the like is over, of errors that are caught, of what `in` looks through.
Other equivalent mutants count as survivors.
"""

import ast
import gc
import importlib
import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
STEPS = (
    *("seeds", "explanation", "diagnosis", "diagnosis/methods", "saliency", "cues", "affinity"),
    *("affinity_labels", "pseudo_labels", "pseudo_labels/merges", "evaluation", "graph"),
    *("fold_masks", "few_shot", "episodes"),
)
COMMON = (
    *("stages/common/crf.py", "stages/common/edges.py", "stages/common/labels.py", "stages/common/pairs.py"),
    *(f"stages/common/{name}.py" for name in ("bilateral", "permutohedral", "dense_energy")),
    *(f"stages/common/training/{name}.py" for name in ("augment", "rand_augment", "samples")),
    "stages/classifier/head.py",
    *("stages/common/reliable.py", "stages/common/networks/plain_vit.py"),
    *("stages/common/annotations.py", "stages/generate/strokes.py", "stages/generate/kinds.py"),
    "stages/generate/limbs.py",
    *("stages/dataset/annotate.py", "stages/dataset/marks.py"),
    *(f"stages/one_step/{name}.py" for name in ("attention", "losses", "maps", "network")),
)
STRATEGIES = ("loss", "tiles", "erasing", "puzzle", "oc_cse", "p_oc", "p_noc", "eader", "samples")
NETWORKS = ("fcn", "segnet", "resunet", "deeplabv1", "deeplabv2", "parsenet", "pspnet")
LOSSES = (
    *("cells", "class_balance", "edges", "headed", "structure"),
    *(f"terms/{name}" for name in ("semeda", "sobel", "dense_energy", "gated_crf", "dfr")),
    *(f"losses/{name}" for name in ("cross_entropy", "focal", "edge_weighted", "dice", "lovasz")),
)
DRAWING = "stages/common/drawing"
IMPURE = ("__init__.py", "__main__.py", "params.py", "trained.py")
PURE_PARTS = {  # of doors: these functions alone
    "stages/seeds/__main__.py": ("padded",),
    "stages/common/training/samples.py": ("view", "placed", "sample"),
    "stages/segmenter/edge_network.py": ("forward", "look", "sample", "loss", "still", "training"),
}
LOOKS = "tests/classifier/test_looks.py"
METHODS, PLAIN = "tests/seeds/test_methods.py", "tests/pseudo_labels/test_crf_and_threshold.py"
REGIONS = "tests/pseudo_labels/merges/test_regions.py"
RANKING = "tests/diagnosis/test_methods.py"
RANKINGS = ("vgatt_raw", "vgatt_normalised", "grad_cam", "occlusion", "random")
EVERY_LOSS = "tests/segmenter/losses/test_every_loss.py"
MINMAX = "tests/seeds/test_minmax.py tests/seeds/test_closed_forms.py"
ELSEWHERE = {  # tests that do not bear the module's name, beside the one that does; a blank between two
    "stages/seeds/__main__.py": "tests/seeds/test_multi_scale.py",
    **{f"stages/seeds/{name}.py": METHODS for name in ("cam", "grad_cam")},
    "stages/seeds/layers.py": f"{METHODS} tests/seeds/test_minmax.py tests/seeds/test_score_cam.py",
    "stages/seeds/vgatt.py": f"{METHODS} tests/seeds/test_cuts.py",
    **{f"stages/seeds/{name}.py": "tests/seeds/test_cuts.py" for name in ("bias", "cuts")},
    "stages/classifier/erasing.py": "tests/classifier/test_p_oc.py",
    "stages/classifier/oc_cse.py": f"{LOOKS} tests/classifier/test_erasing.py",
    "stages/classifier/p_noc.py": f"{LOOKS} tests/classifier/test_p_oc.py",
    **{f"stages/classifier/{name}.py": LOOKS for name in ("eader", "p_oc", "puzzle")},
    "stages/classifier/samples.py": "tests/classifier/test_strategies.py",
    "stages/common/bilateral.py": "tests/common/test_permutohedral.py",
    **{f"stages/dataset/{name}.py": "tests/dataset/test_annotations.py" for name in ("annotate", "marks")},
    "stages/seeds/grid.py": "tests/seeds/test_offsets.py",
    **{
        f"stages/segmenter/networks/deeplabv{n}.py": "tests/segmenter/networks/test_deeplabs.py"
        for n in (1, 2)
    },
    "stages/one_step/maps.py": "tests/one_step/test_rrm.py",
    "stages/seeds/grad_cam_pp.py": "tests/seeds/test_closed_forms.py",
    "stages/seeds/full_grad.py": "tests/seeds/test_affine.py",
    "stages/seeds/contrast.py": MINMAX,
    **{f"stages/seeds/{name}.py": MINMAX for name in ("minmax_cam", "minmax_grad_cam", "d_minmax_grad_cam")},
    "stages/seeds/smooth_grad.py": "tests/seeds/test_gradient.py",
    **{f"stages/saliency/{name}.py": "tests/saliency/test_contrast.py" for name in ("c2am", "c2am_h")},
    **{f"stages/diagnosis/methods/{name}.py": RANKING for name in RANKINGS},
    "stages/diagnosis/case.py": f"{RANKING} tests/diagnosis/test_main.py",
    "stages/diagnosis/check.py": "tests/diagnosis/test_main.py",
    "stages/diagnosis/agreement.py": "tests/diagnosis/test_removal.py",
    "stages/diagnosis/tables.py": "tests/diagnosis/test_bias.py tests/diagnosis/test_main.py",
    **{
        f"stages/segmenter/losses/{name}.py": f"{EVERY_LOSS} tests/segmenter/losses/test_{name}.py"
        for name in ("cross_entropy", "focal", "edge_weighted", "dice", "lovasz")
    },
    "stages/fold_masks/classes.py": "tests/fold_masks/test_folds.py",
    **{f"stages/few_shot/{name}.py": "tests/few_shot/test_network.py" for name in ("losses", "pyramid")},
    "stages/few_shot/fitted.py": "tests/few_shot/test_samples.py",
    **{
        f"stages/{name}.py": "tests/episodes/test_main.py" for name in ("few_shot/segment", "episodes/tables")
    },
    "stages/segmenter/cells.py": "tests/segmenter/terms/test_gated_crf.py",
    "stages/evaluation/count.py": "tests/evaluation/test_main.py",
    "stages/evaluation/metrics.py": "tests/evaluation/test_pictures.py",
    "stages/affinity/affinity_net.py": (
        "tests/affinity/test_loss.py tests/affinity/test_regularised.py tests/affinity/test_main.py"
    ),
    "stages/affinity/offsets.py": "tests/affinity/test_tokens.py tests/affinity/test_attention.py",
    "stages/affinity/fitted.py": "tests/affinity/test_attention.py",
    "stages/affinity/network.py": "tests/affinity/test_loss.py",
    **{f"stages/pseudo_labels/{name}.py": PLAIN for name in ("crf", "seed_rule", "threshold")},
    "stages/pseudo_labels/region_file.py": REGIONS,
    **{f"stages/pseudo_labels/merges/{name}.py": REGIONS for name in ("felzenszwalb", "slic", "masks")},
    "stages/saliency/map_file.py": "tests/saliency/test_folder.py",
}
LIBRARIES = (
    "stages",  # first: it makes torchvision importable; the steps are not imported yet
    *("cv2", "matplotlib.font_manager", "matplotlib.ft2font", "numpy", "PIL.ImageDraw", "PIL.ImageFont"),
    *("pydantic", "pydensecrf.densecrf", "pydensecrf.utils", "pytest", "ruamel.yaml", "scipy.sparse"),
    *("skimage", "torch", "torchmetrics.functional.classification", "lightning"),
    *("segmentation_models_pytorch", "pytorch_grad_cam"),
)
ENOUGH, WORKERS, MEMORY = 0.95, 2, 16 << 30  # share caught; processes at once; bytes that one may take

OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mult), ast.Mod: (ast.Mult,), ast.Pow: (ast.Mult,), ast.MatMult: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,), ast.And: (ast.Or,), ast.Or: (ast.And,),
    ast.Lt: (ast.LtE,), ast.LtE: (ast.Lt,), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
SWAPS = {
    "min": "max",
    "amin": "amax",
    "argmin": "argmax",
    "minimum": "maximum",
    "any": "all",
    "floor": "ceil",
}
SWAPS |= {b: a for a, b in SWAPS.items()}
DROPPED = (
    *("abs", "relu", "elu", "log", "exp", "clip", "clamp", "clamp_min", "clamp_max", "maximum", "minimum"),
    *("round", "rint", "ceil", "floor", "float", "astype", "copy", "clone", "detach", "flip", "flatten"),
    *("sorted", "reversed", "cumsum", "where"),
)
REDUCTIONS = ("mean", "sum", "max", "amax", "amin", "any", "all")  # the order of their axes changes nothing


class Mutant(NamedTuple):
    module: str  # its path from the root
    line: int
    column: int
    before: str
    after: str
    code: CodeType


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in a node's place."""
    match node:
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int()):
            yield from (ast.Constant(n) for n in {1: (0, 2)}.get(node.value, (node.value + 1,)))
        case ast.Constant(value=float()):
            yield ast.Constant(2 * node.value or 1.0)
        case ast.UnaryOp(operand=operand) if not isinstance(node.op, ast.UAdd):
            yield operand
        case ast.Tuple(elts=[a, b]) | ast.List(elts=[a, b]) if ast.dump(a) != ast.dump(b):
            if all(isinstance(e, (ast.Name, ast.Constant, ast.UnaryOp)) for e in (a, b)):
                yield type(node)([b, a], node.ctx)
        case ast.Call(func=ast.Attribute(value=value, attr=name) as called):
            if name in SWAPS:
                yield ast.Call(ast.Attribute(value, SWAPS[name], called.ctx), node.args, node.keywords)
            if name in DROPPED:
                library = isinstance(value, ast.Name) and value.id in ("np", "torch", "F", "math")
                yield node.args[-1 if name == "where" else 0] if library else value
        case ast.Call(func=ast.Name(id=name), args=[first, *_]):
            if name in SWAPS:
                yield ast.Call(ast.Name(SWAPS[name], ast.Load()), node.args, node.keywords)
            if name in DROPPED:
                yield first
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            if isinstance(test, (ast.Name, ast.Attribute, ast.Call, ast.NamedExpr)):
                new = {**dict(ast.iter_fields(node)), "test": ast.UnaryOp(ast.Not(), test)}
                yield type(node)(**new)
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Assign(targets=[ast.Subscript()]):
            yield ast.Pass()
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)):
        for new in OPERATORS.get(type(node.op), ()):
            yield type(node)(**{**dict(ast.iter_fields(node)), "op": new()})
    if isinstance(node, ast.Compare):
        for index, old in enumerate(node.ops):
            for new in OPERATORS.get(type(old), ()):
                ops = [*node.ops[:index], new(), *node.ops[index + 1 :]]
                yield ast.Compare(node.left, ops, node.comparators)


def places(node: ast.AST) -> Iterator[tuple[Any, Any, ast.AST]]:
    """Where a mutable node hangs, as (container, key, node), below `node`."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "msg"):
            continue
        for key, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            guard = isinstance(child, ast.keyword) and child.arg == "strict"
            if not isinstance(child, ast.AST) or isinstance(child, ast.Raise) or guard:
                continue
            if not (isinstance(child, ast.Tuple) and unordered(node)):
                yield (node, name, child) if key is None else (value, key, child)
            yield from places(child)


def unordered(node: ast.AST) -> bool:
    """Whether the order of a tuple that `node` has means nothing."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in REDUCTIONS
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            return True
    return isinstance(node, ast.ExceptHandler)


def mutants(module: str) -> Iterator[Mutant]:
    tree = ast.parse((ROOT / module).read_text())
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    inner = {id(n) for f in functions for n in ast.walk(f) if n is not f and isinstance(n, ast.FunctionDef)}
    wanted = PURE_PARTS.get(module)
    for function in functions:
        if id(function) in inner or (wanted and function.name not in wanted):
            continue
        for container, key, node in places(function):
            for new in changes(node):
                put(container, key, ast.copy_location(new, node))
                code = compile(ast.fix_missing_locations(tree), str(ROOT / module), "exec")
                after = ast.unparse(new)
                put(container, key, node)
                before = ast.unparse(node).split("\n")[0]
                yield Mutant(module, node.lineno, node.col_offset, before, after.split("\n")[0], code)


def put(container: Any, key: Any, node: ast.AST) -> None:
    if isinstance(container, list):
        container[key] = node
    else:
        setattr(container, key, node)


class Instead(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives the mutant's code where its module is imported."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant, self.name = mutant, mutant.module.removesuffix(".py").replace("/", ".")

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, ROOT / self.mutant.module, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return self.mutant.code

    def get_source(self, fullname: str) -> str:
        return (ROOT / self.mutant.module).read_text()


def fork(mutant: Mutant) -> int:
    """A process that runs the tests of a mutant's module and ends with pytest's exit status."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        os.setsid()  # a time limit ends what it started, too
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        sys.meta_path.insert(0, Instead(mutant))
        import pytest

        status = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests_of(mutant.module)]))
    finally:
        os._exit(status)


def tests_of(module: str) -> tuple[str, ...]:
    *folders, name = Path(module).parts[1:]
    mirror = str(Path("tests", *folders, "test_" + name))
    there = tuple(f for f in sorted({mirror, *ELSEWHERE.get(module, mirror).split()}) if (ROOT / f).is_file())
    if not there:
        raise SystemExit(f"{module} has no tests in {mirror}: write them, or name their file in ELSEWHERE")
    return there


def limit(module: str) -> float:
    """Seconds that a mutant may take, from what the module takes as it is; the run ends if a test fails."""
    start, text = time.monotonic(), (ROOT / module).read_text()
    unchanged = Mutant(module, 0, 0, "", "", compile(ast.parse(text), str(ROOT / module), "exec"))
    _, status = os.waitpid(fork(unchanged), 0)
    if status:
        raise SystemExit(f"{module} fails without any change: pytest {' '.join(tests_of(module))}")
    return 10 + 5 * (time.monotonic() - start)


def run(work: list[Mutant], limits: dict[str, float]) -> list[Mutant]:
    """Those that survive."""
    survivors, running, waiting = [], {}, work[::-1]
    while waiting or running:
        while waiting and len(running) < WORKERS:
            mutant = waiting.pop()
            running[fork(mutant)] = (mutant, time.monotonic())
        time.sleep(0.02)
        for pid, (mutant, start) in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended and time.monotonic() - start > limits[mutant.module]:
                os.killpg(pid, signal.SIGKILL)  # it hangs: caught
                ended, status = os.waitpid(pid, 0)
            if not ended:
                continue
            del running[pid]
            if status == 0:
                survivors.append(mutant)
                where = f"{mutant.module}:{mutant.line}:{mutant.column + 1}"
                print(f"{where}  {mutant.before}  ->  {mutant.after}", flush=True)
    return survivors


def main(chosen: list[str]) -> int:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    folders = [*(f"stages/{step}" for step in STEPS), DRAWING]
    files = [file for folder in folders for file in sorted(Path(folder).glob("*.py"))]
    modules = [*(str(file) for file in files if file.name not in IMPURE), *PURE_PARTS, *COMMON]
    modules += [f"stages/classifier/{name}.py" for name in STRATEGIES]
    modules.append("stages/segmenter/network_params.py")
    modules += [f"stages/segmenter/networks/{name}.py" for name in NETWORKS]
    modules += [f"stages/segmenter/{name}.py" for name in LOSSES]
    modules = [m for m in modules if not chosen or any(part in m for part in chosen)]
    warnings.simplefilter("ignore", SyntaxWarning)
    work = [mutant for module in modules for mutant in mutants(module)]
    modules = [module for module in modules if any(mutant.module == module for mutant in work)]
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()  # no collection of a fork copies these pages
    survivors = run(work, {module: limit(module) for module in modules})

    print(f"\n{'module':44} mutants caught   share")
    for module in [*modules, ""]:
        made, left = (sum(m.module == module or not module for m in some) for some in (work, survivors))
        if made:
            print(f"{module or 'all':44} {made:7} {made - left:6} {1 - left / made:7.1%}")
    return int(len(survivors) > (1 - ENOUGH) * len(work))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
