"""One picture through the recipe: what each step left of it, drawn, with its IoU.

A step that the picture takes no part in, or whose result is missing, says so in place of its pictures.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stages.affinity_labels.params import AffinityLabels
from stages.commands.show.case import Case, Step, Tile
from stages.commands.show.heat import boundaries, heat, heat_over
from stages.common.annotations import ROOT as ANNOTATIONS
from stages.common.annotations import load_annotations
from stages.common.artifacts import UNKNOWN, read_mask, read_npz
from stages.common.device import device
from stages.common.drawing import annotated, sheet
from stages.common.labels import alpha_scores, as_objects, threshold_labels, to_classes, upsample
from stages.common.params import load, read_yaml, value_of
from stages.cues.params import Cues
from stages.evaluation.names import OBJECTS
from stages.evaluation.params import Evaluation
from stages.evaluation.results import read_maps
from stages.evaluation.rungs import Rung
from stages.graph.params import Graph
from stages.predictions.labeller import Labeller
from stages.predictions.params import Predictions
from stages.pseudo_labels.params import PseudoLabels, RandomWalk
from stages.pseudo_labels.random_walk import constant_background, resize, transition, walk
from stages.seeds.params import Seeds
from stages.segmenter.trained import MODEL, read_config

AFFINITY, CONFIDENT = Path("data/affinity/maps"), Path("data/affinity_labels/affinity")
ONE_STEP = Path("data/one_step")
SEEDS, CUES = (Rung(Path(f"data/{step}"), True) for step in ("seeds", "cues"))
CRF = Rung(Path("data/affinity_labels/crf"), False)
SALIENCY = Rung(Path("data/saliency"), True, merged=True)
PSEUDO_LABELS, PREDICTIONS, GRAPH = (
    Rung(Path(f"data/{step}"), False) for step in ("pseudo_labels", "predictions", "graph")
)


def all_steps(case: Case) -> list[Step]:
    """Every step of the recipe, in order, the truth last; those absent for one reason as one."""
    values = read_yaml(Path("params.yaml"))
    beside = [one_step] * bool(value_of(values, "one_step.of"))
    drawn = [annotations] * (value_of(values, "dataset.annotations") != "none")
    steps = [*drawn, seeds, *_between(values), pseudo_labels, *beside, predictions, truth]
    found: list[Step] = []
    for step in (make(case) for make in steps):
        if found and step.absent and step.absent == found[-1].absent:
            step = replace(step, name=f"{found.pop().name}, {step.name}")
        found.append(step)
    return found


def _between(values: dict[str, Any]) -> Iterator[Callable[[Case], Step]]:
    """The steps between the seeds and the pseudo-labels that a recipe may do without."""
    if value_of(values, "saliency.of"):
        yield saliency
    if value_of(values, "cues.of"):
        yield cues
    if value_of(values, "affinity_labels.of"):
        yield from (crf, affinity_labels)
    if value_of(values, "affinity.of"):
        yield affinity
    if value_of(values, "graph.of"):
        yield graph
    if value_of(values, "pseudo_labels.method") == "random_walk":
        yield random_walk


def annotations(case: Case) -> Step:
    """What people drew on the picture, beside its labels."""
    file = ANNOTATIONS / "about.json"
    if why := case.missing(file, "dataset"):
        return Step("annotations", absent=why)
    found, identifier = load_annotations(case.classes), case.picture.id
    if found.kind == "boxes":
        number = len(boxes := found.boxes.get(identifier, []))
        drawing, about = annotated.with_boxes(case.rgb, boxes), f"{number} boxes"
    elif found.kind == "points":
        number = len(points := found.points.get(identifier, []))
        drawing, about = annotated.with_points(case.rgb, points), f"{number} points"
    elif found.kind == "scribbles":
        marks = found.marks(identifier)
        share = 100 * float((marks != UNKNOWN).mean())
        drawing, about = annotated.with_strokes(case.rgb, marks), f"scribbles on {share:.1f} % of the pixels"
    else:
        return Step("annotations", absent=f"{ANNOTATIONS} holds none: `wsss run dataset` makes them")
    return Step("annotations", about, [Tile(found.kind, drawing)])


def seeds(case: Case) -> Step:
    params = load("seeds", Seeds)
    return _maps(case, "seeds", SEEDS, f"{params.method}, layer {params.layer}")


def cues(case: Case) -> Step:
    params = load("cues", Cues)
    about = ["seeds", *["with saliency"] * (params.saliency == "saliency")]
    about += [f"means of regions ({params.regions})"] * (params.regions != "none")
    return _maps(case, "cues", CUES, ", ".join(about))


def _maps(case: Case, name: str, rung: Rung, about: str) -> Step:
    """The map of each class, and the labels at the evaluation's threshold."""
    file = rung.file(case.picture.id)
    if why := case.missing(file, name):
        return Step(name, absent=why)
    threshold = load("evaluation", Evaluation).threshold
    maps, present = read_maps(file, case.size, len(case.classes))
    tiles = [
        Tile(f"map of {case.classes[index]}", heat_over(case.rgb, one))
        for one, index in zip(maps, present, strict=True)
    ]
    labels = threshold_labels(maps, present, threshold)
    return case.step(name, about, labels, tiles, f"labels at threshold {threshold:g}")


