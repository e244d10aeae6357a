"""U-Net (Ronneberger, Fischer and Brox, 2015), https://arxiv.org/abs/1505.04597."""

from functools import partial

from stages.segmenter import library

build = partial(library.build, "unet")
