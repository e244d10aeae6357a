"""What does not fit a network is one line of the stage `parameters`."""

import inspect
import warnings
from typing import Any, get_args

import pytest
import segmentation_models_pytorch as smp
import torch

import stages.common.networks.encoders  # noqa: F401  # our encoders among the library's
from stages.common.params import ParameterError, check, read_yaml
from stages.common.training.params import NOT_DILATED, STRIDE_8
from stages.segmenter.network import build_segmenter
from stages.segmenter.network_params import FITS, Network, check_options, published
from stages.segmenter.params import Segmenter
from tests.segmenter.test_network import ENCODERS, encoder

LIBRARY = [name for name, fit in FITS.items() if isinstance(fit.options, tuple)]


def test_every_name_has_its_line():
    assert sorted(get_args(Network)) == sorted(FITS)
    assert len(LIBRARY) == 8


@pytest.mark.parametrize("name", LIBRARY)
def test_the_options_of_the_library_s_are_those_of_its_signatures(name):
    known = inspect.signature(smp.MODEL_ARCHITECTURES_MAPPING[name].__init__).parameters
    assert FITS[name].options == tuple(
        key for key in known if key.startswith("decoder") or key == "upsampling"
    )


@pytest.fixture
def section(request) -> dict[str, Any]:
    return read_yaml(request.config.rootpath / "params.yaml")["segmenter"]


def chosen(section: dict[str, Any], network: str, **changes: Any) -> dict[str, Any]:
    """The section for a network that fits it, but for the changes; crop 256 has room for all rates."""
    name, stride = ENCODERS.get(network, "small"), FITS[network].strides[0]
    values = {**section, "network": network, "options": published(network)}
    values["encoder"] = {**section["encoder"], "name": name, "output_stride": stride}
    values["augment"] = {**section["augment"], "crop": 256}
    for key, value in changes.items():
        place = values
        *parents, last = key.split("__")
        for parent in parents:
            place = place[parent]
        place[last] = value
    return values


@pytest.mark.parametrize("network", FITS)
def test_as_published_every_network_fits(network, section):
    assert check(Segmenter, chosen(section, network), "x").network == network


MISFITS: list[tuple[str, dict[str, Any], str]] = [
    ("fcn", {"encoder__output_stride": 8}, "network fcn needs encoder.output_stride 32"),
    ("deeplabv2", {"encoder__output_stride": 32}, "deeplabv2 needs encoder.output_stride 8 or 16"),
    ("resunet", {"encoder__name": "small"}, "network resunet needs encoder.name resunet, found small"),
    ("segnet", {"encoder__name": "small"}, "segnet needs encoder.name small_pool or vgg??_bn, found small"),
    ("segnet", {"encoder__name": "vgg16"}, "segnet needs encoder.name small_pool or vgg??_bn"),
    ("linknet", {"encoder__name": "mit_b0"}, "linknet needs encoder.name any but mit_b*, found mit_b0"),
    ("deeplabv1", {"encoder__name": "vgg16"}, "encoder vgg16 has output_stride 32: it cannot be dilated"),
    ("pspnet", {"encoder__name": "vgg16_deeplab", "encoder__output_stride": 16}, "vgg16_deeplab has output_"),
    ("deeplabv2", {"encoder__name": "vgg19_chen"}, "encoder vgg19_chen is for the classifier: use vgg16_"),
    ("fcn", {"options__rates": [6]}, "options: fcn takes no rates; it takes finest, hidden"),
    ("segnet", {"options": {"width": 3}}, "options: segnet takes no width; it takes none"),
    ("unet", {"options": {"aux": 0.4}}, "options: unet takes no aux; it takes decoder_use_norm, decoder_ch"),
    ("pspnet", {"options": {}}, "bins, aux missing; pspnet as published: {bins: [1, 2, 3, 6], aux: 0.4}"),
    ("pspnet", {"options__aux": 1.5}, "options.aux: Input should be less than or equal to 1, found 1.5"),
    ("fcn", {"options__finest": 4}, "options.finest: Input should be 8, 16 or 32, found 4"),
    ("deeplabv2", {"options__msc": [0.5, 2]}, "msc holds different scales from 0.25 to below 1, found"),
    ("deeplabv2", {"options__msc": [0.5, 0.5]}, "msc holds different scales from 0.25"),
    ("deeplabv2", {"augment__crop": 192}, "options: rate 24 must be below 24, the cells of a crop's side"),
    ("deeplabv1", {"augment__crop": 96}, "options: rate 12 must be below 12"),
    ("deeplabv3", {"options": {"decoder_atrous_rates": [6, 32, 12]}}, "options: rate 32 must be below 32"),
    ("pspnet", {"augment__crop": 32}, "options.bins: 6 must not be above 4, the cells of a crop's side"),
    ("pspnet", {"batch": 1}, "network pspnet normalises over the batch: batch must be 2 or more"),
    ("parsenet", {"options__scale": float("inf")}, "options.scale: must be finite, found inf"),
    ("parsenet", {"options__scale": 0}, "options.scale: Input should be greater than 0, found 0"),
    ("parsenet", {"augment__crop": 321}, "augment.crop must be a multiple of 32"),
]  # fmt: skip


