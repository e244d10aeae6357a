"""What params.yaml may say of losses and terms, and the one line for what it may not."""

import copy
from typing import Any

import pytest

from stages.common.params import ParameterError, check, read_yaml
from stages.parameters.params import Parameters
from tests.segmenter.scenes import DFR, ENERGY, SEMEDA, SHIPPED

VALUES = read_yaml(SHIPPED)
EDGES = {"form": "unet", "w0": 10, "sigma": 5, "bands": [], "balance": "none"}
GATED = {"weight": 0.01, "cell": 4, "radius": 5, "sigma_xy": 6, "sigma_rgb": 29}
BALANCE = (
    "must be none, inverse, median, sides, or a list of weights from 0 on, one a class with the background "
    "first and not all 0; found "
)


def with_segmenter(**changes: Any) -> dict[str, Any]:
    values = copy.deepcopy(VALUES)
    values["segmenter"] |= changes
    return values


def problem(values: dict[str, Any]) -> str:
    """The one line after `params.yaml: 1 problem(s)`."""
    with pytest.raises(ParameterError) as error:
        check(Parameters, values, "params.yaml")
    first, line = str(error.value).split("\n  ")
    assert first == "params.yaml: 1 problem(s)"
    return line


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("loss", "mse", "segmenter.loss: Input should be 'cross_entropy', 'focal', 'edge_weighted', 'dice'"),
        ("gamma", 2, "segmenter.gamma: unknown key"),
        ("focal", {"balance": "none"}, "segmenter.focal.gamma: missing"),
        ("cross_entropy", {"balance": "sqrt"}, f"segmenter.cross_entropy.balance: {BALANCE}'sqrt'"),
        ("cross_entropy", {"balance": [1, -1]}, f"segmenter.cross_entropy.balance: {BALANCE}[1, -1]"),
        ("cross_entropy", {"balance": [0, 0]}, f"segmenter.cross_entropy.balance: {BALANCE}[0, 0]"),
        ("cross_entropy", {"balance": [1, True]}, f"segmenter.cross_entropy.balance: {BALANCE}[1, True]"),
        ("focal", {"gamma": 1, "balance": [1, float("inf")]}, f"segmenter.focal.balance: {BALANCE}[1, inf]"),
        (
            "cross_entropy",
            {"balance": [1, 2.5]},
            "segmenter.cross_entropy.balance: 2 weights, and there are 7 classes, the background first",
        ),
        (
            "edge_weighted",
            EDGES | {"sigma": 0},
            "segmenter.edge_weighted.sigma: Input should be greater",
        ),
        (
            "edge_weighted",
            EDGES | {"bands": [[1, 2]]},
            "segmenter.edge_weighted: bands must be [] for form unet, found [[1.0, 2.0]]",
        ),
        (
            "edge_weighted",
            EDGES | {"form": "bands"},
            "segmenter.edge_weighted: bands must be [[radius, weight], ...] for form bands, found []",
        ),
        (
            "edge_weighted",
            EDGES | {"form": "bands", "bands": [[3, 2], [3, 5]]},
            "segmenter.edge_weighted: the radii of bands must rise, found [3.0, 3.0]",
        ),
        ("terms", {"sobell": {}}, "segmenter.terms.sobell: unknown key; did you mean"),
        ("terms", {"sobel": {}}, "segmenter.terms.sobel.weight: missing"),
        ("terms", {"sobel": None}, "segmenter.terms: sobel: give its keys, or leave it out"),
        ("terms", {"dense_energy": ENERGY | {"weight": 0}}, "segmenter.terms.dense_energy.weight: Input"),
        (
            "terms",
            {"dense_energy": ENERGY | {"scale": 1.5}},
            "segmenter.terms.dense_energy.scale: Input should",
        ),
        (
            "terms",
            {"dense_energy": ENERGY | {"method": "dense"}},
            "segmenter.terms.dense_energy.method: Input should be 'lattice' or 'exact', found 'dense'",
        ),
        (
            "terms",
            {"dense_energy": ENERGY | {"sigma_rgb": 0.5}},
            "segmenter.terms.dense_energy.sigma_rgb: Input should be greater than or equal to 1",
        ),
        (
            "terms",
            {"dense_energy": {key: ENERGY[key] for key in ENERGY if key != "method"}},
            "segmenter.terms.dense_energy.method: missing",
        ),
        (
            "terms",
            {"dense_energy": ENERGY | {"scale": 0.01}},
            "segmenter: terms.dense_energy.scale: 0.01 of augment.crop 128 leaves one pixel, and there is "
            "nothing to compare it with",
        ),
        ("terms", {"sobel": {"weight": 0}}, "segmenter.terms.sobel.weight: Input should be greater than 0"),
        ("terms", {"semeda": SEMEDA | {"steps": 0}}, "segmenter.terms.semeda.steps: Input should be greater"),
        ("terms", {"semeda": SEMEDA | {"warmup": 2}}, "segmenter.terms.semeda.warmup: Input should be less"),
        (
            "terms",
            {"gated_crf": GATED | {"cell": 3}},
            "segmenter.terms.gated_crf.cell: Input should be",
        ),
        (
            "terms",
            {"gated_crf": GATED | {"radius": 0}},
            "segmenter.terms.gated_crf.radius: Input should",
        ),
        ("terms", {"dfr": DFR | {"sigma_rgb": 0}}, "segmenter.terms.dfr.sigma_rgb: Input should be greater"),
        ("terms", {"dfr": DFR | {"confidence": 2}}, "segmenter.terms.dfr.confidence: Input should be less"),
        ("terms", {"dfr": DFR | {"channels": 0}}, "segmenter.terms.dfr.channels: Input should be greater"),
        (
            "terms",
            {"semeda": SEMEDA | {"weights": [2, 4]}},
            "segmenter.terms.semeda.weights: List should",
        ),
        (
            "terms",
            {"semeda": SEMEDA | {"weights": [0, 0, 0]}},
            "segmenter.terms.semeda: weights are all 0: leave semeda out of segmenter.terms",
        ),
    ],
)
def test_what_is_refused_is_one_line(key: str, value: object, says: str) -> None:
    assert problem(with_segmenter(**{key: value})).startswith(says)


