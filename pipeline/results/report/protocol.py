"""The protocol card: what a reader must know to trust a number, or to compare it with another."""

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.project import git, ledger, presets, words
from pipeline.project.outcomes import RAN
from pipeline.project.tables import Table
from pipeline.results.data_set import DataSet
from pipeline.results.scores import Scores
from pipeline.results.snapshot import hashes
from stages.affinity.params import trains
from stages.common.artifacts import read_json
from stages.saliency.params import UNTRAINED

PACKAGES = ("torch", "torchvision", "segmentation_models_pytorch", "timm", "numpy", "dvc")
MASKS, ANNOTATIONS, RAW = "data/masks", "data/annotations", "data/raw/"
TRAININGS = ("ordinary_classifier", "classifier", "saliency", "affinity", "graph", "one_step", "segmenter")
Rows = list[tuple[str, str]]


def card(root: Path, found: Scores, data: DataSet) -> Rows:
    """Name and text of each line: what the run's own parameters and dvc.lock say, and no more."""
    params, lock = found.run.params, found.run.lock
    evaluation, source = params["evaluation"], params["dataset"]
    scored = ", ".join(f"{rung.name} on {rung.images} of {rung.split}" for rung in found.good)
    number = {split: sum(p["split"] == split for p in data.pictures) for split in ("train", "val")}
    pictures = f"{len(data.classes) - 1} classes, {number['train']} pictures of train, {number['val']} of val"
    pictures = pictures if data.classes else found.why_not("dataset")
    near = {name: presets.differences(root, name) for name in presets.names(root)}
    return [
        ("data set", f"{source['name']} (source {source['source']}): {pictures}"),
        ("fingerprint", f"data/dataset {_hash(lock, 'data/dataset')}, masks {_hash(lock, 'data/masks')}"
                        + (f", annotations {_hash(lock, ANNOTATIONS)}" if kind_of(found) != "none" else "")),
        ("scored", f"{scored or 'no rung in this run'}; the truth is {source.get('masks') or 'masks'}, "
                   f"read by {readers(lock)}"),
        ("resolution", "every picture at its own size; maps are brought to it bilinearly"),
        ("maps", "divided by their maximum, per picture and class; only of classes in the picture's labels"
                 + objects(found)),
        ("threshold", f"{evaluation['threshold']:g} for all pictures and classes, a parameter; the best of "
                      f"{evaluation['bins']} is found on the same masks and is there to be seen, not used"),
        ("mean", "IoU over the classes that occur, background included, of one table of counts over the "
                 "whole split; 255 in the truth is not scored, unknown in a result counts as missed"),
        ("supervision", f"{supervision(found)}; the last epoch is kept"),
        *_loss(found),
        ("chosen on", chosen(near)),
        ("seeds", ", ".join(f"{key} {value}" for key, value in _seeds(params)) or "none"),
        *_preset(near),
        ("revision", revision(root)),
        ("versions", ", ".join([f"python {platform.python_version()}", *map(_version, PACKAGES)])
                     + " (of the environment that made this page)"),
    ]  # fmt: skip


def objects(found: Scores) -> str:
    """How the rungs are scored that know no classes."""
    names = ", ".join(rung.name for rung in found.good if rung.merged)
    return f"; {names}: one of objects in every picture, against the masks' classes as one" if names else ""


def readers(lock: dict[str, Any]) -> str:
    """The stages that read the masks, a foreach once."""
    names = [stage.split("@")[0] for stage, entry in lock.items() if MASKS in hashes(entry, "deps")]
    return ", ".join(dict.fromkeys(names)) or "no stage so far"


def supervision(found: Scores) -> str:
    """What the networks of the recipe were trained on, as dvc.lock tells it."""
    lock, standings, trained = found.run.lock, found.standings, trainings(found)
    if not trained:
        return "nothing is trained yet"
    saw = [
        name
        for name in trained
        if any(MASKS in hashes(lock[above], "deps") for above in standings.above(name))
    ]
    if saw:
        return f"masks are among what {', '.join(saw)} stem{'s' * (len(saw) == 1)} from"
    said = f"{', '.join(trained)} stem from {', '.join(_first(found, trained))}, none from masks"
    labels = annotations(found, trained)
    if folders := given(found, trained):
        labels = labels.replace("image labels alone", "image labels")
        labels += f", and {', '.join(folders)}, made elsewhere from what is not known here"
    return f"{labels}: {said}"


def trainings(found: Scores) -> list[str]:
    """The stages that have trained a network; some affinities and maps of saliency are found without."""
    learnt = trains(found.run.params.get("affinity", {}))
    names = map(found.standings.known, (name for name in TRAININGS if name != "affinity" or learnt))
    return [name for name in names if name in found.run.lock and name != f"saliency@{UNTRAINED}"]


def learnt_from(found: Scores) -> str:
    """What goes in, for the first line of the page."""
    trained = trainings(found)
    drawn = [kind_of(found)] if learnt_by(found, trained) else []
    made = ["data made elsewhere"] if given(found, trained) else []
    return " and ".join(["image-level labels", *drawn, *made])


def given(found: Scores, trained: list[str]) -> list[str]:
    """What somebody else made that these stages stem from: folders beside the data set's own."""
    lock, above = found.run.lock, found.standings.above
    names = {name for stage in trained for name in above(stage)} - {"dataset"}
    return sorted({dep for name in names for dep in hashes(lock[name], "deps") if dep.startswith(RAW)})


def kind_of(found: Scores) -> str:
    """What people drew on the pictures; `none` also for a run of an older version."""
    return str(found.run.params["dataset"].get("annotations", "none"))


