from pathlib import Path

import pytest

from stages.common.params import ParameterError, check, read_yaml
from stages.parameters.params import Parameters

SHIPPED = Path(__file__).parents[2] / "params.yaml"


def changed(key: str, value: object) -> dict:
    """The shipped parameters with one key changed."""
    values = read_yaml(SHIPPED)
    *parents, last = key.split(".")
    place = values
    for parent in parents:
        place = place[parent]
    place[last] = value
    return values


def test_what_is_shipped_is_valid() -> None:
    assert check(Parameters, read_yaml(SHIPPED), "params.yaml").dataset.name == "synthetic"


def test_nothing_is_aliased() -> None:
    """One encoder's change must not change another's."""
    values = read_yaml(SHIPPED)
    values["classifier"]["encoder"]["name"] = "resnet50"
    assert values["affinity"]["encoder"]["name"] == values["segmenter"]["encoder"]["name"] == "small"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("segmentor", {}, "segmentor: unknown key; did you mean segmenter?"),
        ("seeds.method", "camm", "'d_minmax_grad_cam' or 'clip_text', found 'camm'"),
        ("seeds.method", "gradient", "seeds: gradient is taken at the pixels, not at last: set layer: input"),
        ("seeds.smooth_grad.noise", -0.1, "seeds.smooth_grad.noise: Input should be greater than or equal"),
        ("seeds.smooth_grad.samples", 0, "seeds.smooth_grad.samples: Input should be greater than or equal"),
        ("seeds.score_cam.weights", "logit", "seeds.score_cam.weights: Input should be 'slide'"),
        (
            "seeds.score_cam.channels",
            "some",
            "seeds.score_cam.channels: must be all, or a number of channels from 1 on, found 'some'",
        ),
        ("seeds.score_cam.channels", 0, "must be all, or a number of channels from 1 on, found 0"),
        (
            "seeds.layer",
            "encoder.layer3",
            "seeds: cam reads the last layer, not encoder.layer3: use grad_cam or vgatt there",
        ),
        (
            "affinity_labels.irn.threshold_foreground",
            0.2,
            "threshold_plain <= threshold_foreground must hold",
        ),
        (
            "affinity_labels.confident.alpha_plain",
            3,
            "affinity_labels.confident: alpha_foreground <= alpha_plain <= alpha_background must hold",
        ),
        (
            "affinity_labels.confident.alpha_foreground",
            24,
            "affinity_labels.confident: alpha_foreground < alpha_background must hold",
        ),
        ("affinity_labels.confident.share", 0, "confident.share: Input should be greater than 0, found 0"),
        (
            "affinity_labels.confident.grabcut.iterations",
            0,
            "grabcut.iterations: Input should be greater tha",
        ),
        (
            "affinity_labels.confident.grabcut.min_share",
            1.5,
            "grabcut.min_share: Input should be less than o",
        ),
        (
            "affinity_labels.confident.superpixels.segments",
            0,
            "superpixels.segments: Input should be greater",
        ),
        (
            "affinity_labels.confident.superpixels.sigma",
            -1,
            "superpixels.sigma: Input should be greater than",
        ),
        ("affinity.regularised.weight", -1, "affinity.regularised.weight: Input should be greater than or"),
        ("affinity.regularised.sigma_rgb", 0, "affinity.regularised.sigma_rgb: Input should be greater than"),
        (
            "affinity.regularised.radius",
            11,
            "affinity.regularised.radius: Input should be less than or equal",
        ),
        ("affinity_labels.irn", None, "affinity_labels.irn: missing, and affinity_labels.method chooses it"),
        ("pseudo_labels.random_walk", None, "pseudo_labels.random_walk: missing"),
        (
            "classifier.augment",
            {
                "longest_side": [256, 512],
                "scale": [1, 2],
                "crop": 64,
                "flip": 0.5,
                "jitter": [0, 0, 0, 0],
                "rand_augment": None,
            },
            "give longest_side or scale, not both",
        ),
        ("pseudo_labels.method", "seed_rule", "seeds.negatives: must be keep"),
        ("classifier.augment.scale", [1.5, 0.5], "a range is [smallest, largest], found [1.5, 0.5]"),
        ("classifier.encoder.weights.source", "library", "source library needs a name"),
        ("classifier.encoder.name", "efficientnet-b0", "take timm-efficientnet-b0"),
        ("classifier.encoder.std", [0.2, 0.2, 0], "classifier.encoder.std.2: Input should be greater than 0"),
        ("classifier.optimizer.warmup", 0.0001, "warmup is 0 or a share"),
        (
            "segmenter.augment.rand_augment",
            {"n": 2, "m": 10},
            "segmenter: augment.rand_augment must be null: it moves the picture and not its mask",
        ),
        ("affinity.augment.rand_augment", {"n": 2, "m": 10}, "affinity: augment.rand_augment must be null"),
        ("classifier.augment.rand_augment", {"n": 2, "m": 1}, "rand_augment.m: Input should be greater than"),
        (
            "classifier.head",
            "kur",
            "classifier.head: Input should be 'linear' or 'kernel_usage', found 'kur'",
        ),
        ("classifier.kernel_usage.alpha", 0, "classifier.kernel_usage.alpha: Input should be greater than 0"),
        ("classifier.linear", None, "classifier.linear: missing, and classifier.head chooses it"),
        ("generate.second_mark", 1.5, "generate.second_mark: Input should be less than or equal to 1"),
        ("generate.clutter", 13, "generate.clutter: Input should be less than or equal to 12"),
        ("generate.clutter", 0.5, "generate.clutter: Input should be a valid integer"),
        ("generate.thin", -0.1, "generate.thin: Input should be greater than or equal to 0"),
        ("generate.rare", 0.5, "generate.rare: Input should be greater than or equal to 1"),
        ("segmenter.batch", 1, "batch must be 2 or more"),
        ("segmenter.network", "pan", "segmenter.network: Input should be"),
        ("dataset.name", "../elsewhere", "dataset.name: String should match pattern"),
        (
            "dataset.val",
            "train",
            "dataset.val: must be another split than dataset.train, found 'train' twice",
        ),
        ("classifier.ordinary", "ordinary_classifier", "must be nothing for classifier.method plain"),
        ("ordinary_classifier.of", ["dataset"], "ordinary_classifier.of: must be [], for classifier.method"),
        ("predictions.tile", 63, "predictions: tile: must be 64 or more, found 63"),
        ("predictions.overlap", 1, "predictions: overlap: must be 0 where tile is null, found 1"),
        ("predictions.merge", "outer", "predictions.merge: Input should be 'ramp', 'mean' or 'inner'"),
        ("predictions.fuse", "sum", "predictions.fuse: Input should be 'mean' or 'max', found 'sum'"),
        (
            "ceiling.of",
            ["segmenter"],
            "ceiling.of: must say what each reads: {segmenter: nothing, only_true: pseudo_labels, all_c"
            "orrected: pseudo_labels}, or a part of it; found ['segmenter']",
        ),
        (
            "ceiling.of",
            {"segmenter": "masks"},
            "ceiling.of.segmenter: must be nothing, for it learns from the masks alone, found 'masks'",
        ),
        (
            "ceiling.of",
            {"only_true": "affinity_labels/crf"},
            "ceiling.of.only_true: must be pseudo_labels, which segmenter.labels names, found 'affinity",
        ),
        ("ceiling.of", {"all_true": "pseudo_labels"}, "ceiling.of.all_true"),
        ("dataset.source", "folder", "dataset: the generated set `synthetic` has source voc"),
    ],
)
def test_a_mistake_says_where_and_what_is_allowed(key: str, value: object, says: str) -> None:
    with pytest.raises(ParameterError) as error:
        check(Parameters, changed(key, value), "params.yaml")
    assert says in str(error.value)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("method", "changes", "says"),
    [
        ("oc_cse", {}, "classifier.ordinary: must be ordinary_classifier for classifier.method oc_cse"),
        (
            "p_noc",
            {"ordinary": "ordinary_classifier"},
            "ordinary_classifier.of: must be [dataset], for classifier.method p_noc reads it",
        ),
        (
            "puzzle",
            {"augment.crop": 72},
            "augment.crop: must be a multiple of 16 for method puzzle",
        ),
        ("eader", {"eader.start": "weights"}, "encoder: must be an encoder with start weights"),
        ("puzzle", {"puzzle": None}, "classifier.puzzle: missing, and classifier.method chooses it"),
    ],
)
def test_what_a_strategy_needs_is_told_before_anything_runs(method: str, changes: dict, says: str) -> None:
    values = changed("classifier.method", method)
    for key, value in changes.items():
        *parents, last = key.split(".")
        place = values["classifier"]
        for parent in parents:
            place = place[parent]
        place[last] = value
    with pytest.raises(ParameterError) as error:
        check(Parameters, values, "params.yaml")
    assert says in str(error.value)