@pytest.mark.parametrize(("network", "changes", "says"), MISFITS)
def test_a_misfit_is_one_line(network, changes, says, section):
    with pytest.raises(ParameterError) as error:
        check(Segmenter, chosen(section, network, **changes), "x")
    assert says in str(error.value) and len(str(error.value).splitlines()) == 2


def test_a_resunet_has_no_initial_weights(section):
    weights = {"source": "library", "name": "imagenet", "sha256": ""}
    with pytest.raises(
        ParameterError, match=r"resunet has no initial weights: encoder\.weights\.source must"
    ):
        check(Segmenter, chosen(section, "resunet", encoder__weights=weights), "x")


def test_one_picture_is_enough_where_nothing_is_pooled_to_a_cell_and_normalised(section):
    for network in ("fcn", "segnet", "resunet", "deeplabv1", "deeplabv2", "parsenet"):
        check(Segmenter, chosen(section, network, batch=1), "x")
    check(Segmenter, chosen(section, "pspnet", batch=1, options__bins=[2, 3]), "x")


def test_batch_1_breaks_the_bin_of_one_cell_and_no_other():
    x = torch.randn(1, 3, 64, 64)
    for bins, fails in (([1, 2], True), ([2, 3], False)):
        net = build_segmenter("pspnet", encoder("small", 8), 3, {"bins": bins, "aux": 0}).train()
        if fails:
            with pytest.raises(ValueError, match="more than 1 value per channel"):
                net(x)
        else:
            net(x)


def test_a_network_says_the_same_when_it_is_built():
    with pytest.raises(ValueError, match=r"saliency\.options: unet takes no aux"):
        check_options("unet", {"aux": 1}, "saliency.")
    with pytest.raises(ValueError, match="rates missing; deeplabv2 as published"):
        build_segmenter("deeplabv2", encoder("small", 8), 3, {"msc": []})


@pytest.mark.parametrize("network", [name for name in FITS if name not in LIBRARY])
def test_every_network_of_ours_refuses_what_it_does_not_take(network):
    given = {**published(network), "aus": 1}
    with pytest.raises(ValueError, match=f"options: {network} takes no aus"):
        build_segmenter(network, encoder(ENCODERS.get(network, "small"), FITS[network].strides[0]), 3, given)


def test_what_the_schema_calls_undilatable_the_library_does_not_dilate():
    """Of all encoders that are built in a moment; the schema has a line of its own for efficientnet-b."""
    wrong = []
    for name in smp.encoders.encoders:
        if name.startswith(("timm-", "efficientnet", *STRIDE_8)) or any(c in name for c in ("269", "200")):
            continue
        try:
            with warnings.catch_warnings(), torch.device("meta"):
                warnings.simplefilter("ignore")
                smp.encoders.get_encoder(name, output_stride=8)
            dilates = True
        except (ValueError, RuntimeError):
            dilates = False
        if dilates == name.startswith(NOT_DILATED):
            wrong.append(name)
    assert wrong == []