def annotations(found: Scores, trained: list[str]) -> str:
    """What these stages learn from besides image labels, and which of them."""
    kind = kind_of(found)
    if kind == "none":
        return "image labels alone"
    saw = learnt_by(found, trained)
    return (
        f"image labels, and {kind} for {', '.join(saw)}" if saw else f"image labels alone, the {kind} unread"
    )


def learnt_by(found: Scores, trained: list[str]) -> list[str]:
    """Those of these stages that learn from what people drew."""
    lock, above = found.run.lock, found.standings.above
    if kind_of(found) == "none":
        return []
    return [name for name in trained if any(ANNOTATIONS in hashes(lock[of], "deps") for of in above(name))]


def _first(found: Scores, trained: list[str]) -> list[str]:
    """What these stages take from the data set; annotations only where there are some."""
    lock = found.run.lock
    made = set(hashes(lock.get("dataset", {}), "outs")) - (
        {ANNOTATIONS} if kind_of(found) == "none" else set()
    )
    above = [name for stage in trained for name in found.standings.above(stage)]
    read = {dep for name in above for dep in hashes(lock[name], "deps") if dep in made}
    return sorted(read) or ["no data set"]


def chosen(near: Mapping[str, list[presets.Change]]) -> str:
    """What thresholds and the like were chosen on is known of the shipped presets only."""
    same = [name for name, changes in near.items() if not changes]
    if same:
        return (
            f"as preset {same[0]}: its thresholds, beta and steps were chosen on training masks, as papers do"
        )
    return "not known: these parameters are no shipped preset's"


def _loss(found: Scores) -> Rows:
    """What the segmenter minimised, with the weights that its classes had."""
    section = found.run.params.get("segmenter", {})
    if "loss" not in section:
        return []
    options = {key: value for key, value in section[section["loss"]].items() if key != "balance"}
    on = {name: values for name, values in (section.get("terms") or {}).items() if values}
    terms = [f"{name} ({words_of(values)})" for name, values in on.items()]
    said = " + ".join([section["loss"] + (f" ({words_of(options)})" if options else ""), *terms])
    return [("loss", f"{said}; {balance(found, section)}")]


def words_of(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items())


def balance(found: Scores, section: Mapping[str, Any]) -> str:
    """How the classes weigh: counted on the labels, as data/segmenter says where it is this run's."""
    asked = section[section["loss"]].get("balance", "none")
    if asked == "none":
        return "every known pixel weighs the same"
    if asked == "sides":
        return "foreground and background are averaged apart in each batch"
    if isinstance(asked, list):
        shown = ", ".join(f"{weight:.3g}" for weight in asked)
        return f"classes weigh as given, the background first: {shown}"
    why = found.why_not("segmenter")
    weights = {} if why else class_weights(found.run.root / "data" / "segmenter" / "config.json")
    if not weights:
        why = why or "data/segmenter is not this run's"
        return f"classes weigh by {asked}, and which weights these are is not known: {why}"
    shown = ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
    return f"classes weigh by {asked} frequency of data/{section['labels']}: {shown}"


def class_weights(file: Path) -> dict[str, float]:
    """By class, as a segmenter keeps them; empty for another one, and without the file."""
    try:
        config = read_json(file)
        return dict(zip(config["classes"], config["class_weights"], strict=True))
    except (OSError, ValueError, KeyError):
        return {}


def cost(root: Path, lock: dict[str, Any]) -> Table:
    """By stage: what its present result took, as this clone's ledger knows it; cells else are empty."""
    entries = [line for line in ledger.makers(ledger.read(root), lock) if line["outcome"] == RAN]
    rows = []
    for stage in lock:
        mine = [line for line in entries if line["stage"] == stage]
        row = {"stage": stage, "time": "", "seconds": "", "memory": "", "on": "", "ended": ""}
        if mine:
            last = mine[-1]
            seconds, memory = float(last.get("seconds") or 0), float(last.get("memory") or 0)
            row |= {"time": words.clock(seconds), "seconds": f"{seconds:.1f}"}
            row |= {"memory": f"{memory / 2**20:.0f}" if memory else ""}
            row |= {
                "on": str(last.get("device", "")),
                "ended": str(last.get("ended", ""))[:16].replace("T", " "),
            }
        rows.append(row)
    return rows


def _hash(lock: dict[str, Any], path: str) -> str:
    outs = [out for entry in lock.values() for out in entry.get("outs", [])]
    return next((str(out.get("md5", ""))[:12] for out in outs if out["path"] == path), "unknown")


def _seeds(params: dict[str, Any]) -> list[tuple[str, int]]:
    """Of the steps that the recipe has, and that draw anything."""
    return [(f"{name}.seed", section["seed"]) for name, section in params.items()
            if isinstance(section, dict) and "seed" in section
            and section.get("of") not in ([], [UNTRAINED])
            and (name != "affinity" or trains(section))]  # fmt: skip


def _preset(near: Mapping[str, list[presets.Change]]) -> Rows:
    """The preset that is nearest to params.yaml, and what differs from it."""
    if not near:
        return []
    name = min(near, key=lambda key: len(near[key]))
    changes = "; ".join(f"{key} {now} (preset: {its})" for key, now, its in near[name])
    return [("parameters", f"as preset {name}" + (f", but {changes}" if changes else ""))]


def revision(root: Path) -> str:
    try:
        commit = git.run(root, "rev-parse", "--short", "HEAD")
        changed = git.run(root, "status", "--porcelain", "--untracked-files=no")
    except ValueError:
        return "not in git"
    return commit + (", with changes that are not committed" if changed else "")


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} missing"