def test_the_ordinary_classifier_sees_what_the_classifier_sees() -> None:
    values = changed("classifier.method", "p_oc")
    values["classifier"]["ordinary"], values["ordinary_classifier"]["of"] = "ordinary_classifier", ["dataset"]
    check(Parameters, values, "params.yaml")
    values["ordinary_classifier"]["encoder"]["std"] = [0.5, 0.5, 0.5]
    with pytest.raises(ParameterError, match=r"ordinary_classifier\.encoder: mean and std must be those of"):
        check(Parameters, values, "params.yaml")


def test_the_method_that_is_not_chosen_may_be_absent() -> None:
    values = read_yaml(SHIPPED)
    del values["affinity_labels"]["psa"], values["pseudo_labels"]["crf"]
    check(Parameters, values, "params.yaml")


def floats(values: dict, prefix: str = "") -> list[str]:
    """The dotted keys of all numbers with a point, those in lists by their first."""
    found = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += floats(value, f"{name}.")
        elif isinstance(value, float) or (isinstance(value, list) and value and isinstance(value[0], float)):
            found.append(name)
    return found


@pytest.mark.parametrize("number", [float("inf"), float("nan"), float("-inf")])
def test_no_number_of_the_shipped_parameters_may_be_not_finite(number: float) -> None:
    shipped = read_yaml(SHIPPED)
    keys = floats(shipped)
    assert len(keys) > 30
    for key in keys:
        value = shipped
        for part in key.split("."):
            value = value[part]
        with pytest.raises(ParameterError, match=key.rpartition(".")[2]):
            check(Parameters, changed(key, [number, *value[1:]] if isinstance(value, list) else number), "x")


