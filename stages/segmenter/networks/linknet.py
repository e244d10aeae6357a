"""LinkNet (Chaurasia and Culurciello, 2017), https://arxiv.org/abs/1707.03718."""

from functools import partial

from stages.segmenter import library

build = partial(library.build, "linknet")