def saliency(case: Case) -> Step:
    """Object and ground: scored, as their rung is, against the truth with all classes as one."""
    file = SALIENCY.file(case.picture.id)
    if why := case.missing(file, "saliency"):
        return Step("saliency", absent=why)
    truth, threshold = case.truth, load("evaluation", Evaluation).threshold
    case = replace(case, truth=None if truth is None else as_objects(truth), classes=OBJECTS)
    maps, present = read_maps(file, case.size, len(OBJECTS))
    tile = Tile(f"map of {OBJECTS[-1]}", heat_over(case.rgb, maps[0]))
    labels = threshold_labels(maps, present, threshold)
    return case.step("saliency", "object and ground", labels, [tile], f"labels at threshold {threshold:g}")


def crf(case: Case) -> Step:
    file = CRF.file(case.picture.id)
    if why := case.missing(file, "affinity_labels"):
        return Step("crf", absent=why)
    params = load("affinity_labels", AffinityLabels)
    about = f"{params.method}: dense CRF on the {', '.join(params.of or ['seeds'])}"
    return case.step("crf", about, read_mask(file))


def affinity_labels(case: Case) -> Step:
    """Confident labels; 255 is what AffinityNet does not learn from."""
    file = CONFIDENT / f"{case.picture.id}.png"
    if why := case.missing(file, "affinity_labels"):
        return Step("affinity_labels", absent=why)
    labels = read_mask(file)
    decided = labels != UNKNOWN
    about = f"{100 * (1 - decided.mean()):.1f} % unknown"
    if case.truth is not None and (scored := decided & (case.truth != UNKNOWN)).any():
        about += f", {100 * (labels == case.truth)[scored].mean():.1f} % of the rest right"
    return case.step("affinity_labels", about, labels, title="confident labels, unknown regions")


def affinity(case: Case) -> Step:
    file = AFFINITY / f"{case.picture.id}.npz"
    if why := case.missing(file, "affinity"):
        return Step("affinity", absent=why)
    arrays = read_npz(file)
    values, offsets = arrays["affinities"], arrays["offsets"]
    about = f"a grid of {values.shape[2]}x{values.shape[1]} cells, {2 * len(offsets)} neighbours each"
    tiles = [Tile("1 - mean affinity", heat(boundaries(values, offsets, 1), case.size))]
    params = load("pseudo_labels", PseudoLabels).random_walk
    if params is not None:
        field = boundaries(values, offsets, params.beta)
        field = (field - field.min()) / max(np.ptp(field), 1e-6)
        tiles.append(Tile(f"the same of affinity ^ {params.beta:g}, stretched", heat(field, case.size)))
    return Step("affinity", about, tiles)


def graph(case: Case) -> Step:
    """The mask of the picture's own graph network."""
    file = GRAPH.file(case.picture.id)
    if why := case.missing(file, "graph"):
        return Step("graph", absent=why)
    params = load("graph", Graph)
    cells = f"nodes of {params.pool} x {params.pool} cells"
    about = f"a network of this picture's own, {cells}, then a dense CRF"
    return case.step("graph", about, read_mask(file))


