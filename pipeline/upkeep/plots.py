"""The drawing library of `dvc plots show`, put beside its page so that this is not blank offline."""

from pathlib import Path

from pipeline.project.root import write_whole


def setup(root: Path) -> Path:
    """Write dvc_plots/vega.js, which .dvc/plots.html loads (Vega-Lite 5, as DVC's plots are)."""
    import vl_convert

    path = root / "dvc_plots" / "vega.js"
    path.parent.mkdir(exist_ok=True)
    bundle = vl_convert.javascript_bundle(vl_version="5.20")  # type: ignore[call-arg]  # sets vegaEmbed
    write_whole(path, "(function () {\n" + bundle + "\n})();\n")
    return path
