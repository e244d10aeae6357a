"""FPN for segmentation (Kirillov et al., 2019), https://arxiv.org/abs/1901.02446."""

from functools import partial

from stages.segmenter import library

build = partial(library.build, "fpn")
scoring = library.scoring