@pytest.mark.parametrize(("key", "value"), [("segmenter.epochs", 10**12), ("classifier.augment.crop", 10**6)])
def test_a_count_that_is_a_slip_of_the_keyboard_is_refused(key: str, value: int) -> None:
    with pytest.raises(ParameterError, match="less than or equal"):
        check(Parameters, changed(key, value), "x")


def test_an_option_of_the_network_is_finite_too() -> None:
    with pytest.raises(ParameterError, match=r"options\.upsampling: must be finite"):
        check(Parameters, changed("segmenter.options", {"upsampling": float("inf")}), "x")


CLIP: dict[str, object] = {
    "classifier.method": "clip_text",
    "classifier.encoder": {
        "name": "clip-ViT-B-16", "output_stride": 16, "weights": {"source": "none", "name": "", "sha256": ""},
        "mean": [0.5] * 3, "std": [0.5] * 3, "freeze": [], "batch_norm": "train",
    },
}  # fmt: skip
GRAPH: dict[str, object] = {"graph.of": ["a2gnn"], "segmenter.labels": "graph"}
SALIENCY = {
    "saliency.of": ["c2am_h"],
    "affinity_labels.hints": "saliency",
    "affinity_labels.method": "saliency",
}

CUES: dict[str, object] = {
    "saliency.of": ["c2am"],
    "cues.of": ["seeds"],
    "cues.saliency": "saliency",
    "cues.regions": "felzenszwalb",
    "affinity_labels.of": ["cues"],
    "pseudo_labels.maps": "cues",
}


WITHOUT = {  # a training of affinities
    "affinity.method": "class_distribution",
    "affinity.of": ["classifier"],
    "evaluation.rungs": {"seeds": "seeds"},
}
FOLDER = SALIENCY | {"saliency.of": ["folder"], "saliency.maps": "raw/eps"}
MASKS = {"pseudo_labels.merge": "masks", "pseudo_labels.regions": "raw/sam"}


