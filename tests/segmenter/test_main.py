"""Networks of ours by params.yaml alone, from training to labels."""

from pathlib import Path
from typing import Any

import pytest

from stages.common.artifacts import read_json, read_mask
from stages.common.params import read_yaml
from stages.common.pictures import load_pictures
from stages.segmenter.network_params import FITS
from tests.conftest import Project, drawn
from tests.segmenter.test_network import ENCODERS, options

NETWORKS = ("pspnet", "segnet", "deeplabv2", "fcn", "resunet", "deeplabv1", "parsenet")
CELLS = {"deeplabv2": {"rates": [1, 2], "msc": [0.5]}, "deeplabv1": {"rate": 2}}  # a crop has 8 x 8


@pytest.mark.parametrize("network", drawn(NETWORKS, 1))
def test_it_trains_and_labels(
    recipe: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    project = recipe.copy(tmp_path / "project")
    monkeypatch.chdir(project.root)
    own: dict[str, Any] = {**options(network), **CELLS.get(network, {})}
    encoder = read_yaml(Path("params.yaml"))["segmenter"]["encoder"]
    encoder |= {"name": ENCODERS.get(network, "small"), "output_stride": FITS[network].strides[0]}
    project.change(segmenter__network=network, segmenter__options=own, segmenter__encoder=encoder)
    said = project.run("dvc", "repro", "predictions").stdout
    assert project.stages_that_ran(said) == {"code", "parameters", "segmenter", "predictions"}
    config = read_json(Path("data/segmenter/config.json"))
    assert (config["network"], config["options"]) == (network, own)
    stamp = Path("data/code/predictions").read_text()
    assert f"stages/segmenter/networks/{network}.py" in stamp and "deeplabv3plus" not in stamp
    for picture in load_pictures().split("val"):
        assert read_mask(Path(f"data/predictions/{picture.id}.png")).shape == (picture.height, picture.width)
