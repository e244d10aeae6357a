"""Parameters of the dense energy (types, choices and ranges only)."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.params import Positive, Section

Deviation = Annotated[float, Field(ge=1)]  # a lattice of smaller ones would have a vertex for each pixel


class DenseEnergy(Section):
    """ZHANG 2.3.3: labels that jump where neither place nor colour does cost."""

    weight: Positive
    method: Literal["lattice", "exact"]  # exact: for small grids, its time grows with the pixels' square
    scale: Annotated[float, Field(gt=0, le=1)]  # at which the pixels are compared
    sigma_xy: Deviation  # pixels of the unscaled view
    sigma_rgb: Deviation  # grey values
