"""UPerNet (Xiao et al., 2018), https://arxiv.org/abs/1807.10221."""

from functools import partial

from stages.segmenter import library

build = partial(library.build, "upernet")
scoring = library.scoring