@pytest.mark.parametrize("changes", [FOLDER, MASKS, FOLDER | MASKS, {"pseudo_labels.merge": "slic"}, CUES])
def test_what_somebody_made_may_be_read(changes: dict[str, object]) -> None:
    values = read_yaml(SHIPPED)
    for key, value in changes.items():
        section, last = key.split(".")
        values[section][last] = value
    check(Parameters, values, "params.yaml")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({**FOLDER, "saliency.maps": "nothing"}, "saliency.maps: must be raw/NAME for saliency.of [folder]"),
        ({**SALIENCY, "saliency.maps": "raw/eps"}, "saliency.maps: must be nothing for saliency.of ['c2am"),
        ({"saliency.maps": "raw/eps"}, "saliency.maps: must be nothing for saliency.of [], which"),
        ({**FOLDER, "saliency.maps": "raw/a/b"}, "saliency.maps: String should match pattern"),
        ({**FOLDER, "saliency.maps": "masks"}, "saliency.maps: String should match pattern"),
        ({**FOLDER, "saliency.maps": "raw/.."}, "saliency.maps: String should match pattern"),
        (
            {**FOLDER, "saliency.maps": "raw/synthetic"},
            "saliency.maps: must not be raw/synthetic, which is a data set: its masks must not be learnt",
        ),
        ({**FOLDER, "saliency.start": "classifier"}, "saliency.start: must be nothing for saliency.of [fo"),
        ({**FOLDER, "saliency.refine": "network"}, "saliency.refine: must be none for saliency.of [folder]"),
        ({**FOLDER, "saliency.folder": None}, "saliency.folder: missing, and saliency.of chooses it"),
        ({"pseudo_labels.merge": "masks"}, "pseudo_labels.regions: must be raw/NAME for merge masks, found"),
        (
            {**MASKS, "pseudo_labels.merge": "slic"},
            "pseudo_labels.regions: must be nothing for merge slic, which reads none",
        ),
        ({**MASKS, "pseudo_labels.masks": None}, "pseudo_labels.masks: missing, and pseudo_labels.merge ch"),
        ({"pseudo_labels.none": None}, "pseudo_labels.none: missing, and pseudo_labels.merge chooses it"),
        (
            {**MASKS, "dataset.name": "sam", "generate.of": []},
            "pseudo_labels.regions: must not be raw/sam, which is a data set",
        ),
        (
            {"pseudo_labels.masks": {"share": 0.4, "covers": 0, "rest": "drop"}},
            "pseudo_labels.masks.share: Input should be greater than or equal to 0.5, found 0.4",
        ),
        (
            {"pseudo_labels.masks": {"share": 0.5, "covers": 0, "rest": "keep"}},
            "pseudo_labels.masks.covers: Input should be greater than 0, found 0",
        ),
        (
            {"pseudo_labels.masks": {"share": 0.5, "covers": None, "rest": "drop"}},
            "pseudo_labels.masks.rest: Input should be 'keep', 'vote' or 'clear', found 'drop'",
        ),
        ({"pseudo_labels.affinity": "nothing", "affinity.of": []}, "pseudo_labels.affinity: must be"),
        ({"affinity.of": []}, "affinity.of: must be [affinity_labels], for pseudo_labels.affinity reads it"),
        (
            {"pseudo_labels.affinity": "nothing", "pseudo_labels.method": "crf"},
            "affinity.of: must be [], for pseudo_labels.affinity is nothing, so nobody reads it",
        ),
        ({"affinity_labels.of": []}, "affinity_labels.of: must be [seeds] or [cues], for affinity learns"),
        (
            {"affinity.method": "class_distribution"},
            "affinity: of: must be [classifier] for method class_distribution, found [affinity_labels]",
        ),
        (
            {"affinity.method": "tokens"},
            "affinity: of: must be [classifier] or [dataset] for method tokens, found [affinity_labels]",
        ),
        (
            {"affinity.of": ["classifier"]},
            "affinity: of: must be [affinity_labels] for method affinity_net, found [classifier]",
        ),
        (
            WITHOUT | {"affinity.of": [], "pseudo_labels.affinity": "affinity", "affinity_labels.of": []},
            "affinity.of: must be [classifier], for pseudo_labels.affinity reads it",
        ),
        (
            WITHOUT,
            "affinity_labels.of: must be [], for no affinity, no segmenter.labels and no rung reads it",
        ),
        (
            WITHOUT | {"affinity.method": "attention"},
            "classifier.encoder.name: must be a plain vision transformer (tu-vit_..., small_vit), for "
            "affinity.method attention reads its patches, found 'small'",
        ),
        (
            WITHOUT | {"affinity.method": "tokens", "affinity.of": ["dataset"]},
            "affinity.encoder.name: must be a plain vision transformer (tu-vit_..., small_vit), for "
            "affinity.method tokens reads its patches, found 'small'",
        ),
        (
            WITHOUT | {"affinity.method": "tokens", "affinity.of": ["dataset"]},
            "affinity.encoder.weights.source: must be file or library for affinity.of [dataset], for nothing",
        ),
        (
            WITHOUT | CLIP | {"affinity.method": "class_distribution"},
            "affinity.method: must not be class_distribution for classifier.method clip_text, which has no",
        ),
        (
            WITHOUT | CLIP | {"affinity.method": "tokens"},
            "classifier.encoder.name: must be a plain vision transformer",
        ),
        (
            WITHOUT | {"graph.of": ["a2gnn"]},
            "affinity.method: must be affinity_net, for graph reads the features of its network",
        ),
        ({"affinity_labels.of": []}, "evaluation.rungs.crf: affinity_labels.of is [], so nothing makes it"),
        (
            {"segmenter.labels": "affinity_labels/crf", "affinity_labels.of": []},
            "affinity_labels.of: must be [seeds] or [cues], for segmenter.labels reads it",
        ),
        (
            {
                "pseudo_labels.method": "crf",
                "pseudo_labels.affinity": "nothing",
                "affinity.of": [],
                "evaluation.rungs": {"seeds": "seeds"},
            },
            "affinity_labels.of: must be [], for no affinity, no segmenter.labels and no rung reads it",
        ),
        ({"evaluation.rungs": {"mine": "walks"}}, "evaluation.rungs.mine: no step leaves walks; there are"),
        ({"evaluation.rungs": {"x": "explanation"}}, "evaluation.rungs.x: no step leaves explanation"),
        ({"explanation.of": ["pseudo_labels"]}, "explanation.of.0: Input should be 'seeds', found 'pseudo_l"),
        ({"explanation.precision": "fp16"}, "explanation.precision: Input should be 'fp32' or 'bf16', found"),
        ({"classifier.method": "clip_text"}, "classifier: encoder.name: clip-NAME (open_clip's) and method"),
        (CLIP | {"classifier.method": "plain"}, "go together, found 'clip-ViT-B-16' with plain"),
        ({"seeds.method": "clip_text"}, "classifier.method: must be clip_text for seeds.method clip_text"),
        (CLIP, "seeds.method: must be clip_text for classifier.method clip_text"),
        (CLIP | {"explanation.of": ["seeds"]}, "explanation.of: must be [] for classifier.method clip_text"),
        (CLIP | {"diagnosis.of": ["classifier"]}, "diagnosis.of: must be [] for classifier.method clip_text"),
        (CLIP | {"classifier.head": "kernel_usage"}, "classifier.head: must be linear for classifier.method"),
        (
            CLIP | {"saliency.of": ["c2am"], "saliency.start": "classifier"},
            "saliency.start: must be nothing for classifier.method clip_text",
        ),
        ({"evaluation.rungs": {"x": "diagnosis"}}, "evaluation.rungs.x: no step leaves diagnosis"),
        ({"diagnosis.of": ["seeds"]}, "diagnosis.of.0: Input should be 'classifier', found 'seeds'"),
        ({"diagnosis.shares": [1, 101]}, "diagnosis.shares.1: Input should be less than or equal to 100, f"),
        ({"diagnosis.shares": [0]}, "diagnosis.shares.0: Input should be greater than 0, found 0"),
        ({"diagnosis.shares": [2, 1]}, "diagnosis.shares: must rise, found [2.0, 1.0]"),
        ({"diagnosis.layers": ["last", "last"]}, "diagnosis.layers: must differ, found 'last' twice"),
        ({"diagnosis.layers": []}, "diagnosis.layers: List should have at least 1 item"),
        ({"diagnosis.methods": ["cam"]}, "diagnosis.methods.0: Input should be 'vgatt_raw', 'vgatt_norm"),
        ({"diagnosis.fill": "grey"}, "diagnosis.fill: Input should be 'black' or 'mean', found 'grey'"),
        (
            {"diagnosis.occlusion": {"patch": 8, "stride": 9}},
            "diagnosis.occlusion: stride must be at most patch, 8: else no patch covers some pixels",
        ),
        ({"evaluation.rungs": {"mine": "../masks"}}, "evaluation.rungs.mine: String should match pattern"),
        (
            {"affinity_labels.hints": "saliency", "affinity_labels.method": "saliency"},
            "saliency.of: must be [c2am], [c2am_h] or [folder], for it is read by affinity_labels.hints",
        ),
        (
            {"evaluation.rungs": {"seeds": "seeds", "crf": "affinity_labels/crf", "objects": "saliency"}},
            "saliency.of: must be [c2am], [c2am_h] or [folder], for it is read by evaluation.rungs.objects",
        ),
        ({"affinity_labels.method": "saliency"}, "affinity_labels.hints: must be saliency for method"),
        (
            {"affinity_labels.hints": "saliency", "saliency.of": ["c2am"]},
            "affinity_labels.hints: must be nothing for method irn, which reads no saliency",
        ),
        (
            {"affinity_labels.hints": "saliency", "affinity_labels.method": "confident"},
            "affinity_labels.hints: must be nothing for method confident, which reads no saliency",
        ),
        (
            {"affinity_labels.hints": "annotations", "dataset.annotations": "boxes"},
            "affinity_labels.hints: must not be annotations for method irn, which reads none",
        ),
        (
            {"affinity_labels.hints": "annotations", "affinity_labels.method": "confident"},
            "affinity_labels.hints: must be nothing, for dataset.annotations is none",
        ),
        (
            GRAPH | {"affinity_labels.method": "confident", "dataset.annotations": "boxes"},
            "affinity_labels.hints: must be annotations, for dataset.annotations is boxes and there",
        ),
        (
            {"affinity_labels.method": "confident", "affinity_labels.confident": None},
            "affinity_labels.confident: missing, and affinity_labels.method chooses it",
        ),
        (
            {"evaluation.rungs": {"crf": "affinity_labels/crf", "mine": "affinity_labels/nodes"}},
            "evaluation.rungs.mine: affinity_labels.method must be confident, which makes affinity_labels/",
        ),
        ({"saliency.of": ["c2am"]}, "saliency.of: must be [], for no affinity_labels.hints, no cues"),
        (CUES | {"saliency.of": []}, "or [folder], for it is read by cues.saliency"),
        (CUES | {"cues.of": []}, "cues.of: must be [seeds], for affinity_labels.of, pseudo_labels.maps read"),
        ({"pseudo_labels.maps": "cues"}, "cues.of: must be [seeds], for pseudo_labels.maps reads them"),
        (
            {"evaluation.rungs": {"cues": "cues", "crf": "affinity_labels/crf"}},
            "cues.of: must be [seeds], for evaluation.rungs.cues reads them",
        ),
        ({"cues.of": ["seeds"]}, "cues.of: must be [], for no affinity_labels.of, no pseudo_labels.maps and"),
        (
            CUES | {"cues.saliency": "nothing", "cues.regions": "none", "saliency.of": []},
            "cues: saliency must be saliency, or regions felzenszwalb or slic: else they are the seeds",
        ),
        (CUES | {"cues.felzenszwalb": None}, "cues.felzenszwalb: missing, and cues.regions chooses it"),
        (
            CUES | {"pseudo_labels.method": "seed_rule", "seeds.negatives": "keep"},
            "pseudo_labels.maps: must be seeds for method seed_rule, found 'cues': only they may be negative",
        ),
        ({"saliency.of": ["c2am", "c2am_h"]}, "saliency.of: List should have at most 1 item"),
        ({"saliency.batch": 1}, "saliency: batch: must be 2 or more, for the loss compares the pictures"),
        (
            {**SALIENCY, "saliency.c2am_h": None},
            "saliency.c2am_h: missing, and saliency.of chooses it",
        ),
        (
            {**SALIENCY, "saliency.refine": "network", "saliency.network": None},
            "saliency.network: missing, and saliency.refine chooses it",
        ),
        (
            {**SALIENCY, "saliency.c2am": {"delta_foreground": 0.1, "delta_background": 0.1}},
            "saliency.c2am: delta_background < delta_foreground must hold",
        ),
        (
            {"segmenter.labels": "one_step/train"},
            "one_step.of: must be [rrm], for it is read by segmenter.labels",
        ),
        ({"one_step.of": ["rrm"]}, "one_step.of: must be [], for neither segmenter.labels nor a rung reads"),
        (
            {"evaluation.rungs": {"crf": "affinity_labels/crf", "mine": "one_step/val"}},
            "one_step.of: must be [rrm], for it is read by evaluation.rungs.mine",
        ),
        (
            {"one_step.of": ["rrm"], "evaluation.rungs": {"crf": "affinity_labels/crf", "mine": "one_step"}},
            "evaluation.rungs.mine: must be one_step/train or one_step/val, found 'one_step'",
        ),
        ({"one_step.of": ["afa"]}, "one_step.of.0: Input should be 'rrm', found 'afa'"),
        ({"segmenter.labels": "one_step/val"}, "segmenter.labels: Input should be 'pseudo_labels',"),
        ({"one_step.distance": {"weight": -1.0, "between": 0.5}}, "one_step.distance.weight: Input should"),
        ({"generate.of": []}, "generate.of: must be [synthetic], which dataset.name asks for"),
        ({"segmenter.labels": "graph"}, "graph.of: must be [a2gnn], for it is read by segmenter.labels"),
        (
            {"evaluation.rungs": {"crf": "affinity_labels/crf", "mine": "graph"}},
            "graph.of: must be [a2gnn], for it is read by evaluation.rungs.mine",
        ),
        (GRAPH | {"segmenter.labels": "pseudo_labels"}, "graph.of: must be [], for neither segmenter.labels"),
        (GRAPH, "affinity_labels.method: must be confident, whose node labels graph reads, found 'irn'"),
        (
            GRAPH | {"affinity.of": [], "pseudo_labels.affinity": "nothing", "pseudo_labels.method": "crf"},
            "affinity.of: must be [affinity_labels], for graph reads it",
        ),
        (
            GRAPH | {"graph.multi_point": 1.0},
            "graph.multi_point: must be 0, for dataset.annotations is none: there are no boxes",
        ),
        (
            GRAPH | {"graph.consistent_above": 0.98},
            "graph.consistent_above: must be null, for dataset.annotations is none: there are no boxes",
        ),
        (GRAPH | {"evaluation.rungs": {"mine": "graph/a"}}, "evaluation.rungs.mine: must be graph, found"),
        ({"few_shot.folds": [3]}, "few_shot.folds: there is no fold 3 of 2 classes (fold_masks"),
        ({"few_shot.folds": [0], "fold_masks.fold_classes": 6}, "fold_masks.fold_classes: 6 of 6 classes"),
        (
            {"few_shot.folds": [0], "dataset.truth": "none"},
            "few_shot.folds: must be [], for dataset.truth is none: there are no masks",
        ),
        (
            {"few_shot.folds": [0], "episodes.shots": [1, 6]},
            "episodes.shots: must be at most 5, which fold_masks.supports is, found 6",
        ),
        ({"episodes.shots": [5, 1]}, "episodes.shots: must rise, found [5, 1]"),
        ({"graph.of": ["gcn"]}, "graph.of.0: Input should be 'a2gnn', found 'gcn'"),
        ({"graph.epochs": [0, 0]}, "graph: epochs: [0, 0] trains nothing"),
        (
            {"graph.epochs": [50, 0]},
            "graph: epochs: the second must be 1 or more, for regularised.weight 0.3 acts there alone",
        ),
    ],
)  # fmt: skip
def test_what_a_step_reads_must_be_made_and_what_is_made_read(changes: dict[str, object], says: str) -> None:
    values = read_yaml(SHIPPED)
    for key, value in changes.items():
        section, last = key.split(".")
        values[section][last] = value
    with pytest.raises(ParameterError) as error:
        check(Parameters, values, "params.yaml")
    assert says in str(error.value)