def test_the_chosen_loss_has_its_section() -> None:
    line = problem(with_segmenter(loss="focal", focal=None))
    assert line == "segmenter.focal: missing, and segmenter.loss chooses it"


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "edge_weighted", "dice", "lovasz"])
def test_every_loss_is_chosen_by_its_name(loss: str) -> None:
    assert check(Parameters, with_segmenter(loss=loss), "params.yaml").segmenter.loss == loss


def test_terms_may_be_on_together() -> None:
    terms = {"semeda": SEMEDA, "sobel": {"weight": 4}, "dense_energy": ENERGY, "gated_crf": GATED, "dfr": DFR}
    values = with_segmenter(terms=terms)
    assert list(check(Parameters, values, "params.yaml").segmenter.terms.on()) == list(terms)
    assert not check(Parameters, VALUES, "params.yaml").segmenter.terms.on()


@pytest.mark.parametrize("network", ["unet", "unetplusplus", "linknet", "manet"])
def test_a_head_needs_one_coarse_map(network: str) -> None:
    values = with_segmenter(network=network, options={}, terms={"dfr": DFR})
    values["segmenter"]["encoder"] |= {"output_stride": 32}
    assert problem(values) == (
        f"segmenter: terms.dfr: the scores of network {network} are of no one coarse map, on which its head "
        "could stand: take deeplabv3plus, deeplabv3, pspnet, parsenet, fpn, upernet, or the term gated_crf, "
        "which has no head"
    )
    values["segmenter"]["terms"] = {"gated_crf": GATED}
    check(Parameters, values, "params.yaml")


def test_a_list_has_a_weight_for_each_class_of_the_generated_set() -> None:
    """How many classes another set has, the stage `dataset` finds out."""
    check(Parameters, with_segmenter(cross_entropy={"balance": [1, 2, 3, 4.5, 5, 6, 0]}), "params.yaml")
    values = with_segmenter(cross_entropy={"balance": [1, 2]})
    values["generate"]["of"], values["dataset"]["name"] = [], "mine"
    check(Parameters, values, "params.yaml")
