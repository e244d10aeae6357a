"""U-Net++ (Zhou et al., 2018), https://arxiv.org/abs/1807.10165."""

from functools import partial

from stages.segmenter import library

build = partial(library.build, "unetplusplus")