def random_walk(case: Case) -> Step:
    """The walk of the step `pseudo_labels` stopped at powers of two, before its CRF."""
    file = AFFINITY / f"{case.picture.id}.npz"
    params = load("pseudo_labels", PseudoLabels)
    if params.random_walk is None:
        return Step("random_walk", absent=f"pseudo_labels.method is {params.method}")
    maps = Path("data") / params.maps / f"{case.picture.id}.npz"
    if why := case.missing(file, "affinity") or case.missing(maps, params.maps):
        return Step("random_walk", absent=why)
    found = walked(read_npz(maps), read_npz(file), case.size, params.random_walk)
    tiles = [case.labelled(f"{steps} step{'s' * (steps > 1)}", labels) for steps, labels in found.items()]
    return Step(
        "random_walk", "labels before the CRF" if params.random_walk.crf else "", tiles, tiles[-1].iou
    )


def powers(steps: int) -> list[int]:
    """1, 2, 4, ... and `steps` itself."""
    return [*(2**k for k in range(steps.bit_length()) if 2**k < steps), steps]


def walked(
    seeds: dict[str, np.ndarray], affinity: dict[str, np.ndarray], size: tuple[int, int], params: RandomWalk
) -> dict[int, np.ndarray]:
    """Labels uint8 [H, W] by the number of steps that the maps have walked, as random_walk.labels does."""
    matrix = transition(affinity["affinities"], affinity["offsets"], params.beta)
    maps = np.maximum(resize(seeds["maps"], affinity["affinities"].shape[1:]), 0)
    maps = alpha_scores(maps, params.alpha) if params.background == "alpha" else maps
    found, done = {}, 0
    for steps in powers(params.steps):
        maps, done = walk(matrix, maps, steps - done), steps
        scores = upsample(maps, size)
        if params.background == "constant":
            scores = constant_background(scores, params.threshold)
        found[steps] = to_classes(scores.argmax(0), seeds["classes"])
    return found


def pseudo_labels(case: Case) -> Step:
    file = PSEUDO_LABELS.file(case.picture.id)
    if why := case.missing(file, "pseudo_labels"):
        return Step("pseudo_labels", absent=why)
    params = load("pseudo_labels", PseudoLabels)
    after = params.random_walk is not None and params.random_walk.crf
    about = params.method + (", then a dense CRF" if after else "")
    about += f", then the borders of regions ({params.merge})" * (params.merge != "none")
    return case.step("pseudo_labels", about, read_mask(file))


def one_step(case: Case) -> Step:
    """The mask of the network that is trained beside the other steps."""
    split = case.picture.split
    file = ONE_STEP / split / f"{case.picture.id}.png"
    if why := case.missing(file, "one_step", split):
        return Step("one_step", absent=why)
    about = "beside the other steps"
    return case.step(
        "one_step", about + "; it was trained on this picture" * (split == "train"), read_mask(file)
    )


def predictions(case: Case) -> Step:
    """The stored mask of a val picture, else what the trained segmenter says now; and its entropy."""
    try:
        config = read_config(MODEL)
    except ValueError as error:
        return Step("predictions", absent=str(error))
    params = load("predictions", Predictions).model_copy(update={"entropy": True})
    answer = Labeller(MODEL, params, str(device())).answers([case.rgb])[0]
    assert answer.entropy is not None
    file = PREDICTIONS.file(case.picture.id)
    stored = not case.missing(file, "predictions", "val")
    labels = read_mask(file) if stored else answer.labels
    about = f"{config['network']} on {config['encoder']['name']}"
    if case.picture.split == "train":
        about += "; it was trained on this picture"
    elif not stored:
        about += f"; computed now, for {file} is missing"
    step = case.step("predictions", about, labels)
    unsure = answer.entropy / 255
    tile = Tile(f"entropy, mean {unsure.mean():.3f}", heat(unsure, case.size))
    return replace(step, tiles=[*step.tiles, tile])


def truth(case: Case) -> Step:
    if case.truth is None:
        return Step("truth", absent="data/masks has none of this picture")
    return Step("truth", "only ever used to score", [Tile("labels", sheet.overlay(case.rgb, case.truth))])