def test_the_classifier_may_draw_operations() -> None:
    check(Parameters, changed("classifier.augment.rand_augment", {"n": 2, "m": 10}), "params.yaml")


def test_the_segmenter_may_learn_from_the_crf_s_labels() -> None:
    check(Parameters, changed("segmenter.labels", "affinity_labels/crf"), "params.yaml")


def test_a_saliency_that_starts_from_the_classifier_has_its_encoder() -> None:
    values = read_yaml(SHIPPED)
    for key, value in SALIENCY.items():
        section, last = key.split(".")
        values[section][last] = value
    values["saliency"]["start"] = "classifier"
    values["saliency"]["encoder"]["output_stride"] = 16  # the weights are the same
    check(Parameters, values, "params.yaml")
    values["saliency"]["encoder"]["name"] = "resnet18"
    with pytest.raises(ParameterError, match="name, mean, std must be those of classifier"):
        check(Parameters, values, "params.yaml")
    values["saliency"]["start"] = "nothing"
    check(Parameters, values, "params.yaml")


def test_the_labels_of_nodes_may_be_a_rung() -> None:
    values = changed("evaluation.rungs", {"crf": "affinity_labels/crf", "mine": "affinity_labels/nodes"})
    values["affinity_labels"]["method"] = "confident"
    check(Parameters, values, "params.yaml")


