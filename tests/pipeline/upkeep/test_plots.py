from pathlib import Path

import pytest

from pipeline.upkeep.plots import setup

ROOT = Path(__file__).parents[3]


def test_the_script_is_where_the_page_looks_for_it(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert")
    script = setup(tmp_path)
    assert script == tmp_path / "dvc_plots" / "vega.js"
    assert "window.vegaEmbed=" in script.read_text()
    assert 'src="vega.js"' in (ROOT / ".dvc" / "plots.html").read_text()


def test_the_page_has_dvc_s_places() -> None:
    page = (ROOT / ".dvc" / "plots.html").read_text()
    assert all(place in page for place in ("{refresh_tag}", "{scripts}", "{plot_divs}"))
