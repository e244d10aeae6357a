"""Parameters of the step `cues`."""

from typing import Annotated, Any, Literal

from pydantic import Field

from stages.affinity_labels.params import Superpixels
from stages.common.params import Empty, Section
from stages.pseudo_labels.params import FelzenszwalbRegions


class Cues(Section):
    of: Annotated[list[Literal["seeds"]], Field(max_length=1)] | None = None  # empty: no such stage
    saliency: Literal["nothing", "saliency"]  # the maps of object and ground that weigh the seeds
    regions: Literal["none", "felzenszwalb", "slic"]  # of the picture, in each of which a map has one value
    none: Empty | None = None  # dvc.yaml declares the chosen way's keys only
    felzenszwalb: FelzenszwalbRegions | None = None
    slic: Superpixels | None = None

    def together(self, recipe: Any) -> list[str]:
        """The cues are made where something reads them, and differ from the seeds."""
        rungs = recipe.evaluation.rungs or {}
        readers = ["affinity_labels.of"] * (recipe.affinity_labels.of == ["cues"])
        readers += ["pseudo_labels.maps"] * (recipe.pseudo_labels.maps == "cues")
        readers += [f"evaluation.rungs.{name}" for name, folder in rungs.items() if folder == "cues"]
        made, verb = bool(self.of), "reads" if len(readers) == 1 else "read"
        checks = [
            (self.of is None, "cues.of: missing"),
            (self.of == [] and bool(readers),
             f"cues.of: must be [seeds], for {', '.join(readers)} {verb} them"),
            (made and not readers,
             "cues.of: must be [], for no affinity_labels.of, no pseudo_labels.maps and no rung reads them"),
            (made and (self.saliency, self.regions) == ("nothing", "none"),
             "cues: saliency must be saliency, or regions felzenszwalb or slic: else they are the seeds"),
            (getattr(self, self.regions) is None,
             f"cues.{self.regions}: missing, and cues.regions chooses it"),
        ]  # fmt: skip
        return [problem for wrong, problem in checks if wrong]