def test_a_rung_alone_may_read_the_saliency() -> None:
    values = changed("evaluation.rungs", {"crf": "affinity_labels/crf", "objects": "saliency"})
    values["saliency"]["of"] = ["c2am"]
    check(Parameters, values, "params.yaml")


def test_tiles_overlap_by_half_at_most() -> None:
    values = changed("predictions.tile", 64)
    values["predictions"]["overlap"] = 32
    assert check(Parameters, values, "params.yaml").predictions.tile == 64
    for wrong in (33, -1):
        values["predictions"]["overlap"] = wrong
        with pytest.raises(ParameterError) as error:
            check(Parameters, values, "params.yaml")
        assert f"predictions: overlap: must be 0 to 32, half of tile, found {wrong}" in str(error.value)


@pytest.mark.parametrize("rungs", [{}, {"one_step_train": "one_step/train", "one_step": "one_step/val"}])
def test_the_segmenter_or_a_rung_alone_may_read_the_one_step_network(rungs: dict[str, str]) -> None:
    values = changed("one_step.of", ["rrm"])
    values["evaluation"]["rungs"] |= rungs
    values["segmenter"]["labels"] = "pseudo_labels" if rungs else "one_step/train"
    check(Parameters, values, "params.yaml")


def test_reliable_regions_have_the_keys_of_their_rule() -> None:
    values = changed("one_step.labels.rule", "agreement")
    check(Parameters, values, "params.yaml")
    values["one_step"]["labels"]["agreement"] = None
    with pytest.raises(ParameterError, match=r"one_step\.labels: agreement: missing, and rule chooses it"):
        check(Parameters, values, "params.yaml")


