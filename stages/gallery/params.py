"""Parameters of the step `gallery`."""

from typing import Annotated

from pydantic import Field

from stages.common.params import Count, Section


class Gallery(Section):
    pictures: Count  # of each split, evenly spaced over the sorted ids
    extremes: Annotated[int, Field(ge=0)]  # besides: the worst, most improved and most damaged ones
    sheet: Count  # pictures of a rung's contact sheet, evenly spaced
    side: Annotated[int, Field(ge=32, le=1024)]  # pixels, the longest of a picture as shown