def test_the_graph_networks_keep_affinities_that_no_walk_reads() -> None:
    """What stands in the way of the shipped recipe is the method of its labels alone."""
    values = changed("graph.of", ["a2gnn"])
    values["segmenter"]["labels"] = "graph"
    values["pseudo_labels"] |= {"method": "crf", "affinity": "nothing"}
    with pytest.raises(ParameterError, match=r"1 problem\(s\)\n  affinity_labels\.method: must be confident"):
        check(Parameters, values, "params.yaml")


def test_an_oracle_needs_labels_and_masks() -> None:
    values = changed("ceiling.of", {"only_true": "pseudo_labels", "segmenter": "nothing"})
    assert list(check(Parameters, values, "params.yaml").ceiling.of) == ["only_true", "segmenter"]
    del values["segmenter"]["labels"]
    with pytest.raises(ParameterError, match=r"1 problem\(s\)\n  segmenter\.labels: missing"):
        check(Parameters, values, "params.yaml")
    values = changed("ceiling.of", {"segmenter": "nothing"})
    values["dataset"]["truth"] = "none"
    with pytest.raises(ParameterError, match=r"ceiling\.of: must be \{\}, for dataset\.truth is none"):
        check(Parameters, values, "params.yaml")


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [("none", True), ("boxes", True), ("points", False), ("scribbles", False)],
)
def test_a_segmenter_learns_from_annotations_that_label_pixels(kind: str, wrong: bool) -> None:
    values = changed("dataset.annotations", kind)
    check(Parameters, values, "params.yaml")
    values["segmenter"]["labels"] = "annotations"
    if not wrong:
        check(Parameters, values, "params.yaml")
        return
    with pytest.raises(ParameterError) as error:
        check(Parameters, values, "params.yaml")
    (line,) = [line for line in str(error.value).splitlines() if "annotations" in line]
    wanted = f"segmenter.labels: must not be annotations for dataset.annotations {kind}: scribbles and points"
    assert wanted in line


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("dataset.annotations", "box", "dataset.annotations: Input should be 'none', 'boxes', 'points' or"),
        ("generate.scribbles", 0, "generate.scribbles: Input should be greater than 0"),
        ("generate.scribbles", 1.1, "generate.scribbles: Input should be less than or equal to 1"),
    ],
)
def test_bad_kinds_and_lengths(key: str, value: object, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        check(Parameters, changed(key, value), "params.yaml")
